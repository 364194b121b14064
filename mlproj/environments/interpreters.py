"""Finds the Python that a project asks for: on the PATH, under pyenv, or by way of uv."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlproj.environments import pyenv
from mlproj.environments.probing import probe
from mlproj.environments.system import on_path
from mlproj.environments.uv import Uv, gist
from mlproj.errors import EnvironmentFailed
from mlproj.model.environment import Interpreter
from mlproj.model.events import Ended, Report, Started

_PLAIN = re.compile(r"\d+(\.\d+){0,2}")
_PRE_RELEASE = re.compile(r"(\d+\.\d+\.\d+)(?:a|b|rc)\d+")
Wanted = Callable[[str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreters:
    """The Pythons of this machine. `uv` may bring one that is missing, unless we are `offline`."""

    cache: Path
    environ: Mapping[str, str]
    uv: Uv | None
    offline: bool = False

    def find(self, wanted: str | None, project: Path, report: Report) -> Interpreter:
        """The Python for `3.10`, `3.11.7`, `>=3.9`, or None for the one that mlproj runs on.

        Raises EnvironmentFailed, with what was looked for and where, where there is none.
        """
        if wanted is None:
            return self._own()
        accepts = _acceptance(wanted)
        for executable, because in self._candidates(wanted, project):
            found = self._described(executable, because)
            if found is not None and accepts(found.version):
                return found
        return self._by_uv(wanted, accepts, report)

    def _own(self) -> Interpreter:
        base = Path(os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable))
        return Interpreter(
            executable=base,
            version=".".join(map(str, sys.version_info[:3])),
            implementation=sys.implementation.name,
            because="no Python is asked for, and mlproj runs on this one",
        )

    def _candidates(self, wanted: str, project: Path) -> Iterator[tuple[Path, str]]:
        plain = _PLAIN.fullmatch(wanted) is not None
        minor = ".".join(wanted.split(".")[:2]) if plain else ""
        if not plain:
            yield self._own().executable, "the Python that mlproj runs on fits"
        names = dict.fromkeys((f"python{minor}", "python3", "python"))
        for name in names:
            for path in on_path(name, self.environ):
                behind = pyenv.behind_shim(path, project, self.environ) if pyenv.is_shim(path) else path
                if behind is not None:
                    yield behind, f"`{name}` on the PATH"
        for version, executable in pyenv.versions(self.environ):
            if not plain or f"{version}.".startswith(f"{wanted}."):
                yield executable, f"pyenv has {version}"
        if plain and f"{self._own().version}.".startswith(f"{wanted}."):
            yield self._own().executable, "mlproj runs on it"

    def _described(self, executable: Path, because: str) -> Interpreter | None:
        """The installation behind an executable: an environment is never made from another environment."""
        found = probe(executable, self.cache)
        if found is None:
            return None
        return Interpreter(
            executable=Path(found.base),
            version=found.version,
            implementation=found.implementation,
            because=because,
        )

    def _by_uv(self, wanted: str, accepts: Wanted, report: Report) -> Interpreter:
        words = ""
        if self.uv is not None:
            found = self._managed(self.uv, wanted, report)
            if found is None and not self.offline:
                words = self._install(self.uv, wanted, report)
                found = None if words else self._managed(self.uv, wanted, report)
            if found is not None and accepts(found.version):
                return found
        raise self._missing(wanted, words)

    def _managed(self, uv: Uv, wanted: str, report: Report) -> Interpreter | None:
        command = ("python", "find", "--quiet", "--managed-python", "--no-python-downloads", wanted)
        done = uv.run(command, directory=Path("/"), variables={}, report=report, stage="lock")
        return self._described(Path(done.text), "uv has it") if done.code == 0 else None

    def _install(self, uv: Uv, wanted: str, report: Report) -> str:
        """Has uv download it; returns uv's complaint where it cannot."""
        report(Started(stage="install", detail=f"Python {wanted}"))
        command = ("python", "install", "--no-bin", wanted)
        done = uv.run(command, directory=Path("/"), variables={}, report=report, stage="install")
        report(Ended(stage="install"))
        if done.code == 0:
            return ""
        return gist(done.complaint)

    def _missing(self, wanted: str, words: str) -> EnvironmentFailed:
        places = ["on the PATH", f"under pyenv ({pyenv.root(self.environ) / 'versions'})"]
        places += ["among uv's"] if self.uv is not None else []
        there = [version for version, _ in pyenv.versions(self.environ)]
        minor = ".".join(wanted.split(".")[:2])
        near = [version for version in there if f"{version}.".startswith(f"{minor}.")] or there
        told = f"; there is {', '.join(near)}" if near else ""
        by_uv = f", and uv cannot install it ({words})" if words else ""
        version = wanted if _PLAIN.fullmatch(wanted) else "VERSION"
        return EnvironmentFailed(
            f"Python {wanted} is not on this machine: looked {', '.join(places)}{told}{by_uv}",
            hint=f"`pyenv install {version}` or `uv python install {version}` installs it",
        )


def _acceptance(wanted: str) -> Wanted:
    """Whether a version is one that was asked for. Raises EnvironmentFailed where nobody can tell."""
    if _PLAIN.fullmatch(wanted):
        # A pre-release is taken only by whoever asks for that one.
        return lambda version: f"{version}.".startswith(f"{wanted}.") and not _PRE_RELEASE.match(version)
    if _PRE_RELEASE.fullmatch(wanted):
        return lambda version: version == wanted
    # A specifier is rare, and reading one takes longer to import than everything else here.
    specifiers = importlib.import_module("packaging.specifiers")
    text = wanted if wanted.strip() and not re.fullmatch(r"[\d.]+\.\*", wanted) else f"=={wanted}"
    try:
        accepted = specifiers.SpecifierSet(text)
    except specifiers.InvalidSpecifier as error:
        raise EnvironmentFailed(
            f"`{wanted}` is no version of Python",
            hint='write `python: "3.11"`, `python: "3.11.7"` or a range such as `python: ">=3.9,<3.12"`',
        ) from error
    return lambda version: bool(accepted.contains(version))
