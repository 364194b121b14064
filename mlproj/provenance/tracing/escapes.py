"""What the audit hook is known not to have seen: Pythons that leave it out, and programs that are none."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from mlproj.provenance.tracing.openings import Openings

_PYTHON = re.compile(r"(python|pypy)[\d.]*$")
_IN_A_SHELL = re.compile(r"(?:^|[\s;&|(/])((?:python|pypy)[\d.]*(?:\s+-\w+)*?\s+-[A-Za-z]*[IES][A-Za-z]*)\b")
_BARE = re.compile(r"(?:^|[\s;&|(/])env\s+(?:-[A-Za-z]*i[A-Za-z]*|--ignore-environment|-)\s")
_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")
_SHELLS = ("env", "sh", "bash", "dash", "zsh", "ksh")
_TELLING = frozenset(("git", "ldconfig", "lsb_release", "lscpu", "mlproj", "nvidia-smi", "uname", "which"))
"""Programs that tell of the machine or the source, which are recorded."""
_MOST = 20
_LONGEST = 80


def escaped(openings: Openings, command: str) -> tuple[str, ...]:
    """Sentences, each once. `command` is what the shell was given."""
    told = dict.fromkeys(_of_a_shell(command))
    told |= dict.fromkeys(
        f"Python {version} cannot tell what it opens, as 3.8 and later do" for version in openings.old
    )
    others: dict[str, None] = {}
    for words, bare in openings.programs:
        program = os.path.basename(words[0]) if words and words[0] else ""
        if _PYTHON.match(program):
            told |= dict.fromkeys(_of_a_python(program, words, bare))
        elif program in _SHELLS:
            told |= dict.fromkeys(_of_a_shell(" ".join((program, *words[1:]))))
        elif program and program not in _TELLING:
            others[program] = None
    sentences = list(told)[:_MOST]
    if others:
        named = ", ".join(f"`{name[:_LONGEST]}`" for name in list(others)[:_MOST])
        more = f" and {len(others) - _MOST} more" if len(others) > _MOST else ""
        sentences.append(f"what was started and is no Python: {named}{more}")
    if openings.is_cut:
        sentences.append("more files were opened than are noted of one program")
    return tuple(sentences)


def _of_a_python(program: str, words: Sequence[str], bare: bool) -> Iterator[str]:
    letters, shown = "", [program]
    skip = False
    for word in words[1:]:
        if skip:
            skip = False
            continue
        if not word.startswith("-") or word in ("-c", "-m", "-"):
            break
        if word in _WITH_VALUE:
            skip = True
        elif not word.startswith("--"):
            flags = re.match(r"-[A-Za-z]*", word)
            letters += "" if flags is None else flags[0].partition("c")[0].partition("m")[0]
            shown.append(word)
    if set(letters) & set("IES"):
        yield _leaves_out(" ".join(shown))
    elif bare:
        yield f"`{program}` was started without the variables of the run"


def _of_a_shell(command: str) -> Iterator[str]:
    if _BARE.search(command):
        yield "`env -i` takes away the variables of the run"
    for found in _IN_A_SHELL.finditer(command):
        yield _leaves_out(" ".join(found[1].split()))


def _leaves_out(shown: str) -> str:
    return f"`{shown[:_LONGEST]}` leaves the start-up hook out"
