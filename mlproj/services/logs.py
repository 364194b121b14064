"""What a run printed, from its record or, while it goes on, as it comes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from mlproj.errors import StoreError
from mlproj.logs import KeptStream, mark, stretches
from mlproj.model.events import ChildOutput
from mlproj.model.run import STREAMS, LogFile, Run, Status
from mlproj.store_ports import RunStore

POLL_S = 0.15
FAR_POLL_S = 2.0
"""A server is not to be asked that often."""


def read_log(
    store: RunStore, run: Run, stream: str | None = None, *, follow: bool = False
) -> Iterator[ChildOutput]:
    """What the run wrote to `stream`, or to both in the order in which it came.

    Where something was not kept a line says so. With `follow`, goes on until the run has ended. Raises
    StoreError where a log is not there any more, or not yet: that of a run of another machine comes at its
    end.
    """
    if run.outcome is not None:
        yield from _recorded(store, run, stream)
        return
    if _is_elsewhere(store, run) and not follow:
        host = "another machine" if run.job is None else f"`{run.job.host.name}`"
        raise StoreError(
            f"the run `{run.name}` goes on at {host}, where what it prints is until it has ended",
            hint="`mlproj logs -f` waits for that",
        )
    yield from _live(store, run, STREAMS if stream is None else (stream,), follow=follow)


def cut_logs(run: Run) -> tuple[LogFile, ...]:
    """The streams of which not everything was kept."""
    return tuple(log for log in (run.outcome.logs if run.outcome else ()) if log.cut)


def _recorded(store: RunStore, run: Run, stream: str | None) -> Iterator[ChildOutput]:
    logs = {log.name: log for log in (run.outcome.logs if run.outcome else ())}
    with contextlib.ExitStack() as stack:
        streams = {
            name: stack.enter_context(_opened(store, logs[name]))
            for name in STREAMS
            if name in logs and stream in (None, name)
        }
        if stream is None and "times" in logs:
            for name, length in _pieces(store.blobs.path(logs["times"].digest)):
                if name in streams:
                    yield from (ChildOutput(stream=name, data=data) for data in streams[name].read(length))
        # Without times, or where they end too early, what is left comes stream by stream.
        for name, kept in streams.items():
            yield from (ChildOutput(stream=name, data=data) for data in kept.rest())


@contextlib.contextmanager
def _opened(store: RunStore, log: LogFile, offset: int = 0) -> Iterator[KeptStream]:
    with store.blobs.path(log.digest).open("rb", buffering=0) as file:
        yield KeptStream(file, cut=log.cut, cut_at=log.cut_at, offset=offset)


def _pieces(times: Path) -> Iterator[tuple[str, int]]:
    """Stream and length of each piece that came."""
    with times.open(errors="replace") as lines:
        for line in lines:
            fields = line.split()
            if len(fields) == 3 and fields[2].isdecimal():
                yield fields[1], int(fields[2])


def _is_elsewhere(store: RunStore, run: Run) -> bool:
    """Whether the run is that of a store at a server, and not begun on this machine."""
    return "://" in store.address and not (store.workspace(run.run_id) / "logs").is_dir()


def _live(store: RunStore, run: Run, streams: tuple[str, ...], *, follow: bool) -> Iterator[ChildOutput]:
    """What has been written so far and, with `follow`, what comes until the run is closed."""
    logs = store.workspace(run.run_id) / "logs"
    followed = [_Followed(name) for name in streams]
    while True:
        # Asked before the files are read, so that nothing that was written before the end is missed.
        current = store.find(run.run_id)
        over = current.status is not Status.RUNNING
        sealed = {log.name: log for log in (current.outcome.logs if current.outcome else ())}
        for one in followed:
            if one.name in sealed:
                with _opened(store, sealed[one.name], one.offset) as kept:
                    yield from (ChildOutput(stream=one.name, data=data) for data in kept.rest())
            else:
                yield from (ChildOutput(stream=one.name, data=data) for data in one.news(logs))
        if over or not follow:
            return
        time.sleep(FAR_POLL_S if _is_elsewhere(store, run) else POLL_S)


class _Followed:
    """A stream that is still written, and how far it was read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.offset = 0
        self._open_line = False

    def news(self, logs: Path) -> Iterator[bytes]:
        """What came since; in the place of what was removed before we read it, the line that says so."""
        for at, data in stretches(logs / self.name, self.offset):
            if at > self.offset:
                yield mark(at - self.offset, open_line=self._open_line)
            yield data
            self.offset = at + len(data)
            self._open_line = not data.endswith(b"\n")
