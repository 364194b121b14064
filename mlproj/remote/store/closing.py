"""Runs whose runner ended here without the server's knowing are closed at the next look, as was noted."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec.structs import replace

from mlproj.errors import MlprojError, RunNotFound
from mlproj.logs import gather
from mlproj.model.digest import Digest, read_manifest
from mlproj.model.record import BlobReference, blobs_of
from mlproj.model.run import LOGS, LogFile, Outcome, Run, Status, Usage
from mlproj.remote.store import notes
from mlproj.remote.store.blobs import FarBlobs
from mlproj.remote.store.line import Line
from mlproj.store_ports import BlobStore
from mlproj.store_wire import FIND, SEAL, Reference, Seal

REASON = "the runner ended without closing the run"
LATER = "the run was closed later, by what its runner noted of how it ended"


class Closer:
    """Closes runs at the server whose notes lie in the folder `root`."""

    def __init__(self, root: Path, line: Line, blobs: FarBlobs, clock: Callable[[], str]) -> None:
        self._root = root
        self._line = line
        self._blobs = blobs
        self._clock = clock

    def close_left(self) -> tuple[Run, ...]:
        """Closes what can be; the rest, where the server is away or refuses, is left to the next look."""
        closed = []
        with contextlib.suppress(MlprojError):
            for seal in notes.left(self._root):
                run = self._close(seal)
                if run is not None:
                    closed.append(run)
        return tuple(closed)

    def _close(self, seal: Seal) -> Run | None:
        run_id = seal.run.run_id
        try:
            there: Run = self._line.ask(FIND, Reference(reference=run_id))
            sealed = None if there.record is not None else self._sealed(seal)
        except RunNotFound:
            sealed = None
        notes.forget(self._root, run_id)
        notes.lock_of(self._root, run_id).unlink(missing_ok=True)
        clear_workspace(self._root / "runs" / run_id)
        return sealed

    def _sealed(self, seal: Seal) -> Run:
        run = seal.run
        outcome = self._killed(run) if run.outcome is None else _with_note(run.outcome)
        ended = replace(run, outcome=outcome, status=outcome.status)
        here = tuple(named_here(self._blobs.here, blobs_of(ended)))
        self._blobs.send(here)
        lost = self._lost(ended, frozenset(here))
        ended = replace(ended, outcome=replace(outcome, lost=tuple(sorted({*outcome.lost, *lost}))))
        found: Run = self._line.ask(SEAL, replace(seal, run=ended))
        return found

    def _killed(self, run: Run) -> Outcome:
        logs = self._root / "runs" / run.run_id / "logs"
        return Outcome(
            status=Status.KILLED,
            exit_code=None,
            reason=REASON,
            started=run.created,
            # The clock may have been set back since.
            ended=max(self._clock(), run.created),
            usage=Usage(wall_s=0.0, cpu_s=0.0, peak_rss_bytes=0),
            logs=tuple(self._kept(logs / name) for name in LOGS if (logs / name).is_file()),
        )

    def _kept(self, path: Path) -> LogFile:
        kept = gather(path)
        digest, size = self._blobs.adopt_file(kept.path)
        return LogFile(name=path.name, digest=digest, size=size, cut=kept.cut, cut_at=kept.cut_at)

    def _lost(self, run: Run, sent: frozenset[Digest]) -> tuple[Digest, ...]:
        """What the run names and neither we nor the server have."""
        references = tuple(blobs_of(run))
        named = {reference.digest for reference in references} - sent
        for reference in references:
            if reference.manifest and reference.digest in sent:
                listed = read_manifest(self._blobs.here.path(reference.digest).read_bytes())
                named.update({digest for _, _, digest in listed} - sent)
        if run.job is not None:
            named -= {file.digest for file in run.job.source.omitted if file.digest is not None}
        return self._blobs.missing(named)


def named_here(blobs: BlobStore, references: tuple[BlobReference, ...]) -> Iterator[Digest]:
    """What a record names, and the lists of files that it names list, as far as it lies here."""
    for reference in references:
        if reference.digest not in blobs:
            continue
        yield reference.digest
        if reference.manifest:
            with contextlib.suppress(ValueError):
                for _, _, digest in read_manifest(blobs.path(reference.digest).read_bytes()):
                    if digest in blobs:
                        yield digest


def clear_workspace(folder: Path) -> None:
    """Removes from the folder of a run that is sealed what its record holds."""
    shutil.rmtree(folder, ignore_errors=True)


def _with_note(outcome: Outcome) -> Outcome:
    return replace(outcome, notes=(*outcome.notes, LATER))
