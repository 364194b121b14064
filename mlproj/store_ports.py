"""The seams of a store, beside those of a run in `ports`: contents by digest, and the runs that name them."""

from __future__ import annotations

from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import msgspec

from mlproj.far_ports import Reception
from mlproj.housekeeping_ports import Housekeeper
from mlproj.lineage_ports import Contents
from mlproj.model.digest import Digest
from mlproj.model.events import Report, silent
from mlproj.model.record import Entry, EntryKind
from mlproj.model.registry import RunModels, Standing
from mlproj.model.run import Run
from mlproj.model.source import SourceState
from mlproj.ports import Digester


class ReadableBlobs(Protocol):
    """All of `BlobStore` that is needed by whoever only looks at contents."""

    def __contains__(self, digest: Digest) -> bool: ...

    def path(self, digest: Digest) -> Path:
        """The file that holds the blob; raises StoreError where there is none."""
        ...


class BlobStore(Protocol):
    """Content by its SHA-256. A blob is there whole or not at all."""

    @property
    def folder(self) -> Path:
        """Where the blobs lie that are at hand, each at its `name`."""
        ...

    def name(self, digest: Digest) -> bytes: ...

    def digested(
        self, digester: Digester, names: Iterable[Sequence[bytes]]
    ) -> Iterator[tuple[bytes, Digest | str]]:
        """Of each of `names` the digest of the blob as it is now, or why it has none, in words: as `digester`
        does it, by which those are read that lie in a folder."""
        ...

    def __contains__(self, digest: Digest) -> bool: ...

    def path(self, digest: Digest) -> Path:
        """The file that holds the blob; raises StoreError where there is none."""
        ...

    def add_bytes(self, content: bytes) -> Digest: ...

    def add_file(self, path: Path) -> tuple[Digest, int]:
        """Copies a regular file in; its digest and size are those of the bytes that were copied."""
        ...

    def adopt_file(self, path: Path) -> tuple[Digest, int]:
        """As `add_file`, for a file that nobody writes to any more: it need not be copied."""
        ...

    def add_files(self, files: Iterable[tuple[Path, Digest]]) -> tuple[Path, ...]:
        """Copies many in at once, synced together; those whose content is no longer the one that was
        digested are left out and returned. A symbolic link counts by its target's text."""
        ...

    def digests(self) -> Iterator[Digest]: ...

    def missing(self, digests: Iterable[Digest]) -> tuple[Digest, ...]:
        """Those that are not there. The others count as wanted just now."""
        ...

    def sizes(self, digests: Collection[Digest]) -> Mapping[Digest, int]:
        """The size in bytes of each that is there."""
        ...

    def bring(self, digests: Collection[Digest], *, afresh: bool = False) -> None:
        """Has what is kept elsewhere at hand, where `path` and `folder` have it: many at once take less time
        than one by one. What nobody has stays away; with `afresh` a copy that is at hand is none."""
        ...


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison on a run: `field` is `metrics.<key>`, `params.<key>`, `tags.<key>` or an attribute
    (`status`, `name`, `entry_point`, `project`, `experiment`, `commit`); `operator` one of
    `= != < <= > >= ~` (the last: contains)."""

    field: str
    operator: str
    value: str


class RunQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs to list, newest first unless `sort` names a field (a leading `-` for descending).

    With `within`, only those in the experiments with these ids.
    """

    conditions: tuple[Condition, ...] = ()
    sort: str | None = None
    limit: int | None = 20
    deleted: bool = False
    within: frozenset[str] | None = None


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a store's list of runs. One that has ended has a record, unless it is `forgotten`.

    `created` and `hidden_at` are RFC 3339; the latter is None where the run is not hidden, or nobody knows
    since when. `tagged` says whether anybody gave it a tag, before its seal or after.
    """

    run_id: str
    name: str
    experiment: str
    created: str
    ended: bool
    hidden: bool
    hidden_at: str | None
    forgotten: bool
    tagged: bool


class Lease(Protocol):
    """Content in hand: what was added or asked for since it began is nobody's garbage."""

    def has_source(self, source: SourceState) -> bool:
        """Whether a recorded run brought all files that the snapshot of `source` holds. If so, they stay."""
        ...


class Relay(Protocol):
    """An ASGI application that hands on to the server of a store what it is asked."""

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None: ...


class RunStore(Protocol):
    """Where runs are recorded. Content once sealed is never rewritten."""

    @property
    def root(self) -> Path:
        """The folder where it is, or what it keeps on this machine."""
        ...

    @property
    def address(self) -> str:
        """What `--store` takes for it."""
        ...

    @property
    def blobs(self) -> BlobStore: ...

    @property
    def reception(self) -> Reception:
        """For runs of other machines. Raises StoreError where it takes none."""
        ...

    @property
    def housekeeper(self) -> Housekeeper: ...

    @property
    def contents(self) -> Contents: ...

    def close(self) -> None:
        """Lets go of what it holds open. May be called twice; nothing else may be, after it."""
        ...

    def script_uri(self, run_id: str) -> str | None:
        """Where the script of a run that goes on logs to, with a secret at its end; None where that is an
        endpoint of this process."""
        ...

    def relay(self, run_id: str) -> Relay | None:
        """What answers in place of `script_uri` where the script cannot call that; None where it is None."""
        ...

    def workspace(self, run_id: str) -> Path:
        """The run's own folder in the store, made if need be: its logs while it runs, its output folder."""
        ...

    def begin(self, run: Run) -> AbstractContextManager[None]:
        """Writes the opening row, and holds the run's liveness lock for the length of the `with`."""
        ...

    def seal(self, run: Run, report: Report = silent) -> Run:
        """Appends the record of a run that has an outcome; returns it with `record` and `sequence`, and with
        notes on what the disk had no room for. Raises NoRoom where it has none for the record: then the run
        is closed as it ended at the next look that finds some."""
        ...

    def find(self, reference: str, within: frozenset[str] | None = None) -> Run:
        """By id, unique prefix of it, name, or `last`; raises RunNotFound (with near names as a hint). With
        `within`, only in the experiments with these ids."""
        ...

    def search(self, query: RunQuery) -> tuple[Run, ...]: ...

    def children(self, run_id: str) -> tuple[Run, ...]:
        """The runs that this one's script began, in the order in which it did; hidden ones are left out."""
        ...

    def models(self, run_id: str) -> RunModels:
        """What is known now of the models that it read or made; nothing where there is no such run."""
        ...

    def listing(self) -> tuple[Listed, ...]:
        """Every run of which there is a row, hidden and forgotten ones too, in the order they were begun."""
        ...

    def faults(self) -> tuple[str, ...]:
        """What the database finds wrong with its own pages and indexes; empty where it is sound."""
        ...

    def registry(self) -> tuple[Standing, ...]:
        """How the registered models stand, for `verify` to hold against the chain."""
        ...

    def experiment_of(self, run_id: str) -> str:
        """The id of the experiment that the run is under now. Raises RunNotFound."""
        ...

    def experiment(self, identifier: str) -> str:
        """The name of the experiment with that id (`0` for the one of runs that name none); raises
        StoreError."""
        ...

    def hide(self, *run_ids: str, hidden: bool = True) -> None:
        """Takes runs off the list, or brings them back: all or none. Raises RunNotFound, and StoreError for
        one that is still running."""
        ...

    def rename(self, run_id: str, name: str) -> None: ...

    def amend(self, run_id: str, kind: str, content: Mapping[str, str]) -> None:
        """Adds what came after the seal, as a link of its own."""
        ...

    def lease(self) -> AbstractContextManager[Lease]:
        """For the length of the `with`, content that is added stays although no row names it yet. Every run
        holds one from before its first content to its seal."""
        ...

    def bring(self, run: Run, payload: bytes, amendments: Sequence[bytes]) -> Run:
        """Appends the record of a run that was sealed elsewhere, verbatim, and then what was added to it
        there, all of whose content is in the store. Raises StoreError where the id is taken."""
        ...

    def entries(
        self, *kinds: EntryKind, after: int | None = None, run_id: str | None = None
    ) -> Iterator[Entry]:
        """The chain in order, or what follows the entry `after`, payloads as they were sealed; of some kinds
        or of one run alone where they are named."""
        ...

    def head(self) -> tuple[int, Digest]:
        """The sequence number and link of the chain's last entry, as noted beside the chain."""
        ...

    def index(self, run_id: str) -> Mapping[str, object]:
        """What the searchable columns say of a run (the fields of `model.index.Index`, with `record`,
        `sequence`, and as `history` every point of its metrics as `model.logged.order` has them behind their
        keys, the digest of their lines where they are more than `FEW_POINTS`, None where there is none), for
        `verify` to hold against the record. Raises RunNotFound."""
        ...

    def indexes(self, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, object]]:
        """The same of each of some runs (a few hundred at most) that there is a row of."""
        ...
