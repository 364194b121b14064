"""What was observed around a run: the data it was given and the machine it ran on."""

from __future__ import annotations

from dataclasses import dataclass

from mlproj.model.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class InputState:
    """One piece of data as it was before the run.

    `name` is the parameter's, or the path as declared; `path` where it was found (project-relative inside
    the project, else absolute) or its URI. A folder's digest is that of its manifest, its size the sum over
    `files` files. What a remote server told (ETag, version) stands in `remote`.
    """

    name: str
    path: str
    kind: str
    """`file`, `folder` or `uri`."""
    digest: Digest | None
    size: int
    files: int = 1
    declared: bool = True
    remote: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A graphics processor, with the version of its driver."""

    name: str
    driver: str
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The machine. `memory_bytes` is what it has in all, `container` the kind of container it is, if one."""

    name: str
    system: str
    release: str
    machine: str
    cpu: str
    cores: int
    memory_bytes: int
    libc: str | None = None
    container: str | None = None
    gpus: tuple[Gpu, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """Environment variables worth recording, secrets masked.

    `planned` are the ones that change results and count for the plan; `recorded` the rest.
    """

    planned: tuple[tuple[str, str], ...]
    recorded: tuple[tuple[str, str], ...]
