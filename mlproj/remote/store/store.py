"""The store at a server, behind the port `RunStore`."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlproj import store_wire as wire
from mlproj.errors import MlprojError, RunNotFound, StoreError
from mlproj.far_ports import Reception
from mlproj.files import locked
from mlproj.housekeeping_ports import Housekeeper
from mlproj.lineage_ports import Contents
from mlproj.model.digest import Digest
from mlproj.model.events import Note, Report, silent
from mlproj.model.record import Entry, EntryKind, blobs_of, seal_document
from mlproj.model.registry import RunModels, Standing
from mlproj.model.run import Run
from mlproj.model.source import SourceState
from mlproj.remote.connection import Away
from mlproj.remote.store import notes
from mlproj.remote.store.blobs import FarBlobs
from mlproj.remote.store.closing import Closer, clear_workspace, named_here
from mlproj.remote.store.contents import FarContents
from mlproj.remote.store.housekeeping import FarHousekeeper
from mlproj.remote.store.indexes import as_index
from mlproj.remote.store.line import Line
from mlproj.remote.store.pulse import pulse
from mlproj.remote.store.relay import Relay
from mlproj.store_ports import BlobStore, Lease, Listed, RunQuery


@dataclass(slots=True)
class _Underway:
    """A run that was begun here and goes on."""

    experiment_id: str
    token: str | None
    folders: list[bytes] = field(default_factory=list)
    sealed: bool = False


class FarStore:
    """The store at `address`, the address of a server. What is in hand lies in the folder `root`, whose blobs
    are `here`. May be used from several threads. Get one from `open_far_store`."""

    def __init__(
        self, address: str, root: Path, here: BlobStore, line: Line, clock: Callable[[], str]
    ) -> None:
        self._address = address
        self._root = root
        self._line = line
        self._blobs = FarBlobs(line, here, root / "incoming")
        self._closer = Closer(root, line, self._blobs, clock)
        self._underway: dict[str, _Underway] = {}
        self._lease: str | None = None

    @property
    def root(self) -> Path:
        return self._root

    @property
    def address(self) -> str:
        return self._address

    @property
    def blobs(self) -> FarBlobs:
        return self._blobs

    @property
    def housekeeper(self) -> Housekeeper:
        return FarHousekeeper(self._line, self._blobs)

    @property
    def contents(self) -> Contents:
        return FarContents(self._line, self._tell_later, self._blobs.note_run)

    @property
    def reception(self) -> Reception:
        raise StoreError("a store at a server is that server's, which alone takes in runs of others")

    def close(self) -> None:
        """Nothing is held open between two questions."""

    def close_left(self) -> tuple[Run, ...]:
        """Closes the runs of this machine that ended without the server's knowing."""
        return self._closer.close_left()

    def script_uri(self, run_id: str) -> str | None:
        run = self._underway.get(run_id)
        token = None if run is None else run.token
        return None if token is None else f"{self._line.base}/t/{token}"

    def relay(self, run_id: str) -> Relay | None:
        run = self._underway.get(run_id)
        return None if run is None or run.token is None else self._line.relay(f"/t/{run.token}")

    def workspace(self, run_id: str) -> Path:
        folder = self._root / "runs" / run_id
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"`{folder}` cannot be made: {error.strerror}") from error
        return folder

    @contextlib.contextmanager
    def begin(self, run: Run) -> Iterator[None]:
        lock = notes.lock_of(self._root, run.run_id)
        with locked(lock):
            begun = self._begun(run)
            self._underway[run.run_id] = begun
            alive = wire.Alive(run_id=run.run_id, lease=self._lease)
            try:
                with pulse(lambda: self._line.ask(wire.ALIVE, alive)):
                    yield
            finally:
                del self._underway[run.run_id]
            if begun.sealed:
                lock.unlink(missing_ok=True)
                clear_workspace(self._root / "runs" / run.run_id)

    def _begun(self, run: Run) -> _Underway:
        notes.note(self._root, wire.Seal(run=run, lease=self._lease))
        try:
            self._send_named(run, silent)
            told: wire.Begun = self._line.ask(wire.BEGIN, wire.Begin(run=run))
        except Away:
            raise  # the server may have heard it: what is noted tells then that nothing came of it
        except MlprojError:
            notes.forget(self._root, run.run_id)
            notes.lock_of(self._root, run.run_id).unlink(missing_ok=True)
            clear_workspace(self._root / "runs" / run.run_id)
            raise
        return _Underway(experiment_id=told.experiment_id, token=told.token)

    def seal(self, run: Run, report: Report = silent) -> Run:
        try:
            seal_document(run)
        except (ValueError, OverflowError) as error:
            raise StoreError(f"run `{run.run_id}` cannot be recorded: {error}") from error
        begun = self._underway.get(run.run_id)
        folders = () if begun is None else tuple(begun.folders)
        asked = wire.Seal(run=run, folders=folders, lease=self._lease)
        if begun is not None:
            notes.note(self._root, asked)
        try:
            self._send_named(run, report)
            sealed: Run = self._line.ask(wire.SEAL, asked)
        except Away as error:
            if begun is None:
                raise
            report(Note(message=f"{error.message}; the next command on this machine seals the run there"))
            return run
        self._blobs.note_run(run.run_id)
        notes.forget(self._root, run.run_id)
        if begun is not None:
            begun.sealed = True
        return sealed

    def _send_named(self, run: Run, report: Report) -> None:
        """Has the server hold what the run names, as far as it lies here."""
        self._blobs.send(tuple(dict.fromkeys(named_here(self._blobs.here, blobs_of(run)))), report)

    def find(self, reference: str, within: frozenset[str] | None = None) -> Run:
        found: Run = self._line.ask(wire.FIND, wire.Reference(reference=reference))
        if within is not None and self.experiment_of(found.run_id) not in within:
            raise RunNotFound(f"there is no run `{reference}` in those experiments")
        self._blobs.note_run(found.run_id)
        return found

    def search(self, query: RunQuery) -> tuple[Run, ...]:
        found: tuple[Run, ...] = self._line.ask(wire.SEARCH, wire.Search(query=query))
        return found

    def children(self, run_id: str) -> tuple[Run, ...]:
        found: tuple[Run, ...] = self._line.ask(wire.CHILDREN, wire.OfRun(run_id=run_id))
        for run in found:
            self._blobs.note_run(run.run_id)
        return found

    def models(self, run_id: str) -> RunModels:
        found: RunModels = self._line.ask(wire.MODELS, wire.OfRun(run_id=run_id))
        return found

    def listing(self) -> tuple[Listed, ...]:
        found: tuple[Listed, ...] = self._line.ask(wire.LISTING, wire.Asked())
        return found

    def faults(self) -> tuple[str, ...]:
        found: tuple[str, ...] = self._line.ask(wire.FAULTS, wire.Asked())
        return found

    def registry(self) -> tuple[Standing, ...]:
        found: tuple[Standing, ...] = self._line.ask(wire.REGISTRY, wire.Asked())
        return found

    def experiment_of(self, run_id: str) -> str:
        begun = self._underway.get(run_id)
        if begun is not None:
            return begun.experiment_id
        found: str = self._line.ask(wire.EXPERIMENT_OF, wire.OfRun(run_id=run_id))
        return found

    def experiment(self, identifier: str) -> str:
        found: str = self._line.ask(wire.EXPERIMENT, wire.Numbered(identifier=identifier))
        return found

    def hide(self, *run_ids: str, hidden: bool = True) -> None:
        self._line.ask(wire.HIDE, wire.Hide(run_ids=run_ids, hidden=hidden))

    def rename(self, run_id: str, name: str) -> None:
        self._line.ask(wire.RENAME, wire.Rename(run_id=run_id, name=name))

    def amend(self, run_id: str, kind: str, content: Mapping[str, str]) -> None:
        self._blobs.send(self._blobs.waiting)
        self._line.ask(wire.AMEND, wire.Amend(run_id=run_id, kind=kind, content=dict(content)))

    @contextlib.contextmanager
    def lease(self) -> Iterator[Lease]:
        self._lease = secrets.token_hex(16)
        try:
            yield _FarLease(self._line, self._lease)
        finally:
            # It ends with the seal, or by itself: a word less to wait for.
            self._lease = None

    def bring(self, run: Run, payload: bytes, amendments: Sequence[bytes]) -> Run:
        self._blobs.send(self._blobs.waiting)
        asked = wire.Bring(run=run, payload=payload, amendments=tuple(amendments))
        found: Run = self._line.ask(wire.BRING, asked)
        self._blobs.note_run(run.run_id)
        return found

    def entries(
        self, *kinds: EntryKind, after: int | None = None, run_id: str | None = None
    ) -> Iterator[Entry]:
        while True:
            asked = wire.Chain(kinds=kinds, after=after, run_id=run_id)
            batch: tuple[Entry, ...] = self._line.ask(wire.ENTRIES, asked)
            if not batch:
                return
            yield from batch
            after = batch[-1].sequence

    def head(self) -> tuple[int, Digest]:
        found: tuple[int, Digest] = self._line.ask(wire.HEAD, wire.Asked())
        return found

    def index(self, run_id: str) -> Mapping[str, object]:
        found = self.indexes((run_id,))
        if run_id not in found:
            raise RunNotFound(f"there is no run `{run_id}`")
        return found[run_id]

    def indexes(self, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, object]]:
        found: dict[str, dict[str, Any]] = self._line.ask(wire.INDEXES, wire.OfRuns(run_ids=tuple(run_ids)))
        return {run_id: as_index(index) for run_id, index in found.items()}

    def _tell_later(self, manifest: bytes) -> bool:
        """Keeps a folder for the seal of a run that goes on here, if there is one."""
        for begun in self._underway.values():
            begun.folders.append(manifest)
            return True
        return False


class _FarLease:
    def __init__(self, line: Line, token: str) -> None:
        self._line = line
        self._token = token

    def has_source(self, source: SourceState) -> bool:
        has: bool = self._line.ask(wire.HAS_SOURCE, wire.Source(lease=self._token, source=source))
        return has
