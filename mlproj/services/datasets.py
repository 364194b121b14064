"""The datasets that a run's script said it read, told as a person would: by file or address, and by size."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import msgspec

from mlproj.errors import StoreError
from mlproj.model.digest import Digest
from mlproj.model.logged import LoggedDataset
from mlproj.model.redaction import without_credentials
from mlproj.model.run import Run
from mlproj.store_ports import BlobStore

_CONTEXT = "mlflow.data.context"
_PLACES = ("uri", "url", "path", "table_name", "delta_table_name", "sql")
"""Fields of a source that say where it is, as the kinds of MLflow's sources have them."""
_SCRIPT = "mlflow.source.name"
_COUNTS = ("num_rows", "approx_count", "features_cardinality")
_LARGEST = 4 * 1024 * 1024


class ShownDataset(msgspec.Struct, frozen=True, kw_only=True):
    """`source` is a path, an address, or the script that made it; `rows` and `columns` None where the script
    did not tell."""

    name: str
    digest: str
    rows: int | None = None
    columns: int | None = None
    context: str | None = None
    source: str
    source_type: str


def datasets_of(run: Run, blobs: BlobStore) -> tuple[ShownDataset, ...]:
    """What was logged before the seal, as it was recorded."""
    logged = None if run.outcome is None else run.outcome.logged
    return () if logged is None else tuple(_shown(data, blobs) for data in logged.datasets)


def _shown(data: LoggedDataset, blobs: BlobStore) -> ShownDataset:
    profile, schema = _document(data.profile, blobs), _document(data.schema, blobs)
    rows = _rows(profile)
    return ShownDataset(
        name=data.name,
        digest=data.digest,
        source=readable_source(data.source),
        source_type=data.source_type,
        context=dict(data.tags).get(_CONTEXT),
        rows=rows,
        columns=_columns(schema, profile, rows),
    )


def readable_source(source: str) -> str:
    """Where the data came from; the text as it is where it says that in no way that is known."""
    try:
        told = json.loads(source)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        return without_credentials(source)
    tags = told.get("tags")
    script = tags.get(_SCRIPT) if isinstance(tags, dict) else None
    places = [told[name] for name in _PLACES if isinstance(told.get(name), str)]
    if not places:
        return f"made by {script}" if isinstance(script, str) else without_credentials(source)
    place: str = places[0]
    return unquote(urlsplit(place).path) if place.startswith("file://") else without_credentials(place)


def _document(digest: Digest | None, blobs: BlobStore) -> Mapping[str, object]:
    """The JSON object in a blob; nothing where it is none, or not there."""
    if digest is None:
        return {}
    try:
        path = blobs.path(digest)
        found = json.loads(path.read_bytes()) if path.stat().st_size <= _LARGEST else None
    except (StoreError, OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _rows(profile: Mapping[str, object]) -> int | None:
    counts = [count for name in _COUNTS if isinstance(count := profile.get(name), int)]
    shape = _shape(profile)
    return counts[0] if counts else shape[0] if shape else None


def _columns(schema: Mapping[str, object], profile: Mapping[str, object], rows: int | None) -> int | None:
    columns, elements, shape = schema.get("mlflow_colspec"), profile.get("num_elements"), _shape(profile)
    if isinstance(columns, list):
        return len(columns)
    if rows and isinstance(elements, int):
        return elements // rows
    return shape[1] if len(shape) == 2 else None


def _shape(profile: Mapping[str, object]) -> list[int]:
    shape = profile.get("features_shape")
    return shape if isinstance(shape, list) and all(isinstance(length, int) for length in shape) else []
