"""Commands that execute text: shells, programs that start shells, and builtins that evaluate."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SHELL = r"(?:ba|z|k|mk|pdk|da|a|c|tc|fi|r|rba|ya|o|y|xon)?sh|busybox|pwsh|elvish|nu"
_IS_SHELL = re.compile(_SHELL)
_STARTS_SHELL = re.compile(rf"(?<![\w.-])(?:{_SHELL})(?![\w.-]).*[\s=]-\w*c\b", re.DOTALL)
_TAKES_CODE = re.compile(r"[-+]\w*[cs]\w*|--command(?:=.*)?|--(?:rc|init)-?file(?:=.*)?|-", re.IGNORECASE)
_OPTION_WITH_VALUE = re.compile(r"[-+]\w*[oO]")
_ASSIGNMENT = re.compile(r"\w+\+?=.*", re.DOTALL)
_ELEVATES = re.compile(r"-\w*[si]\w*|--shell|--login")
_BY_NAME = re.compile(r"-\w*[vRp]\w*")
_CALLS_BACK = re.compile(r"-\w*C.*", re.DOTALL)
_IN_PLACE = re.compile(r"-\w*i.*|--in-place.*", re.DOTALL)

WRAPPERS = _set(
    "env timeout nohup xargs sudo doas nice ionice stdbuf setsid time taskset numactl chrt srun mpirun find "
    "exec command builtin conda mamba micromamba poetry pipenv pdm uv docker podman apptainer singularity "
    "kubectl strace ltrace perf gdb valgrind unbuffer faketime caffeinate catchsegv proxychains "
    "setarch linux32 linux64 i386 x86_64 prlimit choom"
)
"""Programs whose arguments are another command."""

_RUNNERS = _set(
    "ssh rsh mosh dsh pdsh clush su runuser parallel sem watch sbatch tmux screen at batch crontab expect "
    "hyperfine concurrently entr script flock nix-shell chroot unshare nsenter fakeroot inotifywait "
    "watchexec xterm dtach setpriv capsh make gmake just qsub bsub sg"
)
"""Programs that hand their arguments or their input on to a shell."""

_UNSAFE_BUILTINS = _set(
    ". source eval let trap alias unalias read readarray mapfile set shopt unset declare typeset local "
    "export readonly getopts hash enable complete compgen compopt bind fc history coproc caller help"
)
_EXECUTING = _set("eval let trap alias fc bind coproc enable complete compgen")
_NAMING = _set("read mapfile readarray getopts unset")
_SOURCING = frozenset((".", "source", "eval"))
_OUTER_BUILTINS = frozenset(("command", "builtin", "exec"))


def is_dynamic(word: str) -> bool:
    """Whether only the shell will know what the word is."""
    return any(sign in word for sign in ("$", "`", "<(", ">("))


def mentions_evaluation(script: str) -> bool:
    """Whether a variable of the script may hold a command that executes text."""
    return _STARTS_SHELL.search(script) is not None or re.search(r"\b(?:eval|source)\b", script) is not None


def refuses(words: Sequence[str], own: int | None) -> str | None:
    """Why no value may stand in the command of these words (without quotes), or None where it may.

    `own` is the index of the word that the value is part of, None where it is in a redirection.
    """
    name = words[0]
    builtins = {name, *(words if name in _OUTER_BUILTINS else ())} & _UNSAFE_BUILTINS
    if builtins:
        return f"`{min(builtins)}`"
    if name in ("test", "[", "printf", "wait") and any(_BY_NAME.fullmatch(word) for word in words):
        return f"`{name}` with an option that evaluates a variable's name"
    if own is not None and _STARTS_SHELL.search(words[own]):
        return "a nested shell"
    if starts_shell(words) or (is_dynamic(name) and any(_TAKES_CODE.fullmatch(word) for word in words[1:])):
        return "a nested shell"
    if own is not None and own > 0 and _splits(words, own):
        return "`env`, which may take it for an option"
    return None


def starts_shell(words: Sequence[str]) -> bool:
    """Whether the command starts a shell that takes its code from its arguments or its input."""
    if any(_base(word) in _RUNNERS for word in _commands(words)):
        return True
    if _base(words[0]) in ("sudo", "doas") and any(_ELEVATES.fullmatch(word) for word in words):
        return True
    return any(
        _IS_SHELL.fullmatch(_base(word)) and _reads_code(words[index + 1 :])
        for index, word in enumerate(words)
    )


def executes(words: Sequence[str]) -> bool:
    """Whether the command executes what variables, its input or its arguments hold."""
    name = words[0]
    wrapped = _base(name) in WRAPPERS and any(is_dynamic(word) for word in words)
    evaluating = {name, *(words if name in _OUTER_BUILTINS else ())} & _EXECUTING
    streaming = name in _SOURCING and not _is_script(words[1:2])
    return bool(
        is_dynamic(name)
        or wrapped
        or evaluating
        or streaming
        or _evaluates_names(words)
        or starts_shell(words)
    )


def evaluates_name(word: str) -> bool:
    """Whether the word, as a variable's name, has an index, which is arithmetic, or may turn out to."""
    return is_dynamic(word) or "[" in word


def rewrites(words: Sequence[str]) -> bool:
    """Whether the command changes the files among its arguments by what the others say."""
    return _base(words[0]) in ("sed", "gsed", "perl", "ruby") and any(
        _IN_PLACE.fullmatch(word) for word in words[1:]
    )


def splits_input(words: Sequence[str]) -> bool:
    """Whether the command makes arguments of its input, so that a value does not arrive whole."""
    return any(_base(word) == "xargs" for word in _commands(words))


def reads_scripts(words: Sequence[str]) -> bool:
    """Whether the command has to do with a shell or sourcing at all: it may execute a file's content."""
    return executes(words) or any(_IS_SHELL.fullmatch(_base(word)) or word in _SOURCING for word in words)


def _evaluates_names(words: Sequence[str]) -> bool:
    """Whether a builtin takes variables' names that have to be evaluated, or code to call for each line."""
    name, arguments = words[0], words[1:]
    if name in ("mapfile", "readarray") and any(_CALLS_BACK.fullmatch(word) for word in arguments):
        return True
    if name in ("test", "[", "printf", "wait"):
        return any(_BY_NAME.fullmatch(word) for word in arguments)
    return name in _NAMING and (name == "unset" or any(evaluates_name(word) for word in arguments))


def _commands(words: Sequence[str]) -> tuple[str, ...]:
    """The words that may be a command's name: the first, and any where that one takes a command."""
    after = tuple(
        words[index + 1]
        for index, word in enumerate(words[:-1])
        if word in ("run", "exec", "-exec", "-execdir", "-ok", "-okdir", "--")
    )
    return tuple(words) if _base(words[0]) in WRAPPERS else (words[0], *after)


def _reads_code(arguments: Sequence[str]) -> bool:
    """Whether a shell with these arguments takes code from them or from its input, not from a file."""
    skip = False
    for word in arguments:
        if skip:
            skip = False
        elif _TAKES_CODE.fullmatch(word):
            return True
        elif _OPTION_WITH_VALUE.fullmatch(word):
            skip = True
        elif not word.startswith(("-", "+")):
            return not _is_script([word])
    return True


def _is_script(words: Sequence[str]) -> bool:
    """Whether the one word names a file of the author's, and not a stream or what the shell computes."""
    return bool(words) and not words[0].startswith(("/dev/", "/proc/", "-")) and "<(" not in words[0]


def _splits(words: Sequence[str], own: int) -> bool:
    if "env" not in [_base(word) for word in words[:own]]:
        return False
    start = [_base(word) for word in words[:own]].index("env")
    between = words[start + 1 : own]
    return all(word.startswith("-") or _ASSIGNMENT.fullmatch(word) for word in between) and not (
        _ASSIGNMENT.fullmatch(words[own])
    )


def _base(word: str) -> str:
    return os.path.basename(word)
