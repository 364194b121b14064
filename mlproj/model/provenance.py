"""What was observed around a run: the data it was given and the machine it ran on."""

from __future__ import annotations

import msgspec

from mlproj.model.digest import Digest


class InputState(msgspec.Struct, frozen=True, kw_only=True):
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


class Tracing(msgspec.Struct, frozen=True, kw_only=True):
    """How it was seen which files a run read. `means` is `audit hook` (of Python programs) or `strace`; None
    where nobody looked. `escaped` are sentences on what is known not to have been seen; `written` are files
    outside of the record that the run wrote and nobody declared; `pythons` is how many Python programs
    noted what they read."""

    means: str | None
    pythons: int = 0
    escaped: tuple[str, ...] = ()
    written: tuple[str, ...] = ()


class Gpu(msgspec.Struct, frozen=True, kw_only=True):
    """A graphics processor, with the version of its driver."""

    name: str
    driver: str
    memory_bytes: int


class Host(msgspec.Struct, frozen=True, kw_only=True):
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
    features: tuple[str, ...] = ()
    """The vector instructions that the processor has (`avx2`, `fma`): libraries choose their code by them."""
    threads: int | None = None
    """How many of the cores a process here may use."""


class Variables(msgspec.Struct, frozen=True, kw_only=True):
    """Environment variables worth recording, secrets masked.

    `planned` are the ones that change results and count for the plan; `recorded` the rest.
    """

    planned: tuple[tuple[str, str], ...]
    recorded: tuple[tuple[str, str], ...]
