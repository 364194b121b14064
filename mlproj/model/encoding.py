"""Texts as a record holds them: in UTF-8, which names of files and arguments need not be."""

from __future__ import annotations


def is_text(text: str) -> bool:
    """Whether `text` can be written in UTF-8, and does not stand for other bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
