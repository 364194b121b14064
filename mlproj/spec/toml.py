"""TOML read within bounds: Python's reader takes for ever over some texts, and gives up on deep ones."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

MAX_PARTS = 64
"""Parts of a key: the reader's time grows with the square of their number."""

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_LONG_KEY = re.compile(rf"""(?<![\w."'-]){_PART}(?:[ \t]*\.[ \t]*{_PART}){{{MAX_PARTS}}}""", re.ASCII)

_LONG_NUMBER = re.compile(r"[0-9][0-9_]{999}")
"""The reader takes a hundred bytes of memory for each digit, and Python refuses the number then."""

Decoded = TypeVar("Decoded")


def decode(text: str | bytes, type: type[Decoded]) -> Decoded:
    """The document in `text` as a value of `type`.

    Raises ValueError, its message being what is wrong: msgspec.ValidationError where it is TOML, and other.
    """
    content = text if isinstance(text, str) else text.decode()
    if _LONG_KEY.search(content):
        raise ValueError(f"a key has more than {MAX_PARTS} parts")
    if _LONG_NUMBER.search(content):
        raise ValueError("a number has a thousand digits or more")
    try:
        return msgspec.toml.decode(content, type=type)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
