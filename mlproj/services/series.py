"""Every value that a run's metrics took: from the files that it wrote, and from what its script logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlproj.errors import StoreError
from mlproj.model.logged import read_points, spelt
from mlproj.model.run import Run
from mlproj.store_ports import BlobStore

MOST = 10_000
"""Points that are read at most: what is shown of them is a line of a few characters."""


def series(run: Run, blobs: BlobStore) -> Mapping[str, Sequence[float | str]]:
    """The values by metric, sorted by step and time. Without those that were logged where there are too many,
    or where the store does not hold them any more (of which `verify` tells)."""
    values: dict[str, list[float | str]] = {}
    if run.outcome is None:
        return values
    for point in run.outcome.metrics:
        values.setdefault(point.key, []).append(point.value)
    logged = run.outcome.logged
    if logged is None or logged.history is None or sum(metric.count for metric in logged.metrics) > MOST:
        return values
    try:
        with blobs.path(logged.history).open("rb") as lines:
            for key, (_, _, value) in read_points(lines):
                values.setdefault(key, []).append(spelt(value))
    except (StoreError, OSError, ValueError):
        return values
    return values
