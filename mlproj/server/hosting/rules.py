"""What a server asks of every request, whoever sends it; each rule as it was given, or as it is by itself."""

from __future__ import annotations

from pathlib import Path

import msgspec

ANY = "*"


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """How many requests one caller may make in so many seconds; all of them may come at once."""

    requests: int
    seconds: float


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """`hosts` are the names that a request may call the server by, and `origins` those of other servers whose
    pages may call it; both with `*` for any characters, and None for what is this machine's own. `frame` is
    the header X-Frame-Options. With `checked` False nobody looks at any of them.

    Paths may begin with `prefix`, which a proxy in front may have left there. What proxies at the addresses
    `forwarded_by` say of a caller is believed. `most_bytes` are of one request; `metrics` is the folder in
    which figures for Prometheus are kept.
    """

    hosts: tuple[str, ...] | None = None
    origins: tuple[str, ...] | None = None
    frame: str | None = "SAMEORIGIN"
    checked: bool = True
    prefix: str = ""
    forwarded_by: str | None = None
    most_bytes: int | None = None
    rate: Rate | None = None
    metrics: Path | None = None
