"""What lies in a folder of MLflow's: small YAML files, and a file for each param, tag and metric."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from mlproj.errors import DataError

META = "meta.yaml"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_meta(folder: Path, name: str = META) -> Mapping[str, Any]:
    """What the YAML file in a folder says. Raises DataError."""
    path = folder / name
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), _LOADER)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError(f"`{path}` cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise DataError(f"`{path}` describes nothing")
    return found


def folders_in(folder: Path) -> Iterator[Path]:
    """The folders in a folder, by name; none where there is no such folder. Links are none."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return
    yield from (folder / name for name in names)


def texts_in(folder: Path) -> dict[str, str]:
    """What each file below a folder holds, by its path: keys may have a `/`."""
    found = {}
    for key, path in files_in(folder):
        try:
            found[key] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"`{path}` cannot be read: {error}") from error
    return found


def files_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """The regular files below a folder, by path."""
    for inside, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(inside, name)
            if stat.S_ISREG(path.lstat().st_mode):
                yield path.relative_to(folder).as_posix(), path


def whole(found: Any) -> int | None:
    """A whole number as YAML has it, or as text; None for nothing."""
    return None if found in (None, "", "None") else int(found)
