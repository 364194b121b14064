"""A run as MLflow kept it: what is put down of it when it is brought in, to tell later what changed there."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from mlproj.model.digest import as_digest
from mlproj.model.logged import LARGEST, number_of, spelt
from mlproj.model.record import encode
from mlproj.model.tracking import Metric, TrackedRun

MOVED_SCHEMA = "mlproj/mlflow-run/1"


class _Latest(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    value: float | str
    step: int
    timestamp: int


class _MovedRun(msgspec.Struct, frozen=True, kw_only=True):
    schema: str
    run: TrackedRun
    latest: tuple[_Latest, ...]
    """The metrics of the run: JSON has no number for NaN."""


def moved_document(run: TrackedRun) -> bytes:
    """The canonical bytes of a run: the same for what is the same, in whichever order it was told."""
    latest = tuple(
        _Latest(key=point.key, value=spelt(point.value), step=point.step, timestamp=point.timestamp)
        for point in sorted(run.metrics, key=lambda point: point.key)
        if is_storable(point)
    )
    plain = replace(
        run,
        metrics=(),
        params=tuple(sorted(run.params)),
        tags=tuple(sorted(run.tags)),
        inputs=tuple(sorted(run.inputs, key=lambda item: (item.dataset.name, item.dataset.digest))),
        model_inputs=tuple(sorted(run.model_inputs)),
        model_outputs=tuple(sorted(run.model_outputs, key=lambda model: model.model_id)),
    )
    return encode(_MovedRun(schema=MOVED_SCHEMA, run=plain, latest=latest))


def read_moved(document: bytes) -> TrackedRun:
    """The run that `moved_document` wrote. Raises ValueError."""
    moved = msgspec.json.decode(document, type=_MovedRun, dec_hook=as_digest)
    if moved.schema != MOVED_SCHEMA:
        raise ValueError(f"a run of another schema: {moved.schema}")
    return replace(
        moved.run,
        metrics=tuple(
            Metric(key=point.key, value=number_of(point.value), step=point.step, timestamp=point.timestamp)
            for point in moved.latest
        ),
    )


def is_storable(point: Metric) -> bool:
    """Whether a record can hold the point's step and time."""
    return abs(point.step) <= LARGEST and abs(point.timestamp) <= LARGEST
