"""Settings of the person and the machine, from environment variables, each in one place."""

from __future__ import annotations

import getpass
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec
import platformdirs

from mlproj.errors import UsageError

_MIB = 1024 * 1024
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>(?:[kmgt]i?)?)b?", re.ASCII | re.IGNORECASE)
_UNITS = {"": 1, **{f"{letter}i": 1024**power for power, letter in enumerate("kmgt", start=1)}}
_UNITS |= {letter: 1000**power for power, letter in enumerate("kmgt", start=1)}


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a run is kept, in bytes; what goes beyond is marked as cut, and never dropped in silence.

    `bundle` is for all that one holds, and `bundle_files` a number: one that is larger is not read.
    `log` is for each of the two streams, `file` for one file of a snapshot, `snapshot` for all of one;
    `fetched` for all contents that stay on this machine once they were fetched from where a store keeps them;
    `served` for one artifact that a tracking server holds, and `all_served` for all of a run's: what is
    beyond is not read for its digest; nor is what is beyond `reads` of data that nobody declared.
    """

    log: int = 64 * _MIB
    file: int = 50 * _MIB
    snapshot: int = 1024 * _MIB
    bundle: int = 1024 * 1024 * _MIB
    bundle_files: int = 1_000_000
    served: int = 256 * _MIB
    all_served: int = 1024 * _MIB
    reads: int = 4096 * _MIB
    fetched: int = 4096 * _MIB


VARIABLES = {
    "log": "MLPROJ_LOG_LIMIT",
    "file": "MLPROJ_SNAPSHOT_FILE_LIMIT",
    "snapshot": "MLPROJ_SNAPSHOT_LIMIT",
    "bundle": "MLPROJ_BUNDLE_LIMIT",
    "bundle_files": "MLPROJ_BUNDLE_FILES_LIMIT",
    "served": "MLPROJ_SERVED_FILE_LIMIT",
    "all_served": "MLPROJ_SERVED_LIMIT",
    "reads": "MLPROJ_READS_LIMIT",
    "fetched": "MLPROJ_FETCHED_LIMIT",
}
"""The variable that sets each of the limits."""


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where environments, locks and stat caches are kept for all projects: `MLPROJ_CACHE_DIR`, else the
    user's cache folder. Not made here.
    """
    chosen = environ.get("MLPROJ_CACHE_DIR")
    return Path(chosen).absolute() if chosen else Path(platformdirs.user_cache_dir("mlproj"))


def signing_key(environ: Mapping[str, str]) -> Path:
    """The file of the private key that signs where no other is named: `MLPROJ_KEY`, else the user's own."""
    chosen = environ.get("MLPROJ_KEY")
    return Path(chosen) if chosen else Path(platformdirs.user_config_dir("mlproj")) / "signing.pem"


def trusted_keys(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Files and folders of public keys that are trusted without being named: those in `MLPROJ_TRUSTED_KEYS`
    (with `:` between), else the user's own folder of them."""
    chosen = environ.get("MLPROJ_TRUSTED_KEYS")
    if chosen is None:
        return (Path(platformdirs.user_config_dir("mlproj")) / "trusted",)
    return tuple(Path(one) for one in chosen.split(os.pathsep) if one)


def user_name() -> str:
    """Who calls: the name of the account, or its number where that has no name, as often in containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # as older and newer Pythons say it
        return str(os.getuid())


def use_lock(cache: Path, key: str) -> Path:
    """The file whose lock is held, shared, by whoever uses the environment `key` of the cache, and alone by
    whoever removes it."""
    return cache / "environments" / f"{key}.use"


def container_watches(cache: Path) -> Path:
    """The folder in which each runner of a container notes which one it is."""
    return cache / "containers"


def limits(environ: Mapping[str, str]) -> Limits:
    """The limits that the variables set, in bytes or with a unit (`64MiB`, `2 GB`). Raises UsageError."""
    chosen = {
        name: size_of(variable, environ[variable])
        for name, variable in VARIABLES.items()
        if environ.get(variable)
    }
    return Limits(**chosen)


def size_of(name: str, text: str) -> int:
    """A number of bytes as people write it; `name` is what it was given as. Raises UsageError."""
    match = _SIZE.fullmatch(text.strip())
    size = float(match["number"]) * _UNITS[match["unit"].lower()] if match else math.inf
    if not math.isfinite(size):
        raise UsageError(f"`{name}` is no size: `{text}`", hint="such as `1000000`, `64MiB` or `2GB`")
    return int(size)
