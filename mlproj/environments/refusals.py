"""Turns what the machine refuses while an environment is made into an error that a person can act on."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from mlproj.errors import EnvironmentFailed
from mlproj.process import ProgramMissing


@contextlib.contextmanager
def translated(cache: Path) -> Iterator[None]:
    """Raises EnvironmentFailed for a program that is missing and for what the system says of a file."""
    try:
        yield
    except ProgramMissing as error:
        raise EnvironmentFailed(str(error)) from error
    except OSError as error:
        place = f" (`{error.filename}`)" if error.filename else ""
        hint = f"`MLPROJ_CACHE_DIR` chooses another folder than `{cache}`"
        if error.errno == errno.ENOSPC:
            hint = f"free some space; {hint}"
        raise EnvironmentFailed(
            f"the environment cannot be put into the cache: {error.strerror or error}{place}", hint=hint
        ) from error
