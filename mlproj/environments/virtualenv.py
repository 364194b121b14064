"""A virtualenv of one Python with exactly the packages of a lock.

When nothing has changed, a run takes a few file reads; what is slow to load is loaded only to resolve.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

from mlproj.environments.cache import build_once
from mlproj.environments.indexes import index_settings
from mlproj.environments.install import install_with_uv
from mlproj.environments.interpreters import Interpreters
from mlproj.environments.locks import LockCache
from mlproj.environments.probing import platform_name
from mlproj.environments.question import Question, identity
from mlproj.environments.requirements import Requirements
from mlproj.environments.resolve import foretell, read_committed
from mlproj.environments.resolve import resolve as resolve_specification
from mlproj.environments.skeletons import Skeletons
from mlproj.environments.unsupported import not_yet
from mlproj.environments.uv import Uv, find_uv
from mlproj.errors import EnvironmentFailed, unreachable
from mlproj.model.digest import Digest, canonical
from mlproj.model.environment import (
    EDITABLE,
    Activation,
    CondaSpec,
    DockerSpec,
    EnvironmentSpec,
    Interpreter,
    Lock,
    LockedEnvironment,
    SystemSpec,
    VirtualenvSpec,
)
from mlproj.model.events import Ended, Note, Report, Started, silent
from mlproj.ports import Resolving
from mlproj.process import ProgramMissing

_COMMITTED = "pylock.toml"


class VirtualenvEnvironment:
    """Locks and builds virtualenvs in the folder `cache`, by uv where it is there and `with_uv`."""

    def __init__(self, cache: Path, environ: Mapping[str, str] = os.environ, *, with_uv: bool = True) -> None:
        uv = find_uv(environ) if with_uv else None
        self._cache = cache
        self._environ = environ
        self._uv = None if uv is None else Uv(program=uv, environ=environ)
        self._interpreters = Interpreters(cache=cache, environ=environ, uv=self._uv)
        self._locks = LockCache(folder=cache / "locks")
        self._skeletons = Skeletons(cache=cache)
        self._settings = index_settings(environ)

    def lock(
        self, spec: EnvironmentSpec, project: Path, report: Report, resolving: Resolving
    ) -> LockedEnvironment:
        """The lock of the specification: committed beside it, kept from before, or resolved now.

        Raises EnvironmentFailed.
        """
        chosen, project = _virtualenv(spec), project.absolute()
        with _translated(self._cache):
            python = self._interpreters.find(chosen.python, project, report)
            question = Question(
                spec=chosen,
                project=project,
                python=python,
                settings=self._settings,
                environ=self._environ,
                cache=self._cache,
                refresh=resolving.refresh,
            )
            requirements = question.requirements
            lock, reason = self._lock(question, requirements, report, resolve=resolving.resolve)
        return _locked(question, lock, f"{chosen.because}{reason}")

    def build(self, locked: LockedEnvironment, project: Path, report: Report) -> Activation:
        """Has the locked environment in the cache, and says how to enter it. Raises EnvironmentFailed."""
        if locked.lock is None or locked.python is None or locked.key is None:
            raise EnvironmentFailed("the environment is not resolved yet, and cannot be built")
        folder = self._cache / "environments" / locked.key
        with _translated(self._cache):
            folder.parent.mkdir(parents=True, exist_ok=True)
            build_once(folder, lambda: self._fill(folder, locked, project.absolute(), report), report)
        variables = (("VIRTUAL_ENV", str(folder)), ("PYTHONHOME", None))
        return Activation(path=(folder / "bin",), variables=variables)

    def _lock(
        self, question: Question, requirements: Requirements, report: Report, *, resolve: bool
    ) -> tuple[Lock | None, str]:
        committed = _committed_file(question)
        if committed is not None:
            lock = self._committed(question, committed, requirements, report)
            if lock is not None:
                return (
                    lock,
                    f"; the committed `{committed.relative_to(question.project)}` says which packages",
                )
        uv_lock = None if question.spec.uv_lock is None else question.project / question.spec.uv_lock
        tool = "pip" if self._uv is None else "uv"
        specification = identity(question, requirements, tool=tool, lock_file=uv_lock)
        if not resolve:
            return self._locks.get(specification), ""
        lock = self._locks.get_or_resolve(
            specification, lambda: self._resolved(question, report), refresh=question.refresh
        )
        return lock, ""

    def _committed(
        self, question: Question, path: Path, requirements: Requirements, report: Report
    ) -> Lock | None:
        """The lock that lies in the project, which wins over resolving; None where it cannot be used."""
        name = path.relative_to(question.project)
        specification = identity(question, requirements, tool="reading", lock_file=path)
        try:
            lock = self._locks.get_or_resolve(
                specification,
                lambda: read_committed(path, question.python, question.project),
                refresh=False,
            )
        except ValueError as error:
            report(Note(message=f"`{name}` is not used: {error}"))
            return None
        missing = sorted(requirements.names - {package.name for package in lock.packages})
        if missing:
            report(Note(message=f"`{name}` does not hold what is asked for: {', '.join(missing)}"))
        return lock

    def _resolved(self, question: Question, report: Report) -> Lock:
        report(Started(stage="resolve", detail=f"the environment for Python {question.python.version}"))
        for note in self._settings.notes:
            report(Note(message=note))
        if self._uv is not None:
            threading.Thread(target=self._build_ahead, args=(question, self._uv)).start()
        lock = resolve_specification(question, self._uv, report)
        report(Ended(stage="resolve", detail=_counted(lock)))
        return lock

    def _build_ahead(self, question: Question, uv: Uv) -> None:
        """Builds, while uv waits for the network, the environment that will be asked for most probably.

        Whoever asks for it then finds it there, or waits for the rest; for another one this was in vain.
        """
        # What fails here is tried again by whoever needs it, and told then.
        with contextlib.suppress(EnvironmentFailed, ProgramMissing, OSError, ValueError):
            skeleton = self._skeletons.prepare(question.python)
            lock = foretell(question, uv)
            skeleton.join()
            if lock is not None:
                self.build(_locked(question, lock, "foretold"), question.project, silent)

    def _fill(self, folder: Path, locked: LockedEnvironment, project: Path, report: Report) -> None:
        lock, python = locked.lock, locked.python
        assert lock is not None and python is not None
        report(Started(stage="install", detail=_counted(lock)))
        if self._uv is None:
            _with_pip().install_with_pip(
                lock.text.decode(), python, folder, self._cache, self._environ, report
            )
        else:
            self._skeletons.put(python, folder)
            install_with_uv(
                lock,
                folder,
                uv=self._uv,
                project=project,
                settings=self._settings,
                origins=locked.origins,
                report=report,
            )
        report(Ended(stage="install"))


def _locked(question: Question, lock: Lock | None, because: str) -> LockedEnvironment:
    return LockedEnvironment(
        kind="virtualenv",
        lock=lock,
        python=question.python,
        platform=platform_name(),
        key=None if lock is None else _key(lock, question.python, question.project),
        because=because,
        origins=question.requirements.origins,
    )


def _virtualenv(spec: EnvironmentSpec) -> VirtualenvSpec:
    match spec:
        case VirtualenvSpec():
            return spec
        case CondaSpec():
            raise not_yet(spec)
        case SystemSpec() | DockerSpec():
            raise EnvironmentFailed("the caller's own environment, or a container's, is no virtualenv")
        case _:
            unreachable(spec)


def _committed_file(question: Question) -> Path | None:
    """A lock file beside the environment's file, else in the project's folder; a `uv.lock` is one itself."""
    if question.spec.uv_lock is not None:
        return None
    beside = [(question.project / name).parent for name in question.spec.files[:1]]
    paths = (folder / _COMMITTED for folder in (*beside, question.project))
    return next((path for path in paths if path.is_file() and path.is_relative_to(question.project)), None)


def _key(lock: Lock, python: Interpreter, project: Path) -> str:
    """The name of the built environment: its lock, its Python, its platform.

    Links to editable packages lead into one folder, so that they belong to one folder's project alone.
    """
    editable = any(package.version == EDITABLE for package in lock.packages)
    parts = [
        lock.digest,
        python.version,
        python.implementation,
        str(python.executable),
        platform_name(),
        str(project) if editable else "",
    ]
    return Digest.of(canonical(parts)).hex[:32]


def _counted(lock: Lock) -> str:
    return "1 package" if len(lock.packages) == 1 else f"{len(lock.packages)} packages"


def _with_pip() -> ModuleType:
    return importlib.import_module("mlproj.environments.pip")


@contextlib.contextmanager
def _translated(cache: Path) -> Iterator[None]:
    """Turns what the machine refuses into an error that a person can act on."""
    try:
        yield
    except ProgramMissing as error:
        raise EnvironmentFailed(str(error)) from error
    except OSError as error:
        place = f" (`{error.filename}`)" if error.filename else ""
        hint = f"`MLPROJ_CACHE_DIR` chooses another folder than `{cache}`"
        if error.errno == errno.ENOSPC:
            hint = f"free some space; {hint}"
        raise EnvironmentFailed(
            f"the environment cannot be put into the cache: {error.strerror or error}{place}", hint=hint
        ) from error
