"""What a run printed, from its record or, while it goes on, as it comes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from mlproj.model.events import ChildOutput
from mlproj.model.run import STREAMS, Run, Status
from mlproj.ports import RunStore

POLL_S = 0.15
_PIECE = 256 * 1024


def read_log(
    store: RunStore, run: Run, stream: str | None = None, *, follow: bool = False
) -> Iterator[ChildOutput]:
    """What the run wrote to `stream`, or to both in the order in which it came.

    With `follow`, goes on until the run has ended. Raises StoreError where a log is not there any more.
    """
    if run.outcome is not None:
        yield from _recorded(store, run, stream)
        return
    yield from _live(store, run, STREAMS if stream is None else (stream,), follow=follow)


def _recorded(store: RunStore, run: Run, stream: str | None) -> Iterator[ChildOutput]:
    logs = {log.name: log.digest for log in (run.outcome.logs if run.outcome else ())}
    with contextlib.ExitStack() as stack:
        files = {
            name: stack.enter_context(store.blobs.path(logs[name]).open("rb"))
            for name in STREAMS
            if name in logs and stream in (None, name)
        }
        if stream is None and "times" in logs:
            for name, length in _pieces(store.blobs.path(logs["times"]).read_text(errors="replace")):
                if name in files and (data := files[name].read(length)):
                    yield ChildOutput(stream=name, data=data)
        # Without times, or where they end too early, what is left comes stream by stream.
        for name, file in files.items():
            while data := file.read(_PIECE):
                yield ChildOutput(stream=name, data=data)


def _pieces(times: str) -> Iterator[tuple[str, int]]:
    """Stream and length of each piece that came."""
    for line in times.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[2].isdigit():
            yield fields[1], int(fields[2])


def _live(store: RunStore, run: Run, streams: tuple[str, ...], *, follow: bool) -> Iterator[ChildOutput]:
    """What has been written so far and, with `follow`, what comes until the run is closed."""
    logs = store.workspace(run.run_id) / "logs"
    offsets = dict.fromkeys(streams, 0)
    while True:
        # Asked before the files are read, so that nothing that was written before the end is missed.
        current = store.find(run.run_id)
        over = current.status is not Status.RUNNING
        sealed = {log.name: log.digest for log in (current.outcome.logs if current.outcome else ())}
        for name in streams:
            place = store.blobs.path(sealed[name]) if name in sealed else logs / name
            for data in _from(place, offsets[name]):
                offsets[name] += len(data)
                yield ChildOutput(stream=name, data=data)
        if over or not follow:
            return
        time.sleep(POLL_S)


def _from(path: Path, offset: int) -> Iterator[bytes]:
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        file.seek(offset)
        while data := file.read(_PIECE):
            yield data
