"""What a run printed, as it lies in the store or, while it goes on, as it comes: piece by piece."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from mlproj.errors import NotFound, StoreError
from mlproj.logs import KeptStream, Segment, mark, segments, stretches
from mlproj.model.run import STREAMS, LogFile, Run, Status
from mlproj.server.pages.visit import Answer, Page, Sent, Told, Visit

TAIL = 64 * 1024
"""Bytes of a log that are shown at first."""

_PIECE = 256 * 1024
_CONTROL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_OVERWRITTEN = re.compile(r"[^\n]*\r(?=[^\n])")


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a stream. `next` is where to go on; `over` says that nothing comes after it."""

    text: str
    next: int
    over: bool


def tell(visit: Visit) -> Answer:
    """What came of a stream after what the page has already."""
    run = _recorded(visit)
    return Told(value=piece(visit, run, _stream(visit), visit.whole("from", 0, 2**53)))


def send(visit: Visit) -> Answer:
    """All of a stream, as a file."""
    run, stream = _recorded(visit), _stream(visit)
    return Sent(
        pieces=(data for _, data in _read(visit, run, stream, 0)),
        name=f"{run.run_id}-{stream}.txt",
        media_type="text/plain; charset=utf-8",
    )


def last(visit: Visit, run: Run, stream: str) -> Piece:
    """The end of a stream, from the beginning of a line on."""
    begin = max(0, length(visit, run, stream) - TAIL)
    end = piece(visit, run, stream, begin)
    _, newline, rest = end.text.partition("\n")
    return msgspec.structs.replace(end, text=rest) if begin and newline else end


def piece(visit: Visit, run: Run, stream: str, begin: int) -> Piece:
    """The stream from there on, in so many bytes as a page takes at once."""
    over = run.status is not Status.RUNNING
    content, end = bytearray(), begin
    for at, data in _read(visit, run, stream, begin):
        content += data
        end = at + len(data)
        if len(content) >= _PIECE:
            over = False
            break
    if not over:
        # The rest of a character, or of a line that moves the cursor, is on its way.
        whole = _whole(bytes(content))
        end -= len(content) - len(whole)
        content = bytearray(whole)
    return Piece(text=readable(bytes(content)), next=end, over=over)


def length(visit: Visit, run: Run, stream: str) -> int:
    """How many bytes the stream has by now."""
    log = _sealed(run, stream)
    if log is not None:
        return log.size + log.cut
    written = _written(visit, run, stream)
    if written is None or not written.exists():
        return 0
    last = (segments(written) or [Segment(0, written)])[-1]
    return last.offset + last.path.stat().st_size


def readable(content: bytes) -> str:
    """As a terminal would show it, without colours."""
    text = _CONTROL.sub("", content.decode(errors="replace").replace("\r\n", "\n"))
    return _OVERWRITTEN.sub("", text).replace("\r", "")


def _read(visit: Visit, run: Run, stream: str, begin: int) -> Iterator[tuple[int, bytes]]:
    """Pieces of the stream, each with where it begins."""
    assert visit.desk.store is not None
    log, written = _sealed(run, stream), _written(visit, run, stream)
    if log is None:
        at = begin
        for begun, data in () if written is None else stretches(written, begin):
            if begun > at:
                yield begun, mark(begun - at, open_line=True)
            yield begun, data
            at = begun + len(data)
        return
    with visit.desk.store.blobs.path(log.digest).open("rb", buffering=0) as file:
        at = begin
        for data in KeptStream(file, cut=log.cut, cut_at=log.cut_at, offset=begin).rest():
            yield at, data
            at += len(data)


def _written(visit: Visit, run: Run, stream: str) -> Path | None:
    """Where the stream of a run is written that goes on; None for one that has ended."""
    assert visit.desk.store is not None
    return None if run.outcome is not None else visit.desk.store.workspace(run.run_id) / "logs" / stream


def _sealed(run: Run, stream: str) -> LogFile | None:
    logs = () if run.outcome is None else run.outcome.logs
    return next((log for log in logs if log.name == stream), None)


def _whole(content: bytes) -> bytes:
    """Without the beginning of a character whose end has not come."""
    for back in range(1, min(4, len(content)) + 1):
        byte = content[-back]
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return content[:-back] if back < needed else content
        if byte < 0x80:
            break
    return content


def _stream(visit: Visit) -> str:
    stream = visit.path["stream"]
    if stream not in STREAMS:
        raise NotFound(f"a run has no stream `{stream}`", hint="it has `stdout` and `stderr`")
    return stream


def _recorded(visit: Visit) -> Run:
    found = visit.record(visit.path["run_id"])
    if found is None:
        raise StoreError("this server keeps no logs of runs")
    return found


PAGES = (
    Page(path="/runs/{run_id}/log/{stream}", act=tell),
    Page(path="/runs/{run_id}/log/{stream}/whole", act=send),
)
