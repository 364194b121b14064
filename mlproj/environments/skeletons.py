"""Makes bare virtualenvs, one per Python and then by copying: making one takes as long as resolving.

A skeleton holds no activation scripts and no packages, and so nothing that names its own folder: a copy of
it is a virtualenv as good as a new one.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from mlproj import process
from mlproj.environments.probing import stamp_of
from mlproj.environments.uv import tool_failure
from mlproj.errors import EnvironmentFailed
from mlproj.model.digest import Digest, canonical
from mlproj.model.environment import Interpreter

_OLDEST_FOR_VIRTUALENV = (3, 8)
"""virtualenv leaves a start-up file behind that older Pythons cannot read; their own `venv` serves them."""

_OLDEST_TO_SEED = (3, 9)
"""virtualenv brings no pip for older ones."""

_ABANDONED = 3600.0
"""Seconds after which nobody can still be making a skeleton."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeletons:
    """The bare virtualenvs in the cache folder."""

    cache: Path

    def prepare(self, python: Interpreter) -> threading.Thread:
        """Starts making the skeleton that `put` will want, while the caller does something else."""
        thread = threading.Thread(target=self._quietly, args=(python,), daemon=True)
        thread.start()
        return thread

    def put(self, python: Interpreter, folder: Path) -> None:
        """Makes `folder` a bare virtualenv of this Python. Raises EnvironmentFailed."""
        made = self._made(python)
        shutil.copytree(made, folder, symlinks=True)
        with contextlib.suppress(OSError):
            os.utime(made)  # says that it is wanted

    def _quietly(self, python: Interpreter) -> None:
        # Whoever needs the skeleton tries again, and tells of the failure.
        with contextlib.suppress(EnvironmentFailed, process.ProgramMissing, OSError):
            self._made(python)

    def _made(self, python: Interpreter) -> Path:
        parts = [str(python.executable), *map(str, stamp_of(python.executable)), python.version]
        target = self.cache / "skeletons" / Digest.of(canonical(parts)).hex[:32]
        if target.is_dir() and (target / "bin" / "python").exists():
            return target
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        _clear(target.parent)
        aside = Path(tempfile.mkdtemp(prefix=".making-", dir=target.parent))
        try:
            make_virtualenv(python, aside / "virtualenv", self.cache, seeded=False)
            # Another process may have been quicker; its skeleton is as good.
            with contextlib.suppress(OSError):
                os.rename(aside / "virtualenv", target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return target


def _clear(folder: Path) -> None:
    """Removes what a process that was killed left half made."""
    for leftover in folder.glob(".making-*"):
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > _ABANDONED:
                shutil.rmtree(leftover, ignore_errors=True)


def make_virtualenv(python: Interpreter, folder: Path, cache: Path, *, seeded: bool) -> None:
    """A virtualenv in the new folder `folder`, with pip in it where it is to be `seeded`.

    Raises EnvironmentFailed with what the tool said.
    """
    version = tuple(int(part) for part in python.version.split(".")[:2])
    app_data = cache / "virtualenv"
    seeds = ("--pip", "bundle") if seeded else ("--no-seed",)
    options = ("--quiet", "--no-periodic-update", "--activators", "", *seeds)
    if os.path.realpath(python.executable) == os.path.realpath(sys.executable):
        importlib.import_module("mlproj.environments.bare").make_bare(folder, app_data, options)
    elif version < (_OLDEST_TO_SEED if seeded else _OLDEST_FOR_VIRTUALENV):
        _run(python, (python.executable, "-I", "-m", "venv", *(() if seeded else ("--without-pip",)), folder))
    else:
        program = (sys.executable, "-m", "virtualenv", "--app-data", app_data)
        _run(python, (*program, *options, "--python", python.executable, folder))
    for script in (folder / "bin").glob("[aA]ctivate*"):
        script.unlink()


def _run(python: Interpreter, command: tuple[str | Path, ...]) -> None:
    done = process.run(command, directory=Path(command[-1]).parent, patch={"PYTHONHOME": None})
    if done.code != 0:
        what = f"a virtualenv of Python {python.version} ({python.executable}) cannot be made"
        raise tool_failure(what, done.complaint)
