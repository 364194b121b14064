"""Takes in runs whose runner is on another machine, into a store in a folder of this one."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from msgspec.structs import replace

from mlproj.errors import StoreError, UsageError
from mlproj.model.digest import Digest
from mlproj.model.events import Report, silent
from mlproj.model.moment import milliseconds
from mlproj.model.run import Run
from mlproj.model.source import SourceState
from mlproj.packing import join
from mlproj.store import far_leases, far_runs, unshown, writing
from mlproj.store.artifact_rows import StoredFile, drop_files, put_files
from mlproj.store.closing import clear_workspace
from mlproj.store.connection import Connection
from mlproj.store.contained import KeptBlobs
from mlproj.store.database import transaction
from mlproj.store.destination import destination_of
from mlproj.store.keeping import ARTIFACTS, keep_artifacts
from mlproj.store.place import Place
from mlproj.store.reading import read_experiment_of
from mlproj.store.settled import why_settled
from mlproj.store.taking import recordable, refuse_odd_files
from mlproj.store.uploads import UPLOADS, FolderUploads

if TYPE_CHECKING:
    from mlproj.store.folder import FolderStore

Turn = Callable[[], AbstractContextManager[None]]


class FolderReception:
    """The `Reception` of a store in a folder. Get one from the store."""

    def __init__(
        self,
        store: FolderStore,
        place: Callable[[Report], Place],
        has_source: Callable[[SourceState], bool],
        *,
        looking: Turn,
        changing: Turn,
    ) -> None:
        self._store = store
        self._place = place
        self._has_source = has_source
        self._looking = looking
        self._changing = changing

    @property
    def _connection(self) -> Connection:
        return self._store.connection

    @property
    def _locks(self) -> Path:
        return self._store.root / "locks"

    @property
    def _blobs(self) -> KeptBlobs:
        return self._store.blobs

    def open(self, run: Run, named: Collection[Digest] = ()) -> str:
        host = "" if run.job is None else run.job.host.name
        with recordable(run), self._changing(), transaction(self._connection):
            writing.open_run(self._connection, run, far_runs.machine_of(host))
            far_runs.hear(self._connection, run.run_id, self._store.clock())
            unshown.note_unshown(self._connection, run.run_id, named)
            return read_experiment_of(self._connection, run.run_id)

    def hear(self, run_id: str) -> None:
        with self._changing(), transaction(self._connection):
            if writing.still_open(self._connection, run_id):
                far_runs.hear(self._connection, run_id, self._store.clock())

    def seal(self, run: Run, report: Report = silent) -> Run:
        with recordable(run):
            refuse_odd_files(self._blobs, run)
        with self._changing():
            if not writing.still_open(self._connection, run.run_id):
                raise StoreError(f"the run `{run.run_id}` is sealed already")
            complete = self._with_artifacts(run, report)
        sealed = self._store.seal(complete, report)
        with self._changing(), transaction(self._connection):
            far_runs.unwatch(self._connection, run.run_id)
            if self._has_rows:
                written = milliseconds(self._store.clock()) or 0
                put_files(self._connection, self._brought(run), written)
        clear_workspace(self._store.workspace(run.run_id))
        return sealed

    def _with_artifacts(self, run: Run, report: Report) -> Run:
        """The run with what its script logged here; of what has one name, its runner's is the later one."""
        assert run.outcome is not None, "a run that is sealed has ended"
        brought = {output.path: output for output in run.outcome.outputs}
        left = keep_artifacts(self._place(report), run.run_id)
        logged = tuple(output for output in left.outputs if output.path not in brought)
        if self._has_rows:
            with transaction(self._connection):
                drop_files(self._connection, [file.path for file in self._brought(run)])
        else:
            self._lay_out(run)
        return replace(run, outcome=replace(run.outcome, outputs=(*run.outcome.outputs, *logged)))

    @property
    def _has_rows(self) -> bool:
        """Whether artifacts are rows here, and no files in the store's folder."""
        return destination_of(self._connection) is not None

    def _lay_out(self, run: Run) -> None:
        """Has clients of tracking find what the runner brought among the run's artifacts."""
        for file in self._brought(run):
            place = self._store.root / file.path
            with contextlib.suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
                place.parent.mkdir(parents=True, exist_ok=True)
                place.unlink(missing_ok=True)
                shutil.copyfile(self._blobs.path(file.digest), place)

    def _brought(self, run: Run) -> tuple[StoredFile, ...]:
        """What the runner says is among the run's artifacts, by its path in the store."""
        assert run.outcome is not None, "a run that is sealed has ended"
        return tuple(
            StoredFile(path=f"runs/{run.run_id}/{output.path}", digest=output.digest, size=output.size)
            for output in run.outcome.outputs
            # What the run does not hold may be here by another's.
            if output.state == "written"
            and output.digest not in run.outcome.lost
            and output.kind == "file"
            and PurePosixPath(output.path).parts[:1] == (ARTIFACTS,)
            and ".." not in PurePosixPath(output.path).parts
            and output.digest is not None
            and output.digest in self._blobs
        )

    def bring(self, run: Run, payload: bytes, amendments: Sequence[bytes], named: Collection[Digest]) -> Run:
        return self._store.bring(run, payload, amendments, named)

    def note_unshown(self, run_id: str, digests: Collection[Digest], shown: Collection[Digest] = ()) -> None:
        with self._changing(), transaction(self._connection):
            unshown.note_unshown(self._connection, run_id, digests)
            unshown.note_shown(self._connection, run_id, shown)

    def not_showing(self, digest: Digest) -> frozenset[str]:
        with self._looking():
            return unshown.runs_not_showing(self._connection, digest)

    def is_open(self, run_id: str) -> bool:
        with self._looking():
            return writing.still_open(self._connection, run_id)

    def why_settled(self, path: str) -> str | None:
        with self._looking():
            return why_settled(self._connection, path)

    def experiment_named(self, name: str) -> str | None:
        with self._looking():
            return far_runs.experiment_named(self._connection, name)

    def owns(self, run_id: str, other: str) -> bool:
        with self._looking():
            return far_runs.begun_by(self._connection, run_id, other)

    def keep(self, token: str, source: SourceState | None = None) -> bool:
        with self._changing(), self._blobs.adding():
            if source is None:
                far_leases.keep(self._locks, token)
                return False
            far_leases.keep(self._locks, token, source.snapshot)
            return source.snapshot in self._blobs and self._has_source(source)

    def let_go(self, token: str) -> None:
        with self._changing():
            far_leases.let_go(self._locks, token)

    def note_sent(self, user: str, digests: Collection[Digest]) -> None:
        with self._changing():
            far_leases.note_sent(self._locks, user, digests)

    def sent(self, user: str) -> frozenset[Digest]:
        with self._looking():
            return far_leases.sent(self._locks, user)

    @property
    def uploads(self) -> FolderUploads:
        return FolderUploads(_refuse_no_digest, self._join, self._store.root / UPLOADS)

    def _join(self, name: str, pieces: Iterator[bytes]) -> None:
        try:
            join(Digest.from_hex(name), pieces, self._blobs, self._store.root / UPLOADS)
        except ValueError as error:
            raise UsageError(f"what was sent cannot be kept: {error}") from error


def _refuse_no_digest(name: str) -> None:
    try:
        Digest.from_hex(name)
    except ValueError as error:
        raise UsageError(f"`{name[:100]}` is no digest") from error
