"""What a model is: what it takes and gives, what it needs, and what it came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlproj.cli.pages.models import registered
from mlproj.cli.pages.run import dataset_row
from mlproj.cli.sheet import Row, Section
from mlproj.cli.words import content, size
from mlproj.model.digest import plain
from mlproj.model.mlmodel import Column, Flavor, MlModel
from mlproj.model.run import Run
from mlproj.services.found_models import FoundModel

_SIGNATURE = ("inputs", "outputs", "params")


def model_page(found: FoundModel) -> tuple[Section, ...]:
    described = found.description
    rows: list[Row] = [
        ("model", found.uri),
        ("size", size(found.size)),
        ("digest", str(found.digest)),
    ]
    sections = [Section(rows=(*rows, *map(_version, found.versions)))]
    if described is not None:
        sections.append(Section(title="MLflow", rows=tuple(_described(described))))
        sections.append(Section(title="flavours", rows=tuple(map(_flavor, described.flavors))))
        sections.append(Section(title="signature", rows=tuple(_signature(described))))
    if found.run is not None:
        sections.append(Section(title="run", rows=tuple(_run(found.run))))
    data = tuple((state.name, state.path, *content(state, "no digest")) for state in found.inputs)
    sections.append(Section(title="data", rows=data))
    return (*sections, Section(title="datasets", rows=tuple(map(dataset_row, found.datasets))))


def model_document(found: FoundModel) -> dict[str, Any]:
    described, run = found.description, found.run
    state = None if run is None or run.job is None else run.job.environment
    return {
        "schema": "mlproj/model/1",
        "uri": found.uri,
        "kind": "file" if described is None else "mlflow",
        "digest": found.digest,
        "size": found.size,
        "flavors": {} if described is None else {each.name: each.details for each in described.flavors},
        "signature": None if described is None else _told_signature(described),
        "input_example": None if described is None else described.input_example,
        "mlflow_version": None if described is None else described.mlflow,
        "model_id": None if described is None else described.model_id,
        "created": None if described is None else described.created,
        "metadata": {} if described is None else described.metadata,
        "environment": {
            "files": [] if described is None else list(described.environment),
            "lock": None if state is None else state.lock,
            "lock_file": None if state is None else state.lock_file,
        },
        "run_id": run.run_id if run is not None else None if described is None else described.run_id,
        "run": None if run is None else {"run_id": run.run_id, "name": run.name, "record": run.record},
        "inputs": [plain(state) for state in found.inputs],
        "datasets": [plain(data) for data in found.datasets],
        "versions": [plain(version) for version in found.versions],
    }


def _version(version: Any) -> Row:
    return ("registered", registered(version))


def _described(model: MlModel) -> Iterator[Row]:
    told = (
        ("made by", None if model.mlflow is None else f"MLflow {model.mlflow}"),
        ("created", model.created),
        ("id", model.model_id),
        ("logged as", model.path if model.path is None or ":/" not in model.path else None),
        ("by run", model.run_id),
        ("environment", ", ".join(model.environment) or "none is named"),
        ("input example", model.input_example),
    )
    yield from ((name, text) for name, text in told if text)
    yield from ((f"metadata {key}", str(value)) for key, value in model.metadata.items())


def _flavor(flavor: Flavor) -> Row:
    details = (f"{key} {value}" for key, value in flavor.details.items() if isinstance(value, str | int))
    return (flavor.name, ", ".join(details))


def _signature(model: MlModel) -> Iterator[Row]:
    for name in _SIGNATURE:
        columns: tuple[Column, ...] | None = getattr(model.signature, name)
        for place, column in enumerate(columns or ()):
            default = "" if name != "params" else f"default {column.default}"
            label = "" if place else name
            yield (label, str(column), default) if default else (label, str(column))


def _told_signature(model: MlModel) -> dict[str, Any]:
    return {
        name: None if columns is None else [column.document for column in columns]
        for name in _SIGNATURE
        for columns in (getattr(model.signature, name),)
    }


def _run(run: Run) -> Iterator[Row]:
    yield ("run", run.run_id)
    yield ("name", run.name)
    yield ("status", run.status.value)
    if run.record is not None:
        yield ("record", f"{run.record} (no. {run.sequence})")
    if run.job is not None:
        source, state = run.job.source, run.job.environment
        if source.commit is not None:
            yield ("commit", f"{source.commit}{' and changes' if source.dirty else ''}")
        if state.lock is not None:
            yield ("lock", f"{state.lock} ({state.kind}, {state.packages} packages)")
    for key, value in () if run.outcome is None else run.outcome.latest.items():
        yield ("metric", f"{key} {value}")
