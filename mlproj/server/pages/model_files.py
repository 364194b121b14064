"""What a folder of files says of the model in it: its `MLmodel`, as far as that can be read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from mlproj.errors import MlprojError
from mlproj.model.run import MODEL_FILE
from mlproj.server.pages.visit import Visit
from mlproj.spec.documents import parse, value_of

_LARGEST = 1024 * 1024
_MOST = 500
_TOLD = ("utc_time_created", "mlflow_version", "model_size_bytes", "run_id", "model_id", "artifact_path")
_VERSION = "_version"


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a model takes (`input`, `parameter`) or gives (`output`)."""

    part: str
    name: str
    type: str
    required: bool = True


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """Flavours, each with the version of its library; the signature; and what else is said of the model."""

    flavours: tuple[tuple[str, str], ...]
    fields: tuple[Field, ...]
    facts: tuple[tuple[str, str], ...]


def model_card(visit: Visit, folder: str) -> ModelCard | None:
    """Of the stored folder `folder`; None where there is no model, or its description cannot be read."""
    try:
        stored = f"{folder}/{MODEL_FILE}"
        if visit.desk.artifacts.size(stored) > _LARGEST:
            return None
        return read_card(b"".join(visit.desk.artifacts.read(stored)).decode(errors="replace"))
    except MlprojError:
        return None


def read_card(text: str) -> ModelCard | None:
    """What the text of an `MLmodel` says. Raises SpecError for one that is no YAML."""
    root = parse(text, MODEL_FILE, [])
    said = None if root is None else value_of(root)
    if not isinstance(said, dict):
        return None
    signature = _mapping(said.get("signature"))
    parts = (("input", "inputs"), ("output", "outputs"), ("parameter", "params"))
    fields = [field for part, key in parts for field in _fields(part, signature.get(key))]
    flavours = _mapping(said.get("flavors"))
    return ModelCard(
        flavours=tuple((str(name), _version(_mapping(flavour))) for name, flavour in flavours.items()),
        fields=tuple(fields[:_MOST]),
        facts=tuple((key, str(said[key])) for key in _TOLD if said.get(key) is not None),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _version(flavour: Mapping[str, Any]) -> str:
    """The version of the library: flavours have it under names of their own, pyfunc of Python."""
    return next((str(value) for key, value in flavour.items() if str(key).endswith(_VERSION)), "")


def _fields(part: str, told: object) -> Iterator[Field]:
    """MLflow keeps each part of a signature as JSON in a text."""
    try:
        listed = json.loads(told) if isinstance(told, str) else None
    except (ValueError, RecursionError):
        return
    for place, item in enumerate(listed if isinstance(listed, list) else ()):
        field = _mapping(item)
        required = field.get("required", True) is not False
        yield Field(part=part, name=str(field.get("name", place)), type=_type(field), required=required)


def _type(field: Mapping[str, Any]) -> str:
    """`double`, `tensor float32 [-1, 28]`, `object` and the like, in a line."""
    tensor = _mapping(field.get("tensor-spec"))
    if tensor:
        return f"tensor {tensor.get('dtype', '')} {tensor.get('shape', '')}".strip()
    return str(field.get("type", field.get("dtype", "")))
