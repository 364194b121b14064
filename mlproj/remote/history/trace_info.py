"""What is told of a trace, in the form of MLflow 3, whichever version kept it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlproj.model.moment import duration_text, timestamp

LOCATION = "mlflow.artifactLocation"
"""The tag that says where a trace's files are."""


def info_of(trace_id: str, **told: Any) -> dict[str, Any]:
    """The info of a trace, without what is not known of it."""
    return {"trace_id": trace_id, **{key: value for key, value in told.items() if value not in (None, [])}}


def duration(milliseconds: int | None) -> str | None:
    """A duration as the protocol has it."""
    return None if milliseconds is None else duration_text(int(milliseconds))


def info_of_v2(
    found: Mapping[str, Any], metadata: Mapping[str, str], tags: Mapping[str, str]
) -> dict[str, Any]:
    """The info of a trace of MLflow 2."""
    status = str(found.get("status") or "")
    return info_of(
        str(found["request_id"]),
        request_time=timestamp(int(found.get("timestamp_ms") or 0) / 1000),
        execution_duration=duration(found.get("execution_time_ms")),
        state=status if status else None,
        trace_metadata=dict(metadata),
        tags=dict(tags),
    )


def pairs_of(found: Any) -> dict[str, str]:
    """Keys and values, listed as MLflow 2 has them or as a mapping."""
    if isinstance(found, Mapping):
        return {str(key): str(value) for key, value in found.items()}
    return {str(item["key"]): str(item.get("value", "")) for item in found or ()}
