"""The files that a version of a model is made from are named by where they are now."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from msgspec.structs import replace

from mlproj.model.registry import ModelVersion
from mlproj.moving_ports import Arrivals

_ID = re.compile(r"m-[0-9a-f]{32}|[0-9a-f]{32}")
_OWN = ("", "file", "mlflow-artifacts")
"""Schemes of addresses that mean the same folder whoever is named as its host."""


class Addresses:
    """Where the files of things were, by the things' ids."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._places: dict[str, tuple[str, str]] = {}
        self._seen: set[str | None] = set()

    def add(self, kind: str, name: str, uri: str) -> None:
        """Notes that the files of a thing, which were at `uri`, are here now."""
        self._seen.add(name)
        if uri:
            self._places[name] = (kind, _plain(uri))

    def has(self, name: str | None) -> bool:
        """Whether the thing with that id came along, with files or without."""
        return name in self._seen

    def moved(self, version: ModelVersion) -> ModelVersion:
        """The version, with its source where that is now; as it was where it is of nothing that moved."""
        source = _plain(version.source)
        for name in (*_ID.findall(source), version.run_id or ""):
            kind, before = self._places.get(name, ("", ""))
            if before and f"{source}/".startswith(f"{before}/"):
                here = self._arrivals.address(kind, name)
                return replace(version, source=f"{here}{source[len(before) :]}")
        return version


def _plain(uri: str) -> str:
    parts = urlsplit(uri)
    return (unquote(parts.path) if parts.scheme in _OWN else uri).rstrip("/")
