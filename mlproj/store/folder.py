"""A store in a folder: `store.db`, the blobs, and for each run a lock and a workspace."""

from __future__ import annotations

import contextlib
import importlib
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from mlproj.errors import Altered, NoRoom, NotTaken, RunNotFound, StoreError
from mlproj.far_ports import Reception
from mlproj.files import locked
from mlproj.housekeeping_ports import Housekeeper
from mlproj.lineage_ports import Contents
from mlproj.model.additions import refuse_odd
from mlproj.model.bundle import ATTACHED
from mlproj.model.digest import Digest
from mlproj.model.entries import UNDER, AmendmentDocument
from mlproj.model.events import Report, silent
from mlproj.model.index import index_of
from mlproj.model.logged import read_points
from mlproj.model.record import EntryKind, blobs_added, encode, seal_document
from mlproj.model.run import Run
from mlproj.model.source import SourceState
from mlproj.store import reading, writing
from mlproj.store.closing import clear_workspace, close_dead_runs, lock_of, note_ending
from mlproj.store.database import shrink_journal, transaction
from mlproj.store.failures import explained
from mlproj.store.finding import FolderReader
from mlproj.store.keeping import keep_all, keep_outputs
from mlproj.store.leases import FolderLease, held_lease, holds_all
from mlproj.store.place import Place
from mlproj.store.references import ids, refuse_forgotten
from mlproj.store.room import release, reserve
from mlproj.store.sealing import seal_begun, seal_owned, seal_run, stands_open
from mlproj.store.servers.faults import Fault
from mlproj.store.taking import recordable, refuse_missing, refuse_odd_lists
from mlproj.store.unshown import note_unshown
from mlproj.store_ports import Lease, Relay

_LOGGED_ALONE = ("dataset", "model")
"""Kinds of amendments that take more than the record tells, such as the text of a dataset's schema."""
_BROUGHT_ALONE = (UNDER,)
"""Kinds of amendments that come with a run, or never."""

_FEW = 5
"""So many runs of one snapshot are looked at for one that held all of it."""


class FolderStore(FolderReader):
    """A `RunStore` in a folder. May be used from several threads. Get one from `open_store`."""

    @property
    def reception(self) -> Reception:
        # Only a server has a use for it.
        receive = importlib.import_module("mlproj.store.reception").FolderReception
        reception: Reception = receive(
            self, self._place, self._has_source, looking=self._looking, changing=self._changing
        )
        return reception

    @property
    def housekeeper(self) -> Housekeeper:
        self._look_for_dead()
        # A run has no use for it, and need not wait for its import.
        keep = importlib.import_module("mlproj.store.housekeeping").FolderHousekeeper
        housekeeper: Housekeeper = keep(
            self._connection,
            self._root,
            self._blobs,
            self._clock,
            looking=self._looking,
            changing=self._changing,
        )
        return housekeeper

    @property
    def contents(self) -> Contents:
        self._look_for_dead()
        ask = importlib.import_module("mlproj.store.contents").FolderContents
        contents: Contents = ask(
            self._connection, self._root, self._machine, looking=self._looking, changing=self._changing
        )
        return contents

    def script_uri(self, run_id: str) -> str | None:
        return None

    def relay(self, run_id: str) -> Relay | None:
        return None

    def workspace(self, run_id: str) -> Path:
        folder = self._root / "runs" / run_id
        if self._writable:
            with explained(self._root):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    @contextlib.contextmanager
    def begin(self, run: Run) -> Iterator[None]:
        lock = lock_of(self._root, run.run_id)
        with contextlib.ExitStack() as stack:
            with self._changing():
                close_dead_runs(self._place(), self._machine, self._clock)
                # The lock comes before the row, so that a run with a row never looks dead while it lives.
                stack.enter_context(locked(lock))
                with recordable(run), transaction(self._connection):
                    writing.open_run(self._connection, run, self._machine)
                    reserve(self.workspace(run.run_id))
            yield
            with contextlib.suppress(RunNotFound, OSError, sqlite3.Error, Fault), self._turn:
                if not writing.still_open(self._connection, run.run_id):
                    lock.unlink(missing_ok=True)
                    clear_workspace(self._root / "runs" / run.run_id)

    def seal(self, run: Run, report: Report = silent) -> Run:
        with recordable(run):
            seal_document(run)
        refuse_missing(self._blobs, run)
        place = self._place(report)
        note_ending(place, run)
        try:
            return self._seal(place, run)
        except NoRoom as error:
            raise NoRoom(
                error.message,
                hint="free some space on that disk: the next look at the store closes the run as it ended",
            ) from error

    def _seal(self, place: Place, run: Run) -> Run:
        with self._looking():
            shrink_journal(self._connection, self._root)
            kept = keep_all(place, run.run_id)
            release(place.workspace(run.run_id))
            shrink_journal(self._connection, self._root)
        with self._changing(), recordable(run):
            seal_owned(place, run, self._clock, kept)
        with self._changing(), recordable(run), transaction(self._connection):
            return seal_run(place, run, self._clock(), kept)

    def bring(
        self, run: Run, payload: bytes, amendments: Sequence[bytes], unshown: Collection[Digest] = ()
    ) -> Run:
        """As `RunStore.bring`; of what is `unshown` the run tells no more than that it names it."""
        refuse_missing(self._blobs, run)
        # Only an import needs it.
        bringing = importlib.import_module("mlproj.store.bringing")
        with self._changing(), recordable(run), transaction(self._connection):
            there = bringing.placed(run, amendments)
            writing.open_run(self._connection, there, self._machine)
            bringing.bring_run(self._place(), there, payload, amendments, self._clock())
            note_unshown(self._connection, run.run_id, unshown)
            return reading.read_run(self._connection, run.run_id, self._machine)

    def hide(self, *run_ids: str, hidden: bool = True) -> None:
        since = self._clock() if hidden else None
        with self._changing(), transaction(self._connection):
            for run_id in run_ids:
                begun = writing.still_open(self._connection, run_id)
                if begun and stands_open(self._connection, run_id):
                    # Its client may never come back, and need not be waited for.
                    left = keep_outputs(self._place(), run_id)
                    seal_begun(self._place(), run_id, left, self._clock())
                elif begun and hidden:
                    raise StoreError(f"the run `{run_id}` is still running", hint="wait until it has ended")
                writing.hide_run(self._connection, run_id, since)

    def rename(self, run_id: str, name: str) -> None:
        with self._changing(), transaction(self._connection):
            sealed = not writing.still_open(self._connection, run_id)
            self._connection.execute("UPDATE runs SET name = ? WHERE run_id = ?", (name, run_id))
            if sealed:
                self._amend(run_id, "name", {"name": name})

    def amend(self, run_id: str, kind: str, content: Mapping[str, str]) -> None:
        with self._changing(), transaction(self._connection):
            if writing.still_open(self._connection, run_id):
                raise StoreError(f"the run `{run_id}` is not sealed yet, so there is nothing to amend")
            refuse_forgotten(self._connection, run_id)
            if kind in _LOGGED_ALONE:
                raise StoreError(f"a {kind} is added to the run `{run_id}` by logging it")
            if kind in _BROUGHT_ALONE:
                raise StoreError(f"the run `{run_id}` stays under its experiment: it is here already")
            try:
                refuse_odd(kind, content)
                self._amend(run_id, kind, content)
                run = reading.read_run(self._connection, run_id, self._machine)
                amended = index_of(run)
                added = tuple(blobs_added(run.amendments))  # what they name has to have a name
                if kind == ATTACHED:
                    refuse_odd_lists(self._blobs, added)
            except (KeyError, ValueError, OverflowError) as error:
                raise NotTaken(f"the run `{run_id}` cannot be amended with that {kind}: {error}") from error
            writing.rewrite(self._connection, run_id, amended)
            if kind == "metrics":
                points = read_points(content["points"].split("\n"))
                writing.add_points(self._connection, run_id, points)

    @contextlib.contextmanager
    def lease(self) -> Iterator[Lease]:
        with contextlib.ExitStack() as stack:
            with self._changing():
                file = stack.enter_context(held_lease(self._root / "locks"))
            yield FolderLease(file, self._blobs, self._has_source)

    def _has_source(self, source: SourceState) -> bool:
        """Whether a run that is not forgotten names that snapshot, and held all that `source` holds."""
        with self._looking():
            newest_first = "snapshot = ? AND NOT forgotten ORDER BY number DESC LIMIT ?"
            for run_id in ids(self._connection, newest_first, source.snapshot, _FEW):
                with contextlib.suppress(Altered):
                    if holds_all(reading.read_run(self._connection, run_id, self._machine), source):
                        return True
        return False

    def _amend(self, run_id: str, kind: str, content: Mapping[str, str]) -> None:
        document = AmendmentDocument(run_id=run_id, kind=kind, content=dict(content))
        writing.append(
            self._connection,
            kind=EntryKind.AMENDMENT,
            run_id=run_id,
            time=self._clock(),
            payload=encode(document),
        )
