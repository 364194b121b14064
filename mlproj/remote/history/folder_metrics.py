"""Points of metrics as MLflow writes them into files: a line each, with time, value and step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mlproj.errors import DataError
from mlproj.model.logged import order
from mlproj.model.tracking import Metric
from mlproj.remote.history.folder_files import files_in


def points_in(folder: Path) -> Iterator[Metric]:
    """Every point of the metrics in a run's folder. Raises DataError."""
    for key, path in files_in(folder):
        yield from _points(path, key)


def latest(path: Path, key: str) -> Metric:
    """The latest point of a metric. Raises DataError where there is none."""
    found = max(_points(path, key), key=lambda p: order((p.step, p.timestamp, p.value)), default=None)
    if found is None:
        raise DataError(f"`{path}` has no point of a metric")
    return found


def model_points(folder: Path, model_id: str) -> Iterator[Metric]:
    """What was measured of a logged model: a line tells the run too, and maybe the dataset."""
    for key, path in files_in(folder):
        for line in _lines(path):
            try:
                timestamp, value, step, run_id, *dataset = line
                yield Metric(
                    key=key,
                    value=float(value),
                    timestamp=int(timestamp),
                    step=int(step),
                    model_id=model_id,
                    run_id=run_id,
                    dataset_name=dataset[0] if len(dataset) == 2 else None,
                    dataset_digest=dataset[1] if len(dataset) == 2 else None,
                )
            except ValueError as error:
                raise _malformed(path, error) from error


def _points(path: Path, key: str) -> Iterator[Metric]:
    for parts in _lines(path):
        try:
            timestamp, value, *step = parts[:3]
            yield Metric(
                key=key, value=float(value), timestamp=int(timestamp), step=int(step[0]) if step else 0
            )
        except ValueError as error:
            raise _malformed(path, error) from error


def _lines(path: Path) -> Iterator[list[str]]:
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                if line.strip():
                    yield line.split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"`{path}` cannot be read: {error}") from error


def _malformed(path: Path, error: ValueError) -> DataError:
    return DataError(f"`{path}` has a line that is no point of a metric: {error}")
