"""Every seam on one page: what each stage of a run needs of the world, as Protocols of few methods.

A run goes through them in this order: Source fetches, Observer looks, Environment locks and builds,
Executor runs, RunStore records. Each has one module per way of doing it, one table in `wiring` that names
them, and one contract suite in `tests/contracts` that all of them pass.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import msgspec

from mlproj.far_ports import Reception
from mlproj.lineage_ports import Contents
from mlproj.model.digest import Digest
from mlproj.model.environment import (
    Activation,
    BuiltEnvironment,
    Confinement,
    Door,
    EnvironmentSpec,
    LockedEnvironment,
    Mount,
    RecordedLock,
)
from mlproj.model.events import Report, silent
from mlproj.model.provenance import Host, InputState, Tracing, Variables
from mlproj.model.record import Entry, EntryKind
from mlproj.model.registry import RunModels, Standing
from mlproj.model.run import Run, Usage
from mlproj.model.source import Checkout, Snapshot, SourceState


class Source(Protocol):
    """A way to turn a URI into a working tree."""

    def accepts(self, uri: str) -> bool:
        """Whether this source is the one for `uri` (a folder, a git URL, a zip); touches nothing."""
        ...

    def fetch(self, uri: str, revision: str | None, report: Report) -> AbstractContextManager[Checkout]:
        """The tree for the length of the `with`; one made for the run is removed at its end.

        Raises SourceError.
        """
        ...


class SnapshotRules(msgspec.Struct, frozen=True, kw_only=True):
    """What stays out of a snapshot besides the usual: `outputs` are paths relative to the project folder.

    Files of more than `size_limit` bytes are digested, not held; so are those that would make the whole
    larger than `total_limit`. `keep` names paths (relative to the root) that are held although their name
    looks like a secret's or they are over a limit.
    """

    outputs: tuple[str, ...] = ()
    size_limit: int = 50 * 1024 * 1024
    total_limit: int = 1024 * 1024 * 1024
    keep: tuple[str, ...] = ()


class ObservedInput(msgspec.Struct, frozen=True, kw_only=True):
    """An input's state. Of a folder of not too many files (`lineage_ports.MOST_FILES`), `manifest` are the
    lines that its digest is of."""

    state: InputState
    manifest: bytes | None = None


class Observer(Protocol):
    """Looks at the world around a run, and changes nothing in it."""

    def source(
        self, checkout: Checkout, rules: SnapshotRules, report: Report
    ) -> tuple[SourceState, Snapshot]:
        """The state of the tree and the files in it, submodules and nested repositories included."""
        ...

    def commit_date(self, checkout: Checkout, report: Report) -> str | None:
        """When the commit that is checked out was made (RFC 3339); None where there is none."""
        ...

    def changed(self, snapshot: Snapshot) -> tuple[str, ...]:
        """The paths of the snapshot's files that are no longer what they were."""
        ...

    def data(self, name: str, path: Path, project: Path, *, declared: bool, report: Report) -> ObservedInput:
        """The digest of a file or folder. Raises DataError where it cannot be read."""
        ...

    def manifest(self, name: str, path: Path, report: Report) -> bytes:
        """The list of the files in a folder of data, whose digest is the folder's. Raises DataError."""
        ...

    def remote(self, name: str, uri: str) -> ObservedInput:
        """What the far side tells of a URI without downloading it; nothing where nobody can be asked."""
        ...

    def host(self) -> Host: ...

    def variables(self, environ: Mapping[str, str]) -> Variables: ...

    def secret(self, value: str) -> bool:
        """Whether a value (a parameter's, a tag's) looks like a token, a key or a URL with a password."""
        ...


class Resolving(msgspec.Struct, frozen=True, kw_only=True):
    """How a lock is come by. With `refresh` an earlier one is not reused; without `resolve` nothing is
    resolved anew, and there may be none. `as_of` (RFC 3339) has nothing newer than that instant in it, and
    stands in what is locked where it counted: what lies locked in the project outranks it.

    `to_commit` asks for the lock that is to lie in the project, as a `LockedEnvironment.file`: what lies
    there is not taken as it stands, and gives, unless `refresh` is wanted, the versions to stay with.

    `recorded` is the lock to take, whatever the project says of versions: that of an earlier run."""

    refresh: bool = False
    resolve: bool = True
    as_of: str | None = None
    to_commit: bool = False
    recorded: RecordedLock | None = None


class Environment(Protocol):
    """One kind of environment: specification -> lock -> built environment."""

    def lock(
        self, spec: EnvironmentSpec, project: Path, report: Report, resolving: Resolving
    ) -> LockedEnvironment:
        """Decides the exact content. Raises EnvironmentFailed."""
        ...

    def build(self, locked: LockedEnvironment, project: Path, report: Report) -> Activation:
        """Has the environment in place, built once however many ask, and says how to enter it.

        Raises EnvironmentFailed with the tool's own output in the message.
        """
        ...


class Leftover(msgspec.Struct, frozen=True, kw_only=True):
    """Something in the cache that serves nobody: `kind` says in words what it is, `size` is in bytes."""

    path: Path
    kind: str
    size: int


class Staying(msgspec.Struct, frozen=True, kw_only=True):
    """What stays in the cache beside environments: the locks that `locks` names or that were wanted since
    `locks_since`, and what only saves time and was wanted since `caches_since` (seconds since the epoch)."""

    locks: frozenset[Digest] = frozenset()
    locks_since: float = 0.0
    caches_since: float = 0.0


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A package of an environment as a file: `name` is the file's, `path` where it lies now."""

    name: str
    digest: Digest
    path: Path


class EnvironmentCache(Protocol):
    """Where built environments of every kind are kept for all projects."""

    def environments(self) -> tuple[BuiltEnvironment, ...]:
        """All that were built to their end, by their keys."""
        ...

    def remove(self, key: str) -> bool:
        """Removes an environment; False where somebody uses or builds it."""
        ...

    def leftovers(self, staying: Staying) -> tuple[Leftover, ...]:
        """What is no environment and does not stay, with what was cut short or is held by nobody."""
        ...

    def clear(self, leftover: Leftover) -> bool:
        """Removes it; False where somebody has come to want it."""
        ...


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A command to execute: `environ` is complete, `logs` the folder for the recorded streams.

    `timeout` is in seconds. `descriptors` are open files of ours that the command inherits, where it can.
    Each of `secrets` is shown and recorded as `***` wherever the command prints it. `mounts` are what a
    container is to see beside the project, and a process of this machine where `confinement` says that it is
    to see no more; else that sees everything.
    """

    argv: tuple[str, ...]
    directory: Path
    environ: Mapping[str, str]
    logs: Path
    timeout: float | None = None
    descriptors: tuple[int, ...] = ()
    secrets: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    confinement: Confinement | None = None


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """How the command ended. `exit_code` is minus the signal's number where a signal ended it.

    `timed_out` and `interrupted` (the signal that mlproj received) say why it was stopped, if it was;
    `out_of_memory` that the kernel ended a process of it for want of memory, as far as anybody is told.
    `started` and `ended` are RFC 3339 in UTC.
    """

    exit_code: int
    started: str
    ended: str
    usage: Usage
    timed_out: bool = False
    interrupted: int | None = None
    out_of_memory: bool = False


class Executor(Protocol):
    """A place to execute a task, with its output reported and recorded as it comes."""

    def execute(self, task: Task, report: Report) -> Execution:
        """Writes `stdout`, `stderr` (bytes as they came) and `times` into `task.logs`, which exists.

        A stream that is longer than what is kept of one lies there as `mlproj.logs` has it. `times` has a
        line per stretch of output: seconds since the start, the stream's name and the length in bytes. An
        interrupt ends the whole process group before this returns. Raises ProjectError where the command
        cannot be started at all, and EnvironmentFailed where it cannot be confined as it should be.
        """
        ...


class Endpoint(Protocol):
    """Where the script of one run logs to, by MLflow's protocol, as long as the run goes on."""

    @property
    def uri(self) -> str:
        """What an MLflow client takes for its tracking URI; `token` in it is a secret."""
        ...

    @property
    def token(self) -> str: ...

    def door(self) -> Door:
        """For a script in a network of its own: a listening socket that is handed in there is served, too."""
        ...

    def close(self) -> None:
        """Answers what has arrived, and takes nothing more. May be called twice."""
        ...


class Digester(Protocol):
    """Digests many files, on every core where it can."""

    def __call__(
        self, folder: Path, names: Iterable[Sequence[bytes]]
    ) -> Iterator[tuple[bytes, Digest | str]]:
        """Of each of `names` below `folder` (regular files) its digest, or why it has none, in words.

        They come in stretches, each asked for while others are being read: whoever makes them can do
        something else in between, and name none.
        """
        ...


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What the record of a run names already, or leaves out on purpose: the source, and `paths` of files and
    of folders with all in them. `project` is the folder that the command runs in. `mounts` are, for a command
    in a container, the places of this machine that it sees, by what it calls them."""

    project: Path
    snapshot: Snapshot
    paths: tuple[Path, ...]
    mounts: tuple[tuple[str, str], ...] | None = None


class Traced(msgspec.Struct, frozen=True, kw_only=True):
    """The data that a command read and nobody declared, and how it was come by."""

    reads: tuple[InputState, ...] = ()
    tracing: Tracing


class Tracer(Protocol):
    """A way to see which files a command opens. Used once, in the order of the methods."""

    def begin(self, folder: Path) -> dict[str, str]:
        """Makes the folder, for whatever is noted meanwhile; returns variables that the command needs.

        Raises EnvironmentFailed where this way is barred here.
        """
        ...

    def argv(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """What to start so that `argv` is started and looked at."""
        ...

    def end(self, recorded: Recorded, report: Report) -> Traced:
        """What was opened, held against what is recorded, and digested as it is now."""
        ...


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


GRACE_S = 3600.0
"""Content that somebody wanted so lately (in seconds) is not removed: that somebody may hold no lease."""


class Lease(Protocol):
    """Content in hand: what was added or asked for since it began is nobody's garbage."""

    def has_source(self, source: SourceState) -> bool:
        """Whether a recorded run brought all files that the snapshot of `source` holds. If so, they stay."""
        ...


class Garbage(msgspec.Struct, frozen=True, kw_only=True):
    """What nothing in a store names. Sizes are in bytes on the disk.

    `blobs` (each with the time, in nanoseconds since the epoch, at which it was last added or asked for) and
    `leftovers` (what killed processes left lying) may go; `young` is how many further blobs are within the
    grace period or a lease. `seen` is the chain's last entry then: whoever removes looks at what came since.
    """

    blobs: Mapping[Digest, int]
    leftovers: tuple[Path, ...]
    size: int
    young: int
    young_size: int
    seen: int


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed: how many files, and bytes on the disk (the database's too, where it shrank)."""

    files: int
    size: int


class StoreSize(msgspec.Struct, frozen=True, kw_only=True):
    """What a store takes on the disk, in bytes: `workspaces` are the folders of runs."""

    database: int
    blobs: int
    workspaces: int

    @property
    def total(self) -> int:
        return self.database + self.blobs + self.workspaces


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """A store that was copied: where it is now, how many contents of how many bytes came, and the digests of
    those that were left behind because they no longer are what was recorded."""

    path: Path
    files: int
    size: int
    altered: tuple[Digest, ...]


class Housekeeper(Protocol):
    """Takes away what nobody wants any more. Nothing is forgotten in silence."""

    def forget(self, run_ids: Collection[str], *, who: str, why: str) -> None:
        """Takes hidden runs' payloads away and leaves a tombstone for each in the chain; their content is
        garbage then. Raises StoreError where one is not hidden, RunNotFound where one was forgotten already.
        """
        ...

    def garbage(self, *, without: Collection[str] = (), grace_s: float = GRACE_S) -> Garbage:
        """What nothing names, were the runs `without` forgotten; what only those name has no grace. Raises
        Altered where a record cannot be read."""
        ...

    def remove(self, garbage: Garbage) -> Removed:
        """Removes it, but for what came to be wanted since it was found."""
        ...

    def size(self) -> StoreSize: ...


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
