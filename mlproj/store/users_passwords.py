"""What is kept of a password: as Argon2 makes it, with its salt and its cost."""

from __future__ import annotations

from argon2 import PasswordHasher

from mlproj.errors import UsageError
from mlproj.model.access import PASSWORD_COST

SHORTEST = 8
LONGEST = 1000


def kept(password: str | None) -> str | None:
    """None for none. Raises UsageError for one that is too short, or no text."""
    if password is None:
        return None
    if not SHORTEST <= len(password) <= LONGEST:
        raise UsageError(f"a password has {SHORTEST} to {LONGEST} characters")
    try:
        return PasswordHasher(*PASSWORD_COST).hash(password)
    except UnicodeEncodeError as error:
        raise UsageError("the password is no text that can be kept") from error
