"""What a tracking server answers of models and registered models, read into nouns."""

from __future__ import annotations

import msgspec

from mlproj.model.registry import ModelVersion, RegisteredModel
from mlproj.model.tracking import LoggedModel, Metric
from mlproj.remote.answers import Pair, pairs
from mlproj.remote.history.names import model_state_of, stage_of


class _ModelInfo(msgspec.Struct, frozen=True):
    model_id: str
    experiment_id: str
    name: str = ""
    creation_timestamp_ms: int = 0
    last_updated_timestamp_ms: int = 0
    artifact_uri: str = ""
    status: str | int = "LOGGED_MODEL_READY"
    model_type: str = ""
    source_run_id: str = ""
    status_message: str | None = None
    tags: tuple[Pair, ...] = ()


class _ModelPoint(msgspec.Struct, frozen=True):
    key: str
    value: float = 0.0
    timestamp: int = 0
    step: int = 0
    dataset_name: str | None = None
    dataset_digest: str | None = None
    model_id: str | None = None
    run_id: str | None = None


class _ModelData(msgspec.Struct, frozen=True):
    params: tuple[Pair, ...] = ()
    metrics: tuple[_ModelPoint, ...] = ()


class ToldModel(msgspec.Struct, frozen=True):
    info: _ModelInfo
    data: _ModelData = _ModelData()


class Models(msgspec.Struct, frozen=True):
    models: tuple[ToldModel, ...] = ()
    next_page_token: str | None = None


class _Alias(msgspec.Struct, frozen=True):
    alias: str
    version: int


class ToldRegistered(msgspec.Struct, frozen=True):
    name: str
    creation_timestamp: int = 0
    last_updated_timestamp: int = 0
    description: str | None = None
    tags: tuple[Pair, ...] = ()
    aliases: tuple[_Alias, ...] = ()


class Registered(msgspec.Struct, frozen=True):
    registered_models: tuple[ToldRegistered, ...] = ()
    next_page_token: str | None = None


class ToldVersion(msgspec.Struct, frozen=True):
    name: str
    version: int
    creation_timestamp: int = 0
    last_updated_timestamp: int = 0
    user_id: str = ""
    current_stage: str = "None"
    description: str | None = None
    source: str = ""
    run_id: str | None = None
    run_link: str | None = None
    model_id: str | None = None
    status: str = "READY"
    status_message: str | None = None
    tags: tuple[Pair, ...] = ()


class Versions(msgspec.Struct, frozen=True):
    model_versions: tuple[ToldVersion, ...] = ()
    next_page_token: str | None = None


def model_of(found: ToldModel) -> LoggedModel:
    info = found.info
    return LoggedModel(
        model_id=info.model_id,
        experiment_id=info.experiment_id,
        name=info.name,
        artifact_uri=info.artifact_uri,
        created=info.creation_timestamp_ms,
        updated=info.last_updated_timestamp_ms,
        status=model_state_of(info.status),
        status_message=info.status_message or None,
        model_type=info.model_type or None,
        source_run_id=info.source_run_id or None,
        tags=pairs(info.tags),
        params=pairs(found.data.params),
        metrics=tuple(_point(info.model_id, point) for point in found.data.metrics),
    )


def registered_of(found: ToldRegistered) -> RegisteredModel:
    return RegisteredModel(
        name=found.name,
        created=found.creation_timestamp,
        updated=found.last_updated_timestamp,
        description=found.description or "",
        tags=pairs(found.tags),
        aliases=tuple(sorted((alias.alias, alias.version) for alias in found.aliases)),
    )


def version_of(found: ToldVersion) -> ModelVersion:
    return ModelVersion(
        name=found.name,
        version=found.version,
        created=found.creation_timestamp,
        updated=found.last_updated_timestamp,
        description=found.description or "",
        user=found.user_id,
        stage=stage_of(found.current_stage),
        source=found.source,
        run_id=found.run_id or None,
        run_link=found.run_link or None,
        model_id=found.model_id or None,
        status=found.status,
        status_message=found.status_message or None,
        tags=pairs(found.tags),
    )


def _point(model_id: str, found: _ModelPoint) -> Metric:
    return Metric(
        key=found.key,
        value=found.value,
        timestamp=found.timestamp,
        step=found.step,
        model_id=model_id,
        dataset_name=found.dataset_name or None,
        dataset_digest=found.dataset_digest or None,
        run_id=found.run_id or None,
    )
