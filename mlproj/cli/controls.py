"""Control characters are shown and not obeyed, whoever wrote the text: a file, a server, a name."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_TURNING = re.compile(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that make the text after them run the other way, so that it reads as something else."""


def printable(text: str) -> str:
    """Text that cannot move the cursor, change colours or stand in another order than it seems to."""
    shown = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
    return _TURNING.sub(lambda match: f"\\u{ord(match[0]):04x}", shown)
