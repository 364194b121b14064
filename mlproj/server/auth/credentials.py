"""What a request shows to be let in: a user's password, or a token in any of the places for one."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable

import msgspec

from mlproj.model.redaction import CALLS_ITSELF

_TOKEN = re.compile(rf"{CALLS_ITSELF}(?P<id>[0-9a-f]{{16}})_[\w\-]{{20,200}}", re.ASCII)
_LONGEST = 2000
"""Characters of a header that is looked at, and by far more than any of ours needs."""


class ByPassword(msgspec.Struct, frozen=True):
    """Somebody who says who they are, and something only they know."""

    name: str
    password: str


class ByToken(msgspec.Struct, frozen=True):
    """Somebody who comes with a token, whatever user they name beside it."""

    id: str
    whole: str


Shown = ByPassword | ByToken


def shown(headers: Iterable[tuple[bytes, bytes]]) -> Shown | None:
    """What a request's `Authorization` holds; None where there is none that can be read."""
    given = [value for name, value in headers if name == b"authorization"]
    if len(given) != 1 or len(given[0]) > _LONGEST:
        return None
    scheme, _, value = given[0].decode("latin-1").partition(" ")
    match scheme.lower():
        case "bearer":
            return token(value.strip())
        case "basic":
            return _basic(value.strip())
        case _:
            return None


def token(text: str) -> ByToken | None:
    """The token that a text is, or None."""
    found = _TOKEN.fullmatch(text)
    return None if found is None else ByToken(found["id"], text)


def _basic(value: str) -> Shown | None:
    try:
        name, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    if not colon or not password:
        return None
    return token(password) or ByPassword(name, password)
