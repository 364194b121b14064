"""What requests and answers are made of: numbers, pairs, points, and how MLflow spells them in JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from mlproj.model.tracking import Lifecycle, Metric, Pairs, RunStatus
from mlproj.server.failures import invalid

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Named = Annotated[str, Meta(min_length=1)]
"""Text that has to be there: an empty one counts as missing."""

EnumValue = str | int
"""A value of an enumeration, by its name or its number."""

Number = float | str
"""A number in an answer: JSON has none that are not finite, so they are text there."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks. Fields without a default have to be given."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a client is told. Fields that hold their default are left out, as protobuf does."""


class Empty(Answer, frozen=True, kw_only=True):
    """Done."""


class Pair(Request, frozen=True, kw_only=True):
    """A tag or a param."""

    key: Named
    value: str = ""


class ToldPair(Answer, frozen=True, kw_only=True):
    key: str
    value: str


class Point(Metric, frozen=True, kw_only=True):
    """A metric as it is logged, its numbers within 64 bits."""

    key: Named
    timestamp: Int64
    step: Int64 = 0


class ToldMetric(Answer, frozen=True, kw_only=True):
    """A point as it is told; `run_id` where several runs are told of."""

    key: str
    value: Number
    timestamp: int
    step: int
    dataset_name: str | None = None
    dataset_digest: str | None = None
    model_id: str | None = None
    run_id: str | None = None


class FileInfo(Answer, frozen=True, kw_only=True):
    """A file or a folder; a folder has no size."""

    path: str
    is_dir: bool
    file_size: int | None = None


def number(value: float) -> Number:
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def pairs(given: Iterable[Pair]) -> Pairs:
    """Sorted by key; of one that is given twice the last."""
    return tuple(sorted({pair.key: pair.value for pair in given}.items()))


def told_pairs(given: Pairs) -> tuple[ToldPair, ...]:
    return tuple(ToldPair(key=key, value=value) for key, value in given)


def told_metric(point: Metric, run_id: str | None = None) -> ToldMetric:
    return ToldMetric(
        key=point.key,
        value=number(point.value),
        timestamp=point.timestamp,
        step=point.step,
        dataset_name=point.dataset_name,
        dataset_digest=point.dataset_digest,
        model_id=point.model_id,
        run_id=run_id or point.run_id,
    )


_VIEWS: dict[str, Lifecycle | None] = {
    "ACTIVE_ONLY": Lifecycle.ACTIVE,
    "1": Lifecycle.ACTIVE,
    "DELETED_ONLY": Lifecycle.DELETED,
    "2": Lifecycle.DELETED,
    "ALL": None,
    "3": None,
}
_STATUSES = {str(number): status for number, status in enumerate(RunStatus, start=1)}
_STATUSES |= {status.value: status for status in RunStatus}
_MODEL_STATUSES = {"PENDING": "1", "READY": "2", "FAILED": "3"}


def view(value: EnumValue) -> Lifecycle | None:
    """Which things are asked for: active ones, deleted ones, or None for all."""
    try:
        return _VIEWS[str(value)]
    except KeyError:
        raise invalid(
            f"Invalid value '{value}' for a view type: one of ACTIVE_ONLY, DELETED_ONLY, ALL"
        ) from None


def run_status(value: EnumValue) -> RunStatus:
    try:
        return _STATUSES[str(value)]
    except KeyError:
        raise invalid(f"Invalid value '{value}' for parameter 'status' supplied.") from None


def model_status(value: EnumValue) -> str:
    """`READY` for `LOGGED_MODEL_READY` and for its number."""
    for status, position in _MODEL_STATUSES.items():
        if str(value) in (position, told_model_status(status)):
            return status
    raise invalid(f"Invalid value '{value}' for parameter 'status' supplied.")


def told_model_status(status: str) -> str:
    return f"LOGGED_MODEL_{'UPLOAD_FAILED' if status == 'FAILED' else status}"
