"""Addresses of channels and packages as texts: taken apart, and shown without the secrets in them."""

from __future__ import annotations

import re

from mlproj.model.redaction import without_credentials

_TOKEN = re.compile(r"(?<=/)t/[^/\s]+/")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


def public(url: str) -> str:
    """The URL of a channel or package without user, password or the token in its path."""
    return _TOKEN.sub("", without_credentials(url))


def split(specification: str) -> tuple[str | None, str]:
    """The channel that one package is to come from, if one is named, and the rest."""
    channel, colons, rest = specification.strip().partition("::")
    if not colons or re.search(r"[\s\[=<>]", channel):
        return None, specification
    return channel, rest


def name_of(package: str) -> str | None:
    """The name in what was asked for; None where it is the address of an archive."""
    wanted = split(package)[1].strip()
    found = None if "://" in wanted else _NAME.match(wanted)
    return None if found is None else found[0].lower()
