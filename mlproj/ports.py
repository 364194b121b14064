"""The seams of a run on one page: what each stage needs of the world, as Protocols of few methods.

A run goes through them in this order: Source fetches, Observer looks, Environment locks and builds,
Executor runs; the store records, whose seams are in `store_ports`. Each has one module per way of doing it,
one table in `run_wiring` that names them, and one contract suite in `tests/contracts` that all of them pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import msgspec

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
from mlproj.model.events import Report
from mlproj.model.provenance import Host, InputState, Tracing, Variables
from mlproj.model.run import Usage
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
