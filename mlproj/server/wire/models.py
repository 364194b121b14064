"""Logged models on the wire: models of MLflow 3, which are things of their own."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from mlproj.model.tracking import LoggedModel
from mlproj.server.wire.values import (
    Answer,
    EnumValue,
    FileInfo,
    Int32,
    Named,
    Pair,
    Request,
    ToldMetric,
    ToldPair,
    told_metric,
    told_model_status,
    told_pairs,
)


class CreateLoggedModel(Request, frozen=True, kw_only=True):
    experiment_id: Named
    name: str | None = None
    model_type: str | None = None
    source_run_id: str | None = None
    params: tuple[Pair, ...] = ()
    tags: tuple[Pair, ...] = ()


class ModelRequest(Request, frozen=True, kw_only=True):
    """A request about one model, which the path names."""

    model_id: Named


class FinalizeLoggedModel(ModelRequest, frozen=True, kw_only=True):
    status: EnumValue


class SetLoggedModelTags(ModelRequest, frozen=True, kw_only=True):
    tags: tuple[Pair, ...] = ()


class DeleteLoggedModelTag(ModelRequest, frozen=True, kw_only=True):
    tag_key: Named


class LogLoggedModelParams(ModelRequest, frozen=True, kw_only=True):
    params: tuple[Pair, ...] = ()


class ListLoggedModelArtifacts(ModelRequest, frozen=True, kw_only=True):
    artifact_directory_path: str | None = None
    page_token: str | None = None


class ModelDataset(Request, frozen=True, kw_only=True):
    dataset_name: Named
    dataset_digest: str | None = None


class ModelOrder(Request, frozen=True, kw_only=True):
    field_name: Named
    ascending: bool = True
    dataset_name: str | None = None
    dataset_digest: str | None = None


class SearchLoggedModels(Request, frozen=True, kw_only=True):
    experiment_ids: Annotated[tuple[str, ...], Meta(min_length=1)]
    filter: str = ""
    datasets: tuple[ModelDataset, ...] = ()
    max_results: Int32 = 50
    order_by: tuple[ModelOrder, ...] = ()
    page_token: str | None = None


class LoggedModelInfo(Answer, frozen=True, kw_only=True):
    model_id: str
    experiment_id: str
    name: str
    creation_timestamp_ms: int
    last_updated_timestamp_ms: int
    artifact_uri: str
    status: str
    model_type: str
    source_run_id: str
    status_message: str | None = None
    tags: tuple[ToldPair, ...] = ()


class LoggedModelData(Answer, frozen=True, kw_only=True):
    params: tuple[ToldPair, ...] = ()
    metrics: tuple[ToldMetric, ...] = ()


class ToldModel(Answer, frozen=True, kw_only=True):
    info: LoggedModelInfo
    data: LoggedModelData


class OneModel(Answer, frozen=True, kw_only=True):
    model: ToldModel


class Models(Answer, frozen=True, kw_only=True):
    models: tuple[ToldModel, ...] = ()
    next_page_token: str | None = None


class Files(Answer, frozen=True, kw_only=True):
    """What an artifact folder holds."""

    root_uri: str | None = None
    files: tuple[FileInfo, ...] = ()


def told_model(model: LoggedModel) -> ToldModel:
    return ToldModel(
        info=LoggedModelInfo(
            model_id=model.model_id,
            experiment_id=model.experiment_id,
            name=model.name,
            creation_timestamp_ms=model.created,
            last_updated_timestamp_ms=model.updated,
            artifact_uri=model.artifact_uri,
            status=told_model_status(model.status),
            model_type=model.model_type or "",
            source_run_id=model.source_run_id or "",
            status_message=model.status_message,
            tags=told_pairs(model.tags),
        ),
        data=LoggedModelData(
            params=told_pairs(model.params),
            metrics=tuple(map(told_metric, model.metrics)),
        ),
    )
