"""Takes in runs whose runner is on another machine, into a store in a folder of this one."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from msgspec.structs import replace

from mlproj.errors import StoreError
from mlproj.model.digest import Digest
from mlproj.model.events import Report, silent
from mlproj.model.run import Output, Run
from mlproj.model.source import SourceState
from mlproj.store import far_leases, far_runs, writing
from mlproj.store.closing import clear_workspace
from mlproj.store.connection import Connection
from mlproj.store.contained import KeptBlobs
from mlproj.store.database import transaction
from mlproj.store.keeping import ARTIFACTS, keep_artifacts
from mlproj.store.place import Place
from mlproj.store.reading import read_experiment_of

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

    def open(self, run: Run) -> str:
        host = "" if run.job is None else run.job.host.name
        try:
            with self._changing(), transaction(self._connection):
                writing.open_run(self._connection, run, far_runs.machine_of(host))
                far_runs.hear(self._connection, run.run_id, self._store.clock())
                return read_experiment_of(self._connection, run.run_id)
        except (ValueError, OverflowError) as error:
            raise StoreError(f"run `{run.run_id}` cannot be recorded: {error}") from error

    def hear(self, run_id: str) -> None:
        with self._changing(), transaction(self._connection):
            if writing.still_open(self._connection, run_id):
                far_runs.hear(self._connection, run_id, self._store.clock())

    def seal(self, run: Run, report: Report = silent) -> Run:
        with self._changing():
            if not writing.still_open(self._connection, run.run_id):
                raise StoreError(f"the run `{run.run_id}` is sealed already")
            complete = self._with_artifacts(run, report)
        sealed = self._store.seal(complete, report)
        with self._changing(), transaction(self._connection):
            far_runs.unwatch(self._connection, run.run_id)
        clear_workspace(self._store.workspace(run.run_id))
        return sealed

    def _with_artifacts(self, run: Run, report: Report) -> Run:
        """The run with what its script logged here; of what has one name, its runner's is the later one."""
        assert run.outcome is not None, "a run that is sealed has ended"
        brought = {output.path: output for output in run.outcome.outputs}
        left = keep_artifacts(self._place(report), run.run_id)
        logged = tuple(output for output in left.outputs if output.path not in brought)
        self._lay_out(run.run_id, brought.values())
        return replace(run, outcome=replace(run.outcome, outputs=(*run.outcome.outputs, *logged)))

    def _lay_out(self, run_id: str, outputs: Collection[Output]) -> None:
        """Has clients of tracking find what the runner brought among the run's artifacts."""
        folder = self._store.workspace(run_id)
        for output in outputs:
            path = PurePosixPath(output.path)
            is_artifact = path.parts[:1] == (ARTIFACTS,) and ".." not in path.parts
            if not is_artifact or output.digest is None or output.digest not in self._blobs:
                continue
            place = folder / path
            with contextlib.suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
                place.parent.mkdir(parents=True, exist_ok=True)
                place.unlink(missing_ok=True)
                shutil.copyfile(self._blobs.path(output.digest), place)

    def is_open(self, run_id: str) -> bool:
        with self._looking():
            return writing.still_open(self._connection, run_id)

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
