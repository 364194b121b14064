"""What a built environment holds, written into it: so that what runs within it can be told its lock."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from mlproj.files import write_atomically
from mlproj.model.environment import LockedEnvironment

_FILE = "locked.json"


def describe(folder: Path, locked: LockedEnvironment) -> None:
    """Writes it, without credentials and what only building was told, unless it is there. Where that fails,
    nobody is told the lock."""
    path = folder / _FILE
    if not path.exists():
        with contextlib.suppress(OSError):
            lasting = replace(locked, origins=(), artifacts=None, offline=False)
            write_atomically(path, msgspec.json.encode(lasting, enc_hook=str))


def described(folder: Path) -> LockedEnvironment | None:
    """What the environment in the folder was built from; None where nothing says so."""
    try:
        content = (folder / _FILE).read_bytes()
        return msgspec.json.decode(content, type=LockedEnvironment, dec_hook=_read)
    except (OSError, msgspec.MsgspecError):
        return None


def _read(kind: type[Any], text: Any) -> Any:
    """What JSON has no form for: a path."""
    return kind(text)
