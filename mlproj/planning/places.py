"""Places of values in a shell string: where one stands, in which quotes, and whether it may stand there."""

from __future__ import annotations

from enum import Enum

import msgspec

HEREDOC = "a here-document"
TOO_LARGE = "a command too long or too deeply nested to be understood for certain"


class Quotes(Enum):
    BARE = "bare"
    SINGLE = "single"
    DOUBLE = "double"


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A word that stands for a value in a script: its offset and length in bytes of UTF-8.

    `known` says that it is the value itself, and not a stand-in.
    """

    start: int
    length: int
    known: bool = False


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a placeholder stands: in which quotes, or, where no value with shell characters may stand, why.

    `program` names the interpreter (`python`, `sed`) where the place is part of a program in its language.
    """

    quotes: Quotes
    unsafe: str | None = None
    program: str | None = None

    @property
    def inert(self) -> bool:
        """Whether even a `$` right before it means nothing to the shell."""
        return self.unsafe is None and self.quotes is Quotes.SINGLE
