"""Knows how pyenv lays out its Pythons, so that its shims need not be run to see what they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlproj.files import read_regular

_NUMBER = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def root(environ: Mapping[str, str]) -> Path:
    """The folder that pyenv keeps its Pythons in, whether it is there or not."""
    return Path(environ.get("PYENV_ROOT") or Path(environ.get("HOME", "/")) / ".pyenv")


def is_shim(path: Path) -> bool:
    """Whether an executable is one of pyenv's stand-ins, which choose a Python when they run."""
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError:
        return False
    return head.startswith(b"#!") and b"pyenv" in head


def versions(environ: Mapping[str, str]) -> tuple[tuple[str, Path], ...]:
    """The (version, executable) pairs that are installed, newest first; virtualenvs are not among them."""
    try:
        folders = sorted((root(environ) / "versions").iterdir())
    except OSError:
        return ()
    numbered = [(match, folder) for folder in folders if (match := _NUMBER.fullmatch(folder.name))]
    numbered.sort(key=lambda pair: tuple(map(int, pair[0].groups())), reverse=True)
    pairs = ((folder.name, folder / "bin" / "python") for _, folder in numbered)
    return tuple((version, executable) for version, executable in pairs if executable.exists())


def behind_shim(shim: Path, project: Path, environ: Mapping[str, str]) -> Path | None:
    """The executable that a shim runs in the folder `project`; None where pyenv would pass on to the PATH.

    The first of the chosen versions that has the program counts.
    """
    for name in _chosen(project, environ):
        folder = _folder(name, environ)
        if folder is not None and (folder / "bin" / shim.name).exists():
            return folder / "bin" / shim.name
    return None


def _folder(name: str, environ: Mapping[str, str]) -> Path | None:
    exact = root(environ) / "versions" / name
    if exact.is_dir():
        return exact
    # pyenv reads `3.11` as the newest 3.11 that is installed.
    near = (executable for version, executable in versions(environ) if version.startswith(f"{name}."))
    found = next(near, None)
    return None if found is None else found.parent.parent


def _chosen(project: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    if environ.get("PYENV_VERSION"):
        return tuple(environ["PYENV_VERSION"].split(":"))
    for file in (*_version_files(project), root(environ) / "version"):
        try:
            lines = read_regular(file).decode().split("\n")
        except (OSError, UnicodeError):
            continue
        words = [word for line in lines for word in line.partition("#")[0].split()]
        if words:
            return tuple(word.removeprefix("python-") for word in words)
    return ()


def _version_files(project: Path) -> Iterator[Path]:
    for folder in (project, *project.parents):
        yield folder / ".python-version"
