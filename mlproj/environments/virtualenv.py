"""A virtualenv of one Python with exactly the packages of a lock.

When nothing has changed, a run takes a few file reads; what is slow to load is loaded only to resolve.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from mlproj.environments.cache import about, build_once
from mlproj.environments.described import describe
from mlproj.environments.indexes import index_settings
from mlproj.environments.install import install_with_uv, must_be_built, taken_from
from mlproj.environments.interpreters import Interpreters
from mlproj.environments.locks import LockCache
from mlproj.environments.probing import platform_name
from mlproj.environments.question import Question, committed_file, identity
from mlproj.environments.recorded import recorded_lock, recorded_python
from mlproj.environments.refusals import translated
from mlproj.environments.requirements import Requirements
from mlproj.environments.resolve import foretell, read_committed
from mlproj.environments.resolve import resolve as resolve_specification
from mlproj.environments.skeletons import Skeletons
from mlproj.environments.uv import Uv, find_uv
from mlproj.errors import EnvironmentFailed, unreachable
from mlproj.model.digest import Digest, canonical
from mlproj.model.environment import (
    CALLERS_PYTHON,
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
        recorded = resolving.recorded
        with translated(self._cache):
            python = (
                self._interpreters.find(chosen.python, project, report)
                if recorded is None
                else recorded_python(self._interpreters, recorded, project, report)
            )
            question = Question(
                spec=chosen,
                project=project,
                python=python,
                settings=self._settings,
                environ=self._environ,
                cache=self._cache,
                refresh=resolving.refresh,
                as_of=resolving.as_of if chosen.uv_lock is None else None,
            )
            requirements = question.requirements
            if recorded is not None:
                locked = _locked(question, recorded_lock(recorded, python, project), recorded.because)
                return taken_from(locked, recorded)
            if resolving.to_commit:
                return self._to_commit(question, report)
            committed = self._committed_lock(question, requirements, report)
            if committed is not None:
                return _locked(replace(question, as_of=None), *committed)
            lock = self._resolved_lock(question, requirements, report, resolve=resolving.resolve)
        reason = "" if question.as_of is None else f"; nothing in it is newer than {question.as_of}"
        return _locked(question, lock, f"{chosen.because}{reason}")

    def build(self, locked: LockedEnvironment, project: Path, report: Report) -> Activation:
        """Has the locked environment in the cache, and says how to enter it. Raises EnvironmentFailed."""
        if locked.lock is None or locked.python is None or locked.key is None:
            raise EnvironmentFailed("the environment is not resolved yet, and cannot be built")
        with translated(self._cache):
            folder = self._built(locked.key, locked, project.absolute(), report)
            describe(folder, locked)
        ours = {"VIRTUAL_ENV": str(folder)}
        variables = tuple({**dict.fromkeys(CALLERS_PYTHON), **ours}.items())
        return Activation(path=(folder / "bin",), variables=variables)

    def _built(self, key: str, locked: LockedEnvironment, project: Path, report: Report) -> Path:
        folder = self._cache / "environments" / key
        folder.parent.mkdir(parents=True, exist_ok=True)
        fill = functools.partial(self._fill, folder, locked, project, report)
        build_once(folder, fill, report, about(locked))
        return folder

    def _to_commit(self, question: Question, report: Report) -> LockedEnvironment:
        """The lock for the project's own file, whose versions stay where they will do."""
        committing = importlib.import_module("mlproj.environments.committing")
        pinned = None if question.refresh else committing.pinned(question)
        lock = self._resolved(replace(question, pinned=pinned), report, ahead=False)
        reason = "" if question.as_of is None else f"; nothing in it is newer than {question.as_of}"
        locked = _locked(question, lock, f"{question.spec.because}{reason}")
        return replace(locked, file=committing.lock_file(question, lock))

    def _committed_lock(
        self, question: Question, requirements: Requirements, report: Report
    ) -> tuple[Lock, str] | None:
        committed = committed_file(question)
        lock = None if committed is None else self._committed(question, committed, requirements, report)
        if committed is None or lock is None:
            return None
        name = committed.relative_to(question.project)
        return lock, f"{question.spec.because}; the committed `{name}` says which packages"

    def _resolved_lock(
        self, question: Question, requirements: Requirements, report: Report, *, resolve: bool
    ) -> Lock | None:
        uv_lock = None if question.spec.uv_lock is None else question.project / question.spec.uv_lock
        tool = "pip" if self._uv is None else "uv"
        specification = identity(question, requirements, tool=tool, lock_file=uv_lock)
        if not resolve:
            return self._locks.get(specification)
        return self._locks.get_or_resolve(
            specification, lambda: self._resolved(question, report), refresh=question.refresh
        )

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

    def _resolved(self, question: Question, report: Report, *, ahead: bool = True) -> Lock:
        report(Started(stage="resolve", detail=f"the environment for Python {question.python.version}"))
        for note in self._settings.notes:
            report(Note(message=note))
        if self._uv is not None and ahead:
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
            foretold = _locked(question, lock, "foretold")
            if foretold.key is not None:
                self._built(foretold.key, foretold, question.project, silent)

    def _fill(self, folder: Path, locked: LockedEnvironment, project: Path, report: Report) -> None:
        lock, python = locked.lock, locked.python
        assert lock is not None and python is not None
        report(Started(stage="install", detail=_counted(lock)))
        if self._uv is None:
            if locked.unbuilt:
                raise must_be_built("pip may build packages")
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
                wanted=locked,
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
        as_of=question.as_of,
        origins=question.requirements.origins,
    )


def _virtualenv(spec: EnvironmentSpec) -> VirtualenvSpec:
    match spec:
        case VirtualenvSpec():
            return spec
        case SystemSpec() | CondaSpec() | DockerSpec():
            raise EnvironmentFailed("the environment that is asked for is no virtualenv")
        case _:
            unreachable(spec)


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
