"""What a database server had against a statement, by what that means for whoever asked."""

from __future__ import annotations

from enum import Enum


class Cause(Enum):
    """Why a statement was not carried out."""

    CONFLICT = "conflict"
    """Another writer came between: asked again, it may well succeed."""
    GONE = "gone"
    """The server, or the way to it, is gone: nothing was written."""
    UNSURE = "unsure"
    """It went while it was told to keep what was written: nobody knows whether it did."""
    UNFIT = "unfit"
    """A value does not fit its column."""
    FULL = "full"
    REFUSED = "refused"
    """It does not let us in."""
    OTHER = "other"


class Fault(Exception):
    """A statement that a server did not carry out, in its own words."""

    def __init__(self, told: str, cause: Cause) -> None:
        super().__init__(told)
        self.told = told
        self.cause = cause
