"""A conda environment with exactly the packages of a lock, and those of its `pip:` list beside them.

When nothing has changed, a run takes a few file reads; rattler is loaded only to solve and to build.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from msgspec import structs

from mlproj.environments.cache import about, build_once
from mlproj.environments.conda.activation import keep_activation, kept_activation
from mlproj.environments.conda.calling import Rattler
from mlproj.environments.conda.channels import Channels, platform_here
from mlproj.environments.conda.configuration import read_configuration
from mlproj.environments.conda.orders import Linking, Solving
from mlproj.environments.described import describe
from mlproj.environments.indexes import index_settings
from mlproj.environments.install import CHANNEL, install_with_uv, taken_from
from mlproj.environments.locks import LockCache
from mlproj.environments.probing import platform_name, probe
from mlproj.environments.question import Question, identity
from mlproj.environments.refusals import translated
from mlproj.environments.requirements import read_requirements
from mlproj.environments.uv import Uv, find_uv
from mlproj.errors import EnvironmentFailed, unreachable
from mlproj.files import digest_of
from mlproj.model.digest import Digest, Json, canonical
from mlproj.model.environment import (
    EDITABLE,
    Activation,
    CondaSpec,
    DockerSpec,
    EnvironmentSpec,
    Lock,
    LockedEnvironment,
    RecordedLock,
    SystemSpec,
    VirtualenvSpec,
)
from mlproj.model.events import Ended, Note, Report, Started
from mlproj.ports import Resolving
from mlproj.spec.conda_lock import COMMITTED, combined, interpreter, parted, with_variables


class CondaEnvironment:
    """Locks and builds conda environments in the folder `cache`."""

    def __init__(self, cache: Path, environ: Mapping[str, str] = os.environ) -> None:
        uv = find_uv(environ)
        self._cache = cache
        self._environ = environ
        self._uv = None if uv is None else Uv(program=uv, environ=environ)
        self._locks = LockCache(folder=cache / "locks")
        self._settings = index_settings(environ)
        self._rattler = Rattler()

    def lock(
        self, spec: EnvironmentSpec, project: Path, report: Report, resolving: Resolving
    ) -> LockedEnvironment:
        """The lock of the specification: committed beside it, kept from before, or resolved now.

        Raises EnvironmentFailed.
        """
        chosen, project = _conda(spec), project.absolute()
        with translated(self._cache):
            wanted = _Wanted(
                spec=chosen,
                project=project,
                request=self._request(chosen, project, resolving),
                resolving=resolving,
                report=report,
            )
            if resolving.recorded is not None:
                return self._recorded(wanted, resolving.recorded)
            if resolving.to_commit:
                return self._to_commit(wanted)
            committed = self._committed(wanted)
            base = committed or self._solved(wanted)
            lock = None if base is None else self._whole(wanted, base)
        because = chosen.because
        if committed is not None:
            because += f"; the committed `{wanted.committed.relative_to(project)}` says which packages"
            return self._locked(wanted, lock, because)
        return self._resolved(wanted, lock)

    def build(self, locked: LockedEnvironment, project: Path, report: Report) -> Activation:
        """Has the locked environment in the cache, and says how to enter it. Raises EnvironmentFailed."""
        if locked.lock is None or locked.key is None:
            raise EnvironmentFailed("the environment is not resolved yet, and cannot be built")
        folder = self._folder(locked.key)
        # What somebody changed in an environment may be the package cache's own, by way of a hard link.
        filling = _Filling(locked=locked, project=project.absolute(), again=folder.exists(), report=report)
        with translated(self._cache):
            folder.parent.mkdir(parents=True, exist_ok=True)
            build_once(folder, lambda: self._fill(folder, filling), report, about(locked))
            describe(folder, locked)
        return kept_activation(folder)

    def _resolved(self, wanted: _Wanted, lock: Lock | None) -> LockedEnvironment:
        because, as_of = wanted.spec.because, wanted.resolving.as_of
        if as_of is not None:
            because += f"; nothing in it is newer than {as_of}"
        return replace(self._locked(wanted, lock, because), as_of=as_of)

    def _to_commit(self, wanted: _Wanted) -> LockedEnvironment:
        """The lock for the project's own file, whose versions stay where they will do."""
        held = self._committed(wanted)
        keeping = held if held is not None and not wanted.resolving.refresh else None
        asked = structs.replace(
            wanted.request, kept=None if keeping is None else parted(keeping.text.decode()).conda
        )
        base = self._solve(asked, wanted.report)
        lock = self._whole(wanted, base)
        assert lock is not None, "what is to be committed is resolved"
        file = _committing().lock_file(wanted.committed, wanted.project, lock, held)
        return replace(self._resolved(wanted, lock), file=file)

    def _recorded(self, wanted: _Wanted, recorded: RecordedLock) -> LockedEnvironment:
        lock = _committing().recorded_lock(recorded.text, wanted.project, self._rattler)
        locked = self._locked(wanted, lock, recorded.because)
        return taken_from(locked, recorded)

    def _request(self, spec: CondaSpec, project: Path, resolving: Resolving) -> Solving:
        channels = Channels(
            configuration=read_configuration(self._environ),
            folder=(project / spec.file).parent,
            environ=self._environ,
        )
        return channels.request(spec, self._cache, resolving)

    def _committed(self, wanted: _Wanted) -> Lock | None:
        """The lock that lies in the project, which wins over resolving; None where it cannot be used."""
        path, name = wanted.committed, wanted.committed.name
        if not path.is_file():
            return None
        parts = [
            "committed",
            wanted.request.platform,
            digest_of(path)[0],
            os.path.relpath(path.parent, wanted.project),
        ]
        try:
            lock = self._locks.get_or_resolve(
                Digest.of(canonical(parts)).hex,
                lambda: _committing().read_committed(path, wanted.project, self._rattler),
                refresh=False,
            )
        except ValueError as error:
            wanted.report(Note(message=f"`{name}` is not used: {error}"))
            return None
        missing = sorted(wanted.request.names - {package.name for package in lock.packages})
        if missing:
            wanted.report(Note(message=f"`{name}` does not hold what is asked for: {', '.join(missing)}"))
        return lock

    def _solved(self, wanted: _Wanted) -> Lock | None:
        """The packages that conda brings."""
        asked = wanted.request
        return self._kept(wanted, asked.identity, lambda: self._solve(asked, wanted.report))

    def _solve(self, asked: Solving, report: Report) -> Lock:
        report(Started(stage="resolve", detail=f"the packages of `{asked.file}`"))
        lock = self._rattler.locked(asked, report)
        report(Ended(stage="resolve", detail=_counted(lock)))
        return lock

    def _whole(self, wanted: _Wanted, base: Lock) -> Lock | None:
        """The lock with its `pip:` list and variables, which a committed one may hold already."""
        parts, variables = parted(base.text.decode()), wanted.spec.variables
        if not wanted.spec.pip or parts.pylock is not None:
            return with_variables(base, variables)
        question = self._question(wanted, base)
        specification = identity(question, question.requirements, tool="uv")
        both = Digest.of(canonical([specification, base.digest])).hex
        pylock = self._kept(wanted, both, lambda: self._resolve_list(wanted, base, question))
        return None if pylock is None else combined(base, pylock, variables)

    def _question(self, wanted: _Wanted, base: Lock) -> Question:
        python = interpreter(base, self._folder(_key(base, wanted.project)))
        if python is None:
            raise EnvironmentFailed(f"`{wanted.spec.file}` has a `pip:` list, and no Python for it")
        file = wanted.project / wanted.spec.file
        return Question(
            spec=VirtualenvSpec(
                python=None, dependencies=wanted.spec.pip, files=(file.name,), because=wanted.spec.because
            ),
            project=file.parent,
            python=python,
            settings=self._settings,
            environ=self._environ,
            cache=self._cache,
            refresh=wanted.resolving.refresh,
            as_of=wanted.resolving.as_of,
            seeded=False,
        )

    def _resolve_list(self, wanted: _Wanted, base: Lock, question: Question) -> Lock:
        """The locked `pip:` list, for which the environment has to be there as conda alone makes it."""
        uv = self._found_uv()
        self.build(self._locked(wanted, base, wanted.spec.because), wanted.project, wanted.report)
        wanted.report(Started(stage="resolve", detail=f"the `pip:` list of `{wanted.spec.file}`"))
        prefix = self._folder(_key(base, wanted.project))
        listing = importlib.import_module("mlproj.environments.conda.pip_list")
        lock: Lock = listing.resolve_list(question, prefix, wanted.project, uv, wanted.report)
        wanted.report(Ended(stage="resolve", detail=_counted(lock)))
        return lock

    def _kept(self, wanted: _Wanted, specification: str, resolve: Callable[[], Lock]) -> Lock | None:
        if not wanted.resolving.resolve:
            return self._locks.get(specification)
        return self._locks.get_or_resolve(specification, resolve, refresh=wanted.resolving.refresh)

    def _fill(self, folder: Path, filling: _Filling) -> None:
        locked, report, lock = filling.locked, filling.report, filling.locked.lock
        assert lock is not None
        parts = parted(lock.text.decode())
        report(Started(stage="install", detail=_counted(lock)))
        linking = Linking(
            lock=parts.conda,
            platform=platform_here(),
            prefix=str(folder),
            origins=tuple(url.removeprefix(CHANNEL) for url in locked.origins if url.startswith(CHANNEL)),
            network=read_configuration(self._environ).network,
            folder=str(self._cache / "conda" / "packages"),
            thorough=filling.again,
            artifacts=None if locked.artifacts is None else str(locked.artifacts),
            offline=locked.offline,
        )
        self._rattler.carry_out(linking, report)
        self._rattler.close()
        if parts.pylock is not None:
            packages = tuple(package for package in lock.packages if "=" not in package.version)
            install_with_uv(
                Lock(format="pylock", packages=packages, text=parts.pylock.encode()),
                folder,
                uv=self._found_uv(),
                project=filling.project,
                settings=self._settings,
                wanted=locked,
                report=report,
                beside=True,
            )
        if locked.python is not None and probe(locked.python.executable, self._cache) is None:
            raise EnvironmentFailed("the Python that conda brought does not run on this machine")
        keep_activation(folder, parts.variables, self._environ)
        report(Ended(stage="install"))

    def _locked(self, wanted: _Wanted, lock: Lock | None, because: str) -> LockedEnvironment:
        key = None if lock is None else _key(lock, wanted.project)
        return LockedEnvironment(
            kind="conda",
            lock=lock,
            python=None if lock is None or key is None else interpreter(lock, self._folder(key)),
            platform=platform_name(),
            key=key,
            because=because,
            origins=(
                *(f"{CHANNEL}{url}" for url in wanted.request.origins),
                *read_requirements(wanted.spec.pip, wanted.file.parent, self._environ).origins,
            ),
        )

    def _folder(self, key: str) -> Path:
        return self._cache / "environments" / key

    def _found_uv(self) -> Uv:
        if self._uv is None:
            hint = "`pip install uv` installs it"
            raise EnvironmentFailed("a `pip:` list can only be locked and installed with uv", hint=hint)
        return self._uv


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """One call of `lock`: what is asked for, where, and how."""

    spec: CondaSpec
    project: Path
    request: Solving
    resolving: Resolving
    report: Report

    @property
    def file(self) -> Path:
        return self.project / self.spec.file

    @property
    def committed(self) -> Path:
        """The lock that an author keeps beside the environment's file."""
        return self.file.with_name(COMMITTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filling:
    """One call of `build`: what goes into the folder, and whether something is, or was, there."""

    locked: LockedEnvironment
    project: Path
    again: bool
    report: Report


def _conda(spec: EnvironmentSpec) -> CondaSpec:
    match spec:
        case CondaSpec():
            return spec
        case SystemSpec() | VirtualenvSpec() | DockerSpec():
            raise EnvironmentFailed("the environment that is asked for is none of conda's")
        case _:
            unreachable(spec)


def _key(lock: Lock, project: Path) -> str:
    """The name of the built environment: its lock, its platform, and the variables that are set in it.

    Links to editable packages lead into one folder, so that they belong to one folder's project alone.
    """
    editable = any(package.version == EDITABLE for package in lock.packages)
    variables = [list(pair) for pair in parted(lock.text.decode()).variables]
    parts: list[Json] = ["conda", lock.digest, platform_name(), variables, str(project) if editable else ""]
    return Digest.of(canonical(parts)).hex[:32]


def _counted(lock: Lock) -> str:
    return "1 package" if len(lock.packages) == 1 else f"{len(lock.packages)} packages"


def _committing() -> ModuleType:
    return importlib.import_module("mlproj.environments.conda.committed")
