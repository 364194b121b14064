"""Sees to it that a lock as of an instant holds nothing that came later, whatever made it let in."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from mlproj.errors import EnvironmentFailed
from mlproj.model.moment import seconds_of
from mlproj.spec.locks import Artifact, Package, parse_pylock

_HINT = (
    "take an index that tells upload times (PEP 700), or leave out `--as-of`"
    " and write the versions into the requirements"
)


def untold(name: str) -> EnvironmentFailed:
    """The error for an index that does not say since when it has its files; the caller raises it."""
    return EnvironmentFailed(
        f"the index that has `{name}` tells no upload times, and so nothing of what it held at an instant",
        hint=_HINT,
    )


def check_uploads(text: str, as_of: str) -> None:
    """Raises EnvironmentFailed where the lock `text` (PEP 751) names a file of an index that was uploaded at
    `as_of` or later, or of which nobody knows. What has an address of its own is as its author wrote it."""
    end = seconds_of(as_of)
    for package in parse_pylock(text.encode()).packages:
        for artifact in _of_index(package):
            moment = artifact.upload_time
            if not isinstance(moment, datetime.datetime):
                raise untold(package.name)
            # A moment without a zone is in UTC (PEP 751).
            zoned = moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)
            if zoned.timestamp() >= end:
                raise EnvironmentFailed(
                    f"`{package.name}` {package.version} was uploaded at {zoned.isoformat()}, after {as_of}",
                    hint="look for `exclude-newer-package` in the settings of uv, and leave it out",
                )


def from_repositories(text: str) -> tuple[str, ...]:
    """The packages that a lock takes from repositories, which are as they are today."""
    return tuple(package.name for package in parse_pylock(text.encode()).packages if package.vcs)


def _of_index(package: Package) -> Iterator[Artifact]:
    yield from package.wheels
    if package.sdist is not None:
        yield package.sdist
