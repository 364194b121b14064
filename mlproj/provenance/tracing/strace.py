"""What the kernel is asked for by all programs of a run, as `strace` writes it down."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mlproj.errors import EnvironmentFailed
from mlproj.provenance.tracing.openings import Openings

_OPENING = "open,openat,openat2,creat"
_NAMING = "rename,renameat,renameat2,link,linkat"
_STARTING = "execve,execveat,clone,clone3,fork,vfork"
_OPTIONS = ("-f", "--seccomp-bpf", "-qq", "-y", "-z", "-s", "4096", "-e", "signal=none", "-a", "1")
_INSTEAD = "leave out `--trace=full`: what Python programs open is seen without it"

_LINE = re.compile(rb"(?P<pid>\d+) +(?P<call>\w+)\((?P<arguments>.*)\) += (?P<result>.*)")
_OPENED = re.compile(rb"\d+<(?P<path>/(?:[^<>\\]|\\.)*)>\s*$")
_TEXT = re.compile(rb'(?:AT_FDCWD|\d+)?(?:<(?P<folder>(?:[^>\\]|\\.)*)>, )?"(?P<text>(?:[^"\\]|\\.)*)"')
_HERE = re.compile(rb"AT_FDCWD<(?P<folder>(?:[^<>\\]|\\.)*)>")
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|x[0-9a-f]{2}|.)")
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"v": b"\v", b"f": b"\f"}
_OURS = re.compile(rb'from mlproj\.__main__ import main|/mlproj", |\["mlproj", |"-m", "mlproj"')
"""What is in the arguments of mlproj itself, which sees to its own run."""


def command(argv: Sequence[str], file: Path) -> tuple[str, ...]:
    """The command that starts `argv` and has what it opens written into the file."""
    calls = f"trace={_OPENING},{_NAMING},{_STARTING}"
    return ("strace", *_OPTIONS, "-e", calls, "-o", str(file), "--", *argv)


def check(environ: Mapping[str, str]) -> None:
    """Raises EnvironmentFailed where `strace` is not there, or may not look at another program."""
    path = shutil.which("strace", path=environ.get("PATH", os.defpath))
    if path is None:
        raise EnvironmentFailed(
            "`--trace=full` needs `strace`, which is not on the PATH",
            hint=f"install it (`apt install strace`), or {_INSTEAD}",
        )
    trial = command(("true",), Path(os.devnull))
    done = subprocess.run((path, *trial[1:]), env=dict(environ), capture_output=True, timeout=60)
    if done.returncode != 0:
        told = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it does not say why"]
        raise EnvironmentFailed(
            f"`strace` cannot look at programs here: {told[-1].removeprefix('strace: ')}",
            hint=f"a container needs the capability SYS_PTRACE for it; or {_INSTEAD}",
        )


def read_trace(file: Path) -> Openings:
    """What was opened, by everybody but those that mlproj started as a run of its own."""
    openings = Openings(were_old=False)
    if not file.exists():
        return openings
    ours = _closed(*_families(file))
    known: set[str] = set()
    folders: dict[bytes, bytes] = {}
    for pid, call, arguments, result in _calls(file):
        if pid in ours:
            continue
        if here := _HERE.match(arguments):
            folders[pid] = here["folder"]
        is_written = True
        if call in (b"open", b"openat", b"openat2", b"creat"):
            found = _OPENED.match(result)
            path = None if found is None else os.fsdecode(_plain(found["path"]))
            is_written = call == b"creat" or b"O_WRONLY" in arguments or b"O_TRUNC" in arguments
        elif call.startswith((b"rename", b"link")):
            path = _last_path(arguments, folders.get(pid))
        else:
            continue
        if path is None or b"O_DIRECTORY" in arguments or b"O_PATH" in arguments:
            continue
        if not is_written and path not in known:
            openings.note_read(path)
        if is_written or b"O_RDWR" in arguments:
            openings.note_written(path)
        known.add(path)
    return openings


def _calls(file: Path) -> Iterator[tuple[bytes, bytes, bytes, bytes]]:
    """Process, name, arguments and result of each call, put together where others came between."""
    pending: dict[bytes, bytes] = {}
    with open(file, "rb") as lines:
        for line in lines:
            pid, _, rest = line.rstrip(b"\n").partition(b" ")
            if rest.endswith(b"<unfinished ...>"):
                pending[pid] = rest[: -len(b"<unfinished ...>")].strip()
                continue
            resumed = rest.lstrip()
            if resumed.startswith(b"<... ") and pid in pending:
                rest = pending.pop(pid) + resumed.partition(b" resumed>")[2]
            found = _LINE.match(pid + b" " + rest)
            if found is not None:
                yield found["pid"], found["call"], found["arguments"], found["result"]


def _families(file: Path) -> tuple[set[bytes], dict[bytes, bytes]]:
    """The processes that are mlproj, and the parent of each."""
    ours: set[bytes] = set()
    parents: dict[bytes, bytes] = {}
    for pid, call, arguments, result in _calls(file):
        if call.startswith(b"exec") and _OURS.search(arguments):
            ours.add(pid)
        elif call in (b"clone", b"clone3", b"fork", b"vfork"):
            parents[result.split()[0].partition(b"<")[0]] = pid
    return ours, parents


def _closed(ours: set[bytes], parents: Mapping[bytes, bytes]) -> set[bytes]:
    """Those, and all that they started."""
    found = set(ours)
    for pid in parents:
        line = []
        above: bytes | None = pid
        while above is not None and above not in found and above not in line:
            line.append(above)
            above = parents.get(above)
        if above in found:
            found.update(line)
    return found


def _last_path(arguments: bytes, here: bytes | None) -> str | None:
    """The second path of a call. Without a folder beside it, it is relative to the one that was last told."""
    found = list(_TEXT.finditer(arguments))
    if not found:
        return None
    folder, text = found[-1]["folder"] or here, _plain(found[-1]["text"])
    if text.startswith(b"/"):
        return os.fsdecode(text)
    return None if folder is None else os.fsdecode(_plain(folder) + b"/" + text)


def _plain(text: bytes) -> bytes:
    """Without C's escapes."""

    def one(found: re.Match[bytes]) -> bytes:
        code = found[1]
        if code[:1].isdigit():
            return bytes((int(code, 8) & 255,))
        if code[:1] == b"x" and len(code) == 3:
            return bytes((int(code[1:], 16),))
        return _LETTERS.get(code, code)

    return _ESCAPE.sub(one, text) if b"\\" in text else text
