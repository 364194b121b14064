"""What this machine can do for mlproj, and what to install for the rest."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlproj.errors import MlprojError, NotAllowed
from mlproj.model.redaction import without_credentials
from mlproj.process import Completed, ProgramMissing, run
from mlproj.services.isolation import possible
from mlproj.store_ports import RunStore
from mlproj.version import __version__


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at: `state` is `ok`, `missing` or `failed`."""

    name: str
    state: str
    detail: str
    hint: str | None = None


PROGRAMS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("git", ("git", "--version"), "install git: without it no commit is recorded and no git URL can be run"),
    ("bash", ("bash", "--version"), "install bash: entry points are run by it"),
    ("nvidia-smi", ("nvidia-smi", "-L"), "only there on machines with an NVIDIA GPU"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pythons:
    """What `--env-manager local` runs with (version and path, if any), and the versions that pyenv has."""

    on_path: tuple[str, Path] | None = None
    of_pyenv: tuple[str, ...] = ()


def diagnose(
    cache: Path,
    uv: Callable[[], Path | None],
    open_store: Callable[[], RunStore],
    engine: Callable[[], str],
    pythons: Pythons = Pythons(),
    isolation: Callable[[], str | None] = possible,
) -> tuple[Check, ...]:
    """Looks at programs, folders, the store, and what `engine` tells of Docker; `isolation` tells why no run
    can be isolated. Changes nothing, raises nothing."""
    return (
        Check(name="mlproj", state="ok", detail=f"{__version__} on Python {platform.python_version()}"),
        *(_program(name, command, hint) for name, command, hint in PROGRAMS),
        _local(pythons),
        _virtualenv(pythons),
        _uv(uv()),
        _rattler(),
        _docker(engine),
        _isolation(isolation()),
        _cache(cache),
        _store(open_store),
    )


def _program(name: str, command: tuple[str, ...], hint: str) -> Check:
    try:
        answer = run(command, timeout=10)
    except (ProgramMissing, OSError, subprocess.TimeoutExpired):
        return Check(name=name, state="missing", detail="not found on the PATH", hint=hint)
    if answer.code != 0:
        return Check(name=name, state="failed", detail=_failure(answer), hint=hint)
    return Check(name=name, state="ok", detail=answer.text.splitlines()[0] if answer.text else "")


def _failure(answer: Completed) -> str:
    return answer.complaint.rpartition("\n")[2] or f"it ended with code {answer.code}"


def _local(pythons: Pythons) -> Check:
    name = "python"
    if pythons.on_path is None:
        hint = "`--env-manager local` needs a `python` on the PATH; other projects do not"
        return Check(name=name, state="missing", detail="there is none on the PATH", hint=hint)
    version, path = pythons.on_path
    return Check(name=name, state="ok", detail=f"{version} ({path}), which `--env-manager local` runs with")


def _virtualenv(pythons: Pythons) -> Check:
    """What serves `--env-manager virtualenv` and `uv`, and which Pythons there are for it."""
    version, own = importlib.metadata.version("virtualenv"), platform.python_version()
    others = f"; pyenv has {', '.join(pythons.of_pyenv)}" if pythons.of_pyenv else ""
    hint = None if others else "pyenv or uv brings further Pythons, where a project asks for one"
    detail = f"{version}, for `--env-manager virtualenv` and `uv`: Python {own}{others}"
    return Check(name="virtualenv", state="ok", detail=detail, hint=hint)


def _uv(path: Path | None) -> Check:
    if path is None:
        return Check(
            name="uv",
            state="missing",
            detail="pip is used instead, which takes longer",
            hint="`pip install uv` beside mlproj",
        )
    return Check(name="uv", state="ok", detail=str(path))


def _rattler() -> Check:
    try:
        version = importlib.metadata.version("py-rattler")
    except importlib.metadata.PackageNotFoundError:
        hint = "`pip install py-rattler` beside mlproj: only needed for projects with a `conda_env`"
        return Check(name="rattler", state="missing", detail="no conda environment can be built", hint=hint)
    return Check(name="rattler", state="ok", detail=f"{version}: conda environments need no conda")


def _docker(engine: Callable[[], str]) -> Check:
    """The daemon is what is needed, and no program of Docker's."""
    try:
        return Check(name="docker", state="ok", detail=engine())
    except MlprojError as error:
        hint = f"only needed for projects with a `docker_env`: {error.hint or 'install Docker or Podman'}"
        return Check(name="docker", state="missing", detail=error.message, hint=hint)


def _isolation(reason: str | None) -> Check:
    if reason is not None:
        hint = "only needed for `--isolated`, which reproduces a run without network and on what was recorded"
        return Check(name="isolation", state="missing", detail=reason, hint=hint)
    return Check(name="isolation", state="ok", detail="bubblewrap can give a run a place of its own")


def _cache(cache: Path) -> Check:
    nearest = next(folder for folder in (cache, *cache.parents) if folder.exists())
    if not os.access(nearest, os.W_OK):
        return Check(
            name="cache",
            state="failed",
            detail=f"`{cache}` cannot be written",
            hint="set MLPROJ_CACHE_DIR to a folder that can",
        )
    built = cache / "environments"
    count = sum(1 for entry in built.glob("[!.]*") if entry.is_dir())
    free = shutil.disk_usage(nearest).free // 10**9
    return Check(name="cache", state="ok", detail=f"{cache}: {count} environments, {free} GB free")


def _store(open_store: Callable[[], RunStore]) -> Check:
    try:
        store = open_store()
        runs = store.listing()
    except MlprojError as error:
        return Check(name="store", state="missing", detail=error.message, hint=error.hint)
    where = without_credentials(store.address)
    return Check(name="store", state="ok", detail=f"{where}: {len(runs)} runs{_taken(store)}")


def _taken(store: RunStore) -> str:
    """How much a store takes, for the end of a sentence; nothing where that is for others to know."""
    try:
        taken = store.housekeeper.size()
    except NotAllowed:
        return ""
    megabytes = ", ".join(
        f"{what} {count / 10**6:.1f} MB"
        for what, count in (("database", taken.database), ("blobs", taken.blobs), ("runs", taken.workspaces))
    )
    return f", {taken.total / 10**6:.1f} MB ({megabytes})"
