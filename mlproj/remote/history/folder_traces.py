"""Traces in a folder that MLflow keeps: what is told of each, in the form of the version that wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlproj.moving_ports import ForeignTrace
from mlproj.remote.history.folder_files import files_in, read_meta, texts_in
from mlproj.remote.history.trace_info import LOCATION, duration, info_of_v2

_INFO = "trace_info.yaml"


def trace_in(place: Path) -> ForeignTrace | None:
    """The trace in a folder; None where none was written to its end. Raises DataError."""
    if not (place / _INFO).is_file():
        return None
    meta = dict(read_meta(place, _INFO))
    metadata, tags = texts_in(place / "request_metadata"), texts_in(place / "tags")
    if "request_id" in meta:
        info = info_of_v2(meta, metadata, tags)
    else:
        taken = duration(meta.pop("execution_duration_ms", None)) or meta.get("execution_duration")
        info = {**meta, "execution_duration": taken, "trace_metadata": metadata, "tags": tags}
        info = {key: value for key, value in info.items() if value is not None}
    info["assessments"] = _assessments(place / "assessments")
    return ForeignTrace(trace_id=place.name, info=info, artifact_uri=tags.get(LOCATION))


def _assessments(folder: Path) -> list[dict[str, Any]]:
    found = []
    for _, path in files_in(folder):
        meta = dict(read_meta(path.parent, path.name))
        found.append({key: value for key, value in meta.items() if value is not None})
    return found
