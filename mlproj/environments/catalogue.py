"""What environments lie in the cache, of every kind, and their removal, unless somebody uses them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from mlproj.environments.cache import MARKER, USED, About, complaint, discard, read_marker
from mlproj.environments.leftovers import find_leftovers, remove_leftover
from mlproj.files import locked_now
from mlproj.model.digest import Digest
from mlproj.model.environment import BuiltEnvironment
from mlproj.model.moment import timestamp
from mlproj.ports import Leftover, Staying
from mlproj.settings import use_lock

_TELLING = (("conda-meta", "conda"), ("pyvenv.cfg", "virtualenv"))
"""What lies in an environment of a kind, for those that were built before their kind was noted."""


class EnvironmentCatalogue:
    """Implements `ports.EnvironmentCache` for the folder `cache`."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._folder = cache / "environments"

    def environments(self) -> tuple[BuiltEnvironment, ...]:
        """All that were built to their end, by their keys."""
        folders = sorted(path for path in self._folder.glob("[!.]*") if path.is_dir())
        described = (self._described(folder) for folder in folders)
        return tuple(environment for environment in described if environment is not None)

    def remove(self, key: str) -> bool:
        """Removes an environment with its lock files; False where somebody uses or builds it."""
        with self._alone(key) as alone:
            if alone:
                discard(self._folder / key)
        return alone

    def leftovers(self, staying: Staying) -> tuple[Leftover, ...]:
        return find_leftovers(self._cache, staying)

    def clear(self, leftover: Leftover) -> bool:
        return remove_leftover(leftover)

    def _described(self, folder: Path) -> BuiltEnvironment | None:
        marker = read_marker(folder)
        if marker is None:
            return None
        about = marker.about or About(kind=_kind(folder))
        built = _changed(folder / MARKER)
        return BuiltEnvironment(
            key=folder.name,
            kind=about.kind,
            python=about.python or _python(folder),
            lock=None if about.lock is None else Digest(about.lock),
            packages=about.packages,
            path=folder,
            size=size_of(folder),
            built=timestamp(built),
            used=timestamp(_changed(folder / USED) or built),
            in_use=self._is_in_use(folder.name),
            complaint=complaint(folder),
            image_size=about.image_size,
        )

    def _is_in_use(self, key: str) -> bool:
        # Looking must not make the files, nor be taken for use by somebody who looks at the same time.
        if not use_lock(self._cache, key).exists():
            return False
        with locked_now(use_lock(self._cache, key)) as free:
            return not free

    @contextlib.contextmanager
    def _alone(self, key: str) -> Iterator[bool]:
        """Holds the locks of an environment, which go with it; yields whether nobody else holds one."""
        paths = (use_lock(self._cache, key), self._folder / f"{key}.lock")
        with contextlib.ExitStack() as stack:
            alone = all(stack.enter_context(locked_now(path)) for path in paths)
            yield alone
            if alone:
                for path in paths:
                    path.unlink(missing_ok=True)


def size_of(folder: Path) -> int:
    """The bytes of all files in a folder, each once however many names it has."""
    seen: dict[tuple[int, int], int] = {}
    pending = [os.fspath(folder)]
    while pending:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    state = entry.stat(follow_symlinks=False)
                    seen[state.st_dev, state.st_ino] = state.st_size
    return sum(seen.values())


def _kind(folder: Path) -> str:
    return next((kind for name, kind in _TELLING if (folder / name).exists()), "unknown")


def _python(folder: Path) -> str:
    return next((path.name.removeprefix("python") for path in folder.glob("lib/python*")), "")


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
