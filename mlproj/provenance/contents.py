"""The digests of files that nobody remembers: all of them are read, on every core."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mlproj.model.digest import Digest
from mlproj.model.events import silent
from mlproj.provenance.batches import Batch, Segment, look
from mlproj.provenance.digests import Digesting
from mlproj.provenance.reading import MOVING, SPECIAL, UNKNOWN, Result

_WORDS = {
    MOVING: "it changes while it is read",
    SPECIAL: "it is not a regular file",
    UNKNOWN: "it cannot be opened",
}


def digest_files(folder: Path, names: Iterable[Sequence[bytes]]) -> Iterator[tuple[bytes, Digest | str]]:
    """As in `ports.Digester`."""
    odd: list[tuple[bytes, str]] = []

    def note(_: bytes, name: bytes, found: os.stat_result | OSError) -> None:
        said = found.strerror if isinstance(found, OSError) else _WORDS[SPECIAL]
        odd.append((name, said or _WORDS[UNKNOWN]))

    def looks() -> Iterator[Batch]:
        for some in names:
            yield look(Segment(os.fsencode(folder), b"", list(some)), None, note, follow=True)

    with Digesting(silent) as digesting:
        for batch in digesting.in_order(looks()):
            yield from zip(batch.names, map(_told, batch.results), strict=True)
    yield from odd


def _told(result: Result | None) -> Digest | str:
    if isinstance(result, int) or result is None:
        return _WORDS.get(result or UNKNOWN) or os.strerror(result or 0)
    return Digest.from_raw(result if isinstance(result, bytes) else result[0])
