"""Reads of requirement lines what a lock's freshness hangs on: names, files, local folders, credentials."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from mlproj.errors import SpecError
from mlproj.files import digest_of
from mlproj.spec import text
from mlproj.spec.requirements import MOST_FILES, inclusion, lines, normalized

_EDITABLE = re.compile(r"(?:-e|--editable)(?:\s*=\s*|\s+|(?<=-e))(?P<what>.+)")
_NAME = re.compile(r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^]]*\])?\s*(?P<rest>.*)")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_CREDENTIALS = re.compile(r"(?:https?)://[^/\s@\"']+@[^\s\"'#;]+")
_VCS = re.compile(r"(git|hg|svn|bzr)\+")
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")

_LOCKED_FOLDER = re.compile(r'\b(?:directory|path)\s*=\s*"([^"]+)"')

_NOT_CODE = frozenset(
    {".git", ".hg", ".venv", "venv", ".mlproj", "mlruns", "__pycache__", "node_modules", "build", "dist"}
    | {".tox", ".nox", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".eggs"}
)
_LARGEST_CODE = 16 * 1024 * 1024
_METADATA = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPackage:
    """A package in a folder (or an archive) of this machine."""

    path: Path
    editable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What some lines ask for, with the lines of the files they include.

    `lines` are the outermost ones as uv takes them; `addresses` are URLs that hold credentials.
    """

    lines: tuple[str, ...]
    names: frozenset[str]
    local: tuple[LocalPackage, ...]
    files: tuple[Path, ...]
    addresses: tuple[str, ...]

    @property
    def origins(self) -> tuple[str, ...]:
        """The servers of `addresses` with their credentials, for whoever downloads from them again."""
        parts = (_split(address) for address in self.addresses)
        return tuple(dict.fromkeys(f"{part.scheme}://{part.netloc}/" for part in parts if part))


def read_requirements(asked: Iterable[str], project: Path, environ: Mapping[str, str]) -> Requirements:
    """Reads lines of a requirements file that lies in the folder `project`.

    A file that is missing or cannot be read is left to uv, which tells of it.
    """
    outer = tuple(line for _, line in lines("\n".join(asked)))
    files: list[Path] = []
    every = [statement for line in outer for statement in _with_included(line, project, files)]
    names, local, addresses = set(), [], []
    for line in every:
        addresses += _CREDENTIALS.findall(_VARIABLE.sub(lambda found: environ.get(found[1], ""), line))
        package = _local_package(line, project)
        named = None if line.startswith("-") else _NAME.fullmatch(line)
        if package is not None:
            local.append(package)
        if named and (package is None or named["rest"].startswith("@")):
            names.add(normalized(named["name"]))
    return Requirements(
        lines=tuple(map(_for_uv, outer)),
        names=frozenset(names),
        local=tuple(local),
        files=tuple(files),
        addresses=tuple(addresses),
    )


def local_packages_of_lock(content: str, folder: Path) -> tuple[LocalPackage, ...]:
    """The folders whose content a lock file in `folder` installs: those that it names and does not link."""
    copied = (line for line in content.splitlines() if "editable = true" not in line)
    paths = (folder / path for line in copied for path in _LOCKED_FOLDER.findall(line))
    return tuple(LocalPackage(path=path, editable=False) for path in paths if os.path.exists(path))


def content_of(package: LocalPackage) -> str:
    """A digest of what a local package is made of: all of its files, or its metadata where it is editable.

    Very large files count by their size alone: they are data that lies in the folder, and no code.
    """
    files = _files(package.path)
    if package.editable:
        files = (package.path / name for name in _METADATA)
    summary = hashlib.sha256()
    for path in files:
        relative = os.path.relpath(path, package.path)
        summary.update(f"{relative}\0{_content(path)}\n".encode("utf-8", "surrogateescape"))
    return summary.hexdigest()


def _content(path: Path) -> str:
    try:
        size = path.stat().st_size
        return str(size) if size > _LARGEST_CODE else digest_of(path)[0].hex
    except OSError:
        return "-"


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            name for name in folders if name not in _NOT_CODE and not name.endswith(".egg-info")
        )
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file() and not name.endswith((".pyc", ".pyo")):
                yield path


def _with_included(line: str, folder: Path, files: list[Path]) -> Iterator[str]:
    included = inclusion(line)
    if included is None:
        yield line
        return
    path = Path(os.path.normpath(folder / included.file))
    if not included.is_plain or path in files or len(files) == MOST_FILES:
        return
    files.append(path)
    try:
        content = text.read(path.parent, path.name, limit=text.REQUIREMENTS_LIMIT)
    except SpecError:
        return
    for _, statement in lines(content):
        for inner in _with_included(statement, path.parent, files):
            # A constraint asks for nothing; it is read for the files it includes and their credentials.
            if not included.is_constraint or inner.startswith("-"):
                yield inner


def _local_package(line: str, project: Path) -> LocalPackage | None:
    editable = _EDITABLE.fullmatch(line)
    if editable is None and line.startswith("-"):
        return None
    what = (editable["what"] if editable else line).partition(" ;")[0].strip("\"' ")
    _, at, address = what.partition(" @ ")
    what = (address if at else what).strip()
    if what.startswith("file:"):
        address_parts = _split(what)
        if address_parts is None:
            return None
        what = unquote(address_parts.path)
    elif "://" in what or _VCS.match(what) or not (editable or at or _looks_like_a_path(what)):
        return None
    if "\0" in what:
        return None  # no path holds it, and `expanduser` takes none that does
    path = Path(os.path.normpath(project / os.path.expanduser(re.sub(r"\[[^]]*\]$", "", what))))
    return LocalPackage(path=path, editable=editable is not None) if os.path.exists(path) else None


def _split(address: str) -> SplitResult | None:
    """The parts of a URL, None where it is none; what installs will tell of it."""
    try:
        return urlsplit(address)
    except ValueError:
        return None


def _looks_like_a_path(text: str) -> bool:
    return text.startswith((".", "/", "~")) or os.sep in text


def _for_uv(line: str) -> str:
    """uv has no editable packages from a repository, which pip lets people write; there it installs them."""
    editable = _EDITABLE.fullmatch(line)
    if editable is None or not _VCS.match(editable["what"]):
        return line
    egg = _EGG.search(editable["what"])
    address = _EGG.sub("", editable["what"])
    return f"{egg[1]} @ {address}" if egg else address
