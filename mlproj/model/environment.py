"""Environments, from what is asked for (a specification) over what is decided (a lock) to what is built."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from mlproj.model.digest import Digest, canonical


class SystemSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The caller's own environment: whatever `python` is on the PATH."""

    because: str


class VirtualenvSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A virtualenv of one Python with packages from an index.

    `python` is a version as written (`3.10`, `3.11.7`) or a specifier (`>=3.9`), None for the current one.
    `build_dependencies` and `dependencies` are lines of a requirements file (options such as `-r` too),
    read in the order given, relative to the project folder. Where `uv_lock` names a lock file of uv, that
    and the `pyproject.toml` beside it say everything, and `dependencies` is empty. `files` are the files
    (relative to the project folder) whose content the specification is made of.
    """

    python: str | None
    build_dependencies: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    uv_lock: str | None = None
    files: tuple[str, ...] = ()
    because: str


class CondaSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A conda environment as its file asks for it.

    `pip` are the lines of the nested `pip:` list, of a requirements file in the folder of `file`. `platforms`
    are conda's names of those that it is for, none where it is for any. `variables` are pairs.
    """

    file: str
    channels: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    because: str


class ImageBuild(msgspec.Struct, frozen=True, kw_only=True):
    """How an image is built: a Dockerfile and the folder that it takes from, relative to the project folder.

    `arguments` are the values of its `ARG`s.
    """

    dockerfile: str
    context: str = "."
    arguments: tuple[tuple[str, str], ...] = ()


class DockerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A container image, named or to be built, and what its container is given.

    `environment` holds pairs; a value of None is copied from the host. `volumes` are as they were written.
    The rest is a person's wish: `arguments` as `docker run` names its options, with None for one without a
    value; `code_inside` asks for an image that holds the project; `title` is what to call an image we build.
    `products` are paths in the project that runs write, and no image holds.
    """

    image: str | None = None
    build: ImageBuild | None = None
    volumes: tuple[str, ...] = ()
    environment: tuple[tuple[str, str | None], ...] = ()
    because: str
    arguments: tuple[tuple[str, str | None], ...] = ()
    code_inside: bool = False
    title: str = "project"
    products: tuple[str, ...] = ()


EnvironmentSpec = SystemSpec | VirtualenvSpec | CondaSpec | DockerSpec


EDITABLE, LOCAL = "editable", "local"
"""What stands for the version of a package in a folder, which has none until it is built."""


class LockedPackage(msgspec.Struct, frozen=True, kw_only=True):
    """One package that a lock names. `hashes` are `sha256:<hex>` of its artifacts, sorted."""

    name: str
    version: str
    hashes: tuple[str, ...] = ()
    marker: str | None = None


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """The exact content of an environment. `text` is the lock file verbatim, `format` its notation."""

    format: str
    """`pylock` (PEP 751), `conda` (rattler's, with the pylock of a `pip:` list), `uv`, `image` (a
    container's), or `installed` (the packages found in an environment that is not ours)."""
    packages: tuple[LockedPackage, ...]
    text: bytes

    @property
    def digest(self) -> Digest:
        """The lock's identity: its sorted packages, never the file's bytes."""
        rows = sorted(
            [package.name, package.version, list(package.hashes), package.marker or ""]
            for package in self.packages
        )
        return Digest.of(canonical(rows))


class Interpreter(msgspec.Struct, frozen=True, kw_only=True):
    """A Python that was found: `executable` is its absolute path, `version` like `3.11.7`."""

    executable: Path
    version: str
    implementation: str = "cpython"
    because: str


class LockFile(msgspec.Struct, frozen=True, kw_only=True):
    """A lock as it is committed: `path` is relative to the project folder, `text` what is to stand there.
    `is_current` says that what stands there already is the same lock."""

    path: str
    text: bytes
    is_current: bool


class ImageState(msgspec.Struct, frozen=True, kw_only=True):
    """An image as the engine holds it: `name` is what it was asked for by, `id` the engine's own name for its
    content, and `digest` what a registry calls it, if it came from one or went to one."""

    name: str
    id: str
    digest: str | None = None
    platform: str = ""
    created: str = ""
    labels: tuple[tuple[str, str], ...] = ()


class RecordedLock(msgspec.Struct, frozen=True, kw_only=True):
    """The lock of an earlier run, which is to hold again: `text` and `format` as `Lock` has them, the
    `python` that it was for and the `image` that it was.

    `because` says whose it is. `artifacts` is a folder with files of the lock, by their names, and `archive`
    an image as `docker save` writes one; with `offline` nothing else but what is on this machine is used, and
    with `unbuilt` no package that is built, by code of its own, where it is installed.
    """

    format: str
    text: bytes
    python: str | None
    because: str
    image: ImageState | None = None
    artifacts: Path | None = None
    archive: Path | None = None
    offline: bool = False
    unbuilt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedEnvironment:
    """Everything decided about an environment before it is built.

    `lock` is None where nothing was resolved yet (only a dry run may see that). `python` is None where the
    machine has none on its PATH. `key` names the built environment in the cache, None for the caller's own.
    `origins` are servers as URLs with the credentials that building needs: never shown, recorded or compared.
    `as_of` is the instant that nothing in the lock is newer than, where one was asked for and counted. `file`
    is there where the lock was asked for to be committed; a kind that has no such file leaves it out.
    Of a container, `image` is what it is made from, and `launch` what it is given. `artifacts` is a folder
    with files of the lock, by their names; with `offline` nothing is fetched from elsewhere, and with
    `unbuilt` nothing is built.
    """

    kind: str
    """`system`, `virtualenv`, `conda` or `docker`."""
    lock: Lock | None
    python: Interpreter | None
    platform: str
    key: str | None
    because: str
    as_of: str | None = None
    file: LockFile | None = None
    origins: tuple[str, ...] = field(default=(), repr=False, compare=False)
    image: ImageState | None = None
    launch: DockerSpec | None = field(default=None, repr=False, compare=False)
    artifacts: Path | None = field(default=None, compare=False)
    offline: bool = field(default=False, compare=False)
    unbuilt: bool = field(default=False, compare=False)


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder of this machine that a container sees at `target`."""

    source: str
    target: str
    read_only: bool = False


CONFINER = "bwrap"
"""The program that isolates a process: bubblewrap."""

HOME_IN_ISOLATION = "/home/mlproj"
"""The home folder of an isolated process, which is empty and its own."""


class Isolation(msgspec.Struct, frozen=True, kw_only=True):
    """That a run sees only what its record names, and has no network unless `network` says so.

    `readable` are files and folders that it sees beside that, as absolute paths; `variables` the names of
    further variables of the caller's that it is given.
    """

    readable: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    network: bool = False


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """How an isolated run, whose network is its own, gets at a port of ours: in there somebody listens on
    `port` of the loopback address, and hands the socket out through `descriptor`, a Unix socket."""

    port: int
    descriptor: int


class Confinement(msgspec.Struct, frozen=True, kw_only=True):
    """What an isolated process gets: no network unless `network`, and `door` to the one who records it.

    `hidden` are folders of which nothing is seen, save what is mounted in them, and files that cannot be
    read; `python` is a Python that is seen, where there is one.
    """

    network: bool = False
    hidden: tuple[str, ...] = ()
    door: Door | None = None
    python: str | None = None


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """How a container gets at a port of ours: we listen at `address`, it calls `name`."""

    address: str
    name: str


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """What a container is made of: an image by its id, volumes as the engine takes them, variables, and
    options of `docker run`. `user` is the uid and gid that it runs as. Without `reach` it cannot call us."""

    image: str
    volumes: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    arguments: tuple[tuple[str, str | None], ...] = ()
    user: str
    reach: Reach | None = None


SHELL = ("bash", "-c")
"""What a command is given to."""

CONTAINER_SHELL = (
    "sh",
    "-c",
    'if command -v bash >/dev/null 2>&1; then exec bash -c "$0"; else exec sh -c "$0"; fi',
)
"""The same in a container, whose image need not have bash."""


class BuiltEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """An environment in the cache. `python` is a version, of two parts where it was not noted, and empty
    where there is none; `built` and `used` (last) are RFC 3339. `complaint` says what is wrong with it: it is
    built anew then. `image_size` is what the engine keeps of an image; `size` is that of what lies here.
    """

    key: str
    kind: str
    python: str
    lock: Digest | None
    packages: int
    path: Path
    size: int
    built: str
    used: str
    in_use: bool
    complaint: str | None
    image_size: int | None = None


CALLERS_PYTHON = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "CONDA_PROMPT_MODIFIER")
"""Variables that lead a Python to what is the caller's, and are taken away in an environment of ours."""


class Activation(msgspec.Struct, frozen=True, kw_only=True):
    """How a command enters a built environment: folders put before PATH, and variables set or removed; or the
    container that it runs in, which has nothing of ours but what it is given."""

    path: tuple[Path, ...] = ()
    variables: tuple[tuple[str, str | None], ...] = ()
    container: Container | None = None
