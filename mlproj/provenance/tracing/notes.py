"""Reads what the audit hook of each Python of a run has noted (`mlproj/hook/start/_mlproj_reads.py`)."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from mlproj.provenance.tracing.openings import Openings

_MOST = 256 * 1024 * 1024
"""Bytes of notes that are read of a run."""


def read_notes(folder: Path) -> Openings:
    """All notes in the folder; a note that was cut short, with its process, is none.

    The run can write there what it likes: what is no file is passed over, and of too much the rest.
    """
    openings = Openings()
    room = _MOST
    for name in _names(folder):
        with contextlib.suppress(OSError):
            content = _content(folder / name, room)
            room -= len(content)
            for note in content.split(b"\0")[:-1]:
                _take(openings, note)
    openings.is_cut = openings.is_cut or room <= 0
    return openings


def _names(folder: Path) -> list[str]:
    """The names of what is in the folder; nothing where the run took it away."""
    with contextlib.suppress(OSError):
        return [] if folder.is_symlink() else sorted(os.listdir(folder))
    return []


def _content(path: Path, most: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        return file.read(most) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""


def _take(openings: Openings, note: bytes) -> None:
    kind, _, rest = note.partition(b" ")
    text = os.fsdecode(rest)
    if kind == b"r":
        openings.note_read(text)
    elif kind == b"w":
        openings.note_written(text)
    elif kind == b"s":
        bare, _, words = text.partition(" ")
        openings.programs[tuple(words.split("\x1f")), bare == "1"] = None
    elif kind == b"P":
        openings.pythons += 1
    elif kind == b"O":
        openings.old[text] = None
    elif kind == b"X":
        openings.is_cut = True
