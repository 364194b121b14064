"""Contents that are too large for one request, over HTTP: begun, sent in parts, and put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mlproj import store_wire as wire
from mlproj.server import limits
from mlproj.server.failures import invalid
from mlproj.server.store_view import View
from mlproj.store_wire import Question


def begin(view: View, asked: wire.BeginContent) -> str:
    view.send()
    if not 1 <= asked.parts <= limits.PARTS_OF_UPLOAD:
        raise invalid(f"a content comes in 1 to {limits.PARTS_OF_UPLOAD} parts, and not in {asked.parts}")
    return view.store.reception.uploads.begin(asked.digest.hex, asked.parts)


def add(view: View, digest: str, upload: str, number: int, pieces: Iterator[bytes]) -> str:
    """What the part is named by at the end."""
    view.send()
    return view.store.reception.uploads.add(digest, upload, number, pieces)


def end(view: View, asked: wire.EndContent) -> None:
    view.send()
    parts = tuple(enumerate(asked.parts, start=1))
    view.store.reception.uploads.complete(asked.digest.hex, asked.upload, parts)
    view.note_sent((asked.digest,))


ANSWERS: tuple[tuple[Question, Callable[[View, Any], Any]], ...] = (
    (wire.BEGIN_CONTENT, begin),
    (wire.END_CONTENT, end),
)
