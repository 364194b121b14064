"""Asks a Python what it is, once: the answer is kept until the executable changes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import msgspec

from mlproj import process
from mlproj.files import write_atomically

# Runs on anything back to Python 2.7, and imports nothing that the start of Python did not import.
_QUESTION = """
import sys
prefix = getattr(sys, "real_prefix", None) or getattr(sys, "base_prefix", sys.prefix)
base = getattr(sys, "_base_executable", None) or sys.executable
name = getattr(getattr(sys, "implementation", None), "name", "cpython")
site = sys.modules.get("site")
user = ""
if site is not None and sys.prefix == prefix:
    try:
        user = site.getusersitepackages()
    except Exception:
        pass
print("\\n".join([sys.version.split()[0].rstrip("+"), name, base, sys.executable, user] + sys.path[1:]))
"""
_PATIENCE = 30.0


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What a Python says of itself. `base` is its installation's own executable (of a virtualenv, too).

    `paths` are the folders it imports from, the user's own among them where it looks there.
    """

    version: str
    implementation: str
    base: str
    executable: str
    paths: tuple[str, ...]


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A probe as it is kept, with what it was an answer about."""

    path: str
    stamp: tuple[str, int, int]
    probe: Probe


def platform_name() -> str:
    """The platform that environments are built for, such as `linux-x86_64`."""
    return f"{sys.platform}-{os.uname().machine}"


def stamp_of(path: Path) -> tuple[str, int, int]:
    """What tells whether an executable is still the same: its real path, mtime and size. Raises OSError."""
    real = os.path.realpath(path)
    state = os.stat(real)
    return real, state.st_mtime_ns, state.st_size


def probe(executable: Path, cache: Path) -> Probe | None:
    """What the Python at `executable` is, or None where it is none that runs. Raises nothing."""
    try:
        stamp = stamp_of(executable)
    except OSError:
        return None
    # A virtualenv's Python has its base's real path, and other folders to import from.
    kept = cache / "interpreters" / f"{hashlib.sha256(os.fsencode(executable)).hexdigest()[:32]}.json"
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        answer = msgspec.json.decode(kept.read_bytes(), type=_Answer)
        if (answer.path, answer.stamp) == (str(executable), stamp):
            return answer.probe
    found = _ask(executable)
    if found is not None:
        answer = _Answer(path=str(executable), stamp=stamp, probe=found)
        with contextlib.suppress(OSError, UnicodeError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(kept, msgspec.json.encode(answer))
    return found


def kept_path(kept: Path) -> str | None:
    """The executable that an answer in the cache is about, None where there is none in that file."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode(kept.read_bytes(), type=_Answer).path
    return None


def _ask(executable: Path) -> Probe | None:
    try:
        # `-E -s` rather than `-I`, which Python 2 does not know.
        done = process.run((executable, "-E", "-s", "-c", _QUESTION), timeout=_PATIENCE)
    except (process.ProgramMissing, subprocess.TimeoutExpired, OSError):
        return None
    lines = os.fsdecode(done.stdout).split("\n")
    if done.code != 0 or len(lines) < 5:
        return None
    version, implementation, base, own, user, *paths = lines
    return Probe(
        version=version,
        implementation=implementation,
        base=os.path.realpath(base),
        executable=own or str(executable),
        paths=tuple(filter(None, (*paths, user))),
    )
