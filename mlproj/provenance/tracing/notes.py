"""Reads what the audit hook of each Python of a run has noted (`mlproj/hook/start/_mlproj_reads.py`)."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from mlproj.provenance.tracing.openings import Openings


def read_notes(folder: Path) -> Openings:
    """All notes in the folder; a note that was cut short, with its process, is none."""
    openings = Openings()
    for name in sorted(os.listdir(folder)):
        with contextlib.suppress(OSError):
            for note in (folder / name).read_bytes().split(b"\0")[:-1]:
                _take(openings, note)
    return openings


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
