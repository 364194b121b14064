"""The caller's own environment: whatever `python` is on the PATH, taken as it is and described.

Within a run that is the environment of the run, where we built it: then its lock says what it is.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mlproj.environments import pyenv
from mlproj.environments.cache import complaint
from mlproj.environments.described import described
from mlproj.environments.probing import Probe, platform_name, probe
from mlproj.model.environment import (
    Activation,
    EnvironmentSpec,
    Interpreter,
    LockedEnvironment,
    LockedPackage,
)
from mlproj.model.events import Report
from mlproj.ports import Resolving
from mlproj.spec.locks import installed_lock
from mlproj.spec.requirements import normalized

_DISTRIBUTION = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(-py[\d.]+(-[^-]+)?)?\.(dist|egg)-info")


class SystemEnvironment:
    """Locks by listing what is installed; builds nothing. `environ` is what the command will run with."""

    def __init__(self, cache: Path, environ: Mapping[str, str] = os.environ) -> None:
        self._cache = cache
        self._environ = environ

    def lock(
        self, spec: EnvironmentSpec, project: Path, report: Report, resolving: Resolving
    ) -> LockedEnvironment:
        """The Python on the PATH with its distributions. Raises nothing: there may be no Python at all."""
        found = self._python(project)
        entered = None if found is None else self._entered(found[0])
        if entered is not None:
            return dataclasses.replace(entered, because=f"{spec.because}, within an environment of ours")
        told = None if found is None else probe(found[0], self._cache)
        return LockedEnvironment(
            kind="system",
            lock=installed_lock(self._installed(told)),
            python=_interpreter(found, told),
            platform=platform_name(),
            key=None,
            because=spec.because,
        )

    def python(self, project: Path) -> Interpreter | None:
        """The Python that commands in the folder `project` run with, None where there is none."""
        found = self._python(project)
        return _interpreter(found, None if found is None else probe(found[0], self._cache))

    def build(self, locked: LockedEnvironment, project: Path, report: Report) -> Activation:
        """Nothing to build, nothing to enter."""
        return Activation()

    def _python(self, project: Path) -> tuple[Path, str] | None:
        for name in ("python", "python3"):
            for path in on_path(name, self._environ):
                if not pyenv.is_shim(path):
                    return path, f"`{name}` on the PATH"
                behind = pyenv.behind_shim(path, project, self._environ)
                if behind is not None:
                    return behind, f"`{name}` on the PATH, chosen by pyenv"
        return None

    def _entered(self, python: Path) -> LockedEnvironment | None:
        """The environment of ours that the Python belongs to, if it is as it was built."""
        folder = python.parent.parent
        if str(folder) != self._environ.get("VIRTUAL_ENV") or folder.parent != self._cache / "environments":
            return None
        return described(folder) if complaint(folder) is None else None

    def _installed(self, told: Probe | None) -> tuple[LockedPackage, ...]:
        if told is None:
            return ()
        extra = self._environ.get("PYTHONPATH", "").split(os.pathsep)
        return installed((*filter(None, extra), *told.paths))


def _interpreter(found: tuple[Path, str] | None, described: Probe | None) -> Interpreter | None:
    if found is None or described is None:
        return None
    return Interpreter(
        executable=found[0],
        version=described.version,
        implementation=described.implementation,
        because=found[1],
    )


def on_path(name: str, environ: Mapping[str, str]) -> Iterator[Path]:
    """The executables called `name` in the folders of the PATH, in their order."""
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, name)
        if folder and os.access(path, os.X_OK) and os.path.isfile(path):
            yield Path(path).absolute()


def installed(folders: Iterable[str]) -> tuple[LockedPackage, ...]:
    """The distributions in folders that Python imports from, by the names of their folders alone.

    The first folder that has a distribution counts, as for Python.
    """
    versions: dict[str, str] = {}
    for folder in dict.fromkeys(folders):
        for entry in _entries(folder):
            match = _DISTRIBUTION.fullmatch(entry)
            if match:
                versions.setdefault(normalized(match["name"]), match["version"])
    return tuple(LockedPackage(name=name, version=versions[name]) for name in sorted(versions))


def _entries(folder: str) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if name.endswith("-info")]
    except OSError:
        return []
