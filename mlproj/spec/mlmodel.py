"""`MLmodel`: the description in a model's folder, of any of MLflow's versions, read without MLflow."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from mlproj.errors import SpecError
from mlproj.model.mlmodel import Column, ColumnType, Flavor, MlModel, Signature
from mlproj.model.project import Finding
from mlproj.model.run import MODEL_FILE
from mlproj.spec import fields, text
from mlproj.spec.documents import Table, failure, is_null, parse, value_of

ENVIRONMENT_FILES = ("python_env.yaml", "conda.yaml", "requirements.txt", "pylock.toml")
"""In the order in which they are asked."""

_DEEPEST = 20


def read_model(directory: Path) -> MlModel:
    """The model in a folder. Raises SpecError, with file and line."""
    findings: list[Finding] = []
    root = parse(text.read(directory, MODEL_FILE), MODEL_FILE, findings)
    if not isinstance(root, Table):
        raise SpecError(f"`{MODEL_FILE}` must be a mapping", file=MODEL_FILE)
    return MlModel(
        flavors=_flavors(root),
        signature=_signature(root),
        run_id=fields.text(root, "run_id", "run_id"),
        model_id=fields.text(root, "model_id", "model_id"),
        uuid=fields.text(root, "model_uuid", "model_uuid"),
        path=fields.text(root, "artifact_path", "artifact_path"),
        created=fields.text(root, "utc_time_created", "utc_time_created"),
        mlflow=fields.text(root, "mlflow_version", "mlflow_version"),
        size=_size(root),
        input_example=_input_example(root),
        environment=tuple(name for name in ENVIRONMENT_FILES if os.path.isfile(directory / name)),
        metadata=_mapping(root, "metadata"),
    )


def _flavors(root: Table) -> tuple[Flavor, ...]:
    entry = root.find("flavors")
    if entry is None or not isinstance(entry.value, Table):
        place = root.location if entry is None else entry.location
        raise failure("`flavors` must be a mapping of the ways to load the model", place)
    return tuple(
        Flavor(name=flavor.key, details=_plain(value_of(flavor.value)) if _is_table(flavor.value) else {})
        for flavor in entry.value.entries
    )


def _is_table(node: object) -> bool:
    return isinstance(node, Table)


def _mapping(root: Table, key: str) -> dict[str, Any]:
    entry = root.find(key)
    found = None if entry is None else _plain(value_of(entry.value))
    return found if isinstance(found, dict) else {}


def _plain(value: object) -> Any:
    """As JSON has it: YAML's dates and bytes as texts."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _size(root: Table) -> int | None:
    told = fields.text(root, "model_size_bytes", "model_size_bytes")
    return int(told) if told is not None and told.isascii() and told.isdigit() else None


def _input_example(root: Table) -> str | None:
    path = _mapping(root, "saved_input_example_info").get("artifact_path")
    return path if isinstance(path, str) else None


def _signature(root: Table) -> Signature:
    entry = root.find("signature")
    if entry is None or is_null(entry.value):
        return Signature()
    if not isinstance(entry.value, Table):
        raise failure(f"`signature` must be a mapping, not {fields.kind(entry.value)}", entry.location)
    return Signature(
        inputs=_columns(entry.value, "inputs"),
        outputs=_columns(entry.value, "outputs"),
        params=_columns(entry.value, "params"),
    )


def _columns(table: Table, key: str) -> tuple[Column, ...] | None:
    """The columns in a text of JSON, which is how MLflow writes them."""
    written = fields.text(table, key, f"signature.{key}")
    if written is None:
        return None
    entry = table.find(key)
    assert entry is not None, "it was found just now"
    try:
        listed = json.loads(written)
        return None if listed is None else tuple(_column(item, 0) for item in listed)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise failure(
            f"`signature.{key}` is no list of columns as MLflow writes it", entry.location
        ) from error


def _column(item: dict[str, Any], depth: int) -> Column:
    name, required = item.get("name"), item.get("required")
    if required is None:  # how a signature of MLflow 2.0 to 2.3 says it
        required = not item.get("optional", False)
    return Column(
        name=None if name is None else str(name),
        type=_type(item, depth),
        required=bool(required),
        default=item.get("default"),
        document=item,
    )


def _type(item: dict[str, Any], depth: int) -> ColumnType:
    if depth > _DEEPEST:
        raise ValueError("nested too deep")
    name, shape = str(item["type"]), item.get("shape")
    if name == "tensor":
        spec = item["tensor-spec"]
        return ColumnType(name=name, dtype=str(spec["dtype"]), shape=tuple(map(int, spec["shape"])))
    if name in ("array", "map"):
        inner = item["items" if name == "array" else "values"]
        return ColumnType(name=name, items=_type(inner, depth + 1))
    if name == "object":
        properties = item.get("properties") or {}
        parts = (_column({**part, "name": key}, depth + 1) for key, part in properties.items())
        return ColumnType(name=name, fields=tuple(parts))
    if shape is not None:  # a parameter that is a list of such values
        return ColumnType(name="array", items=ColumnType(name=name))
    return ColumnType(name=name)
