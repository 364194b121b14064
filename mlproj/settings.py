"""Settings of the person and the machine, from environment variables, each in one place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import platformdirs


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where environments, locks and stat caches are kept for all projects: `MLPROJ_CACHE_DIR`, else the
    user's cache folder. Not made here.
    """
    chosen = environ.get("MLPROJ_CACHE_DIR")
    return Path(chosen).absolute() if chosen else Path(platformdirs.user_cache_dir("mlproj"))
