"""Logged models of MLflow 3."""

from __future__ import annotations

from mlproj.model.search import Measured
from mlproj.model.tracking import Page
from mlproj.server import limits, places
from mlproj.server.desk import Desk
from mlproj.server.route import Route, delete, get, patch, post
from mlproj.server.routes.artifacts import files_below
from mlproj.server.wire.models import (
    CreateLoggedModel,
    DeleteLoggedModelTag,
    Files,
    FinalizeLoggedModel,
    ListLoggedModelArtifacts,
    LogLoggedModelParams,
    ModelRequest,
    Models,
    OneModel,
    SearchLoggedModels,
    SetLoggedModelTags,
    told_model,
)
from mlproj.server.wire.values import Empty, model_status, pairs
from mlproj.spec.filters import FieldOrder, read_model_search

MOST = 50_000
VERSIONS_TAG = "mlflow.modelVersions"
"""What a client sets when it registers a model, another run's too."""


def create(desk: Desk, asked: CreateLoggedModel) -> OneModel:
    limits.logged_model_name(asked.name or None)
    if asked.source_run_id:
        desk.write_run(asked.source_run_id)
    limits.unique([pair.key for pair in asked.params])
    made = desk.tracking.models.create(
        asked.experiment_id,
        name=asked.name or None,
        model_type=asked.model_type or None,
        source_run_id=asked.source_run_id or None,
        params=limits.cut_pairs("params", pairs(asked.params), limits.PARAM_VALUE),
        tags=limits.cut_pairs("tags", pairs(asked.tags), limits.RUN_TAG_VALUE),
    )
    desk.grant.made("model", made.model_id)
    return OneModel(model=told_model(desk.addressed(made)))


def fetch(desk: Desk, asked: ModelRequest) -> OneModel:
    return OneModel(model=told_model(desk.addressed(desk.tracking.models.get(asked.model_id))))


def finalize(desk: Desk, asked: FinalizeLoggedModel) -> OneModel:
    desk.write_model(asked.model_id)
    done = desk.tracking.models.finalize(asked.model_id, model_status(asked.status))
    return OneModel(model=told_model(desk.addressed(done)))


def remove(desk: Desk, asked: ModelRequest) -> Empty:
    desk.write_model(asked.model_id)
    desk.tracking.models.delete(asked.model_id)
    return Empty()


def log_params(desk: Desk, asked: LogLoggedModelParams) -> Empty:
    desk.write_model(asked.model_id)
    limits.unique([pair.key for pair in asked.params])
    params = limits.cut_pairs("params", pairs(asked.params), limits.PARAM_VALUE)
    desk.tracking.models.log_params(asked.model_id, params)
    return Empty()


def set_tags(desk: Desk, asked: SetLoggedModelTags) -> Empty:
    tags = limits.cut_pairs("tags", pairs(asked.tags), limits.RUN_TAG_VALUE)
    if any(key != VERSIONS_TAG for key, _ in tags):
        desk.write_model(asked.model_id)
    desk.tracking.models.set_tags(asked.model_id, tags)
    return Empty()


def delete_tag(desk: Desk, asked: DeleteLoggedModelTag) -> Empty:
    desk.write_model(asked.model_id)
    desk.tracking.models.delete_tag(asked.model_id, asked.tag_key)
    return Empty()


def search(desk: Desk, asked: SearchLoggedModels) -> Models:
    order = [
        FieldOrder(
            field_name=each.field_name,
            ascending=each.ascending,
            dataset_name=each.dataset_name or None,
            dataset_digest=each.dataset_digest or None,
        )
        for each in asked.order_by
    ]
    measured = [
        Measured(dataset_name=each.dataset_name, dataset_digest=each.dataset_digest or None)
        for each in asked.datasets
    ]
    found, token = desk.tracking.models.search(
        asked.experiment_ids,
        read_model_search(asked.filter, order, measured),
        Page(limit=limits.results(asked.max_results, MOST), token=asked.page_token or None),
    )
    return Models(models=tuple(told_model(desk.addressed(each)) for each in found), next_page_token=token)


def list_artifacts(desk: Desk, asked: ListLoggedModelArtifacts) -> Files:
    model = desk.addressed(desk.tracking.models.get(asked.model_id))
    place = places.Place(kind="models", name=model.model_id, path=asked.artifact_directory_path or "")
    return Files(root_uri=model.artifact_uri, files=files_below(desk, place))


ROUTES: tuple[Route, ...] = (
    post("logged-models/search", SearchLoggedModels, Models, search),
    post("logged-models", CreateLoggedModel, OneModel, create),
    get("logged-models/{model_id}", ModelRequest, OneModel, fetch),
    patch("logged-models/{model_id}", FinalizeLoggedModel, OneModel, finalize),
    delete("logged-models/{model_id}", ModelRequest, Empty, remove),
    patch("logged-models/{model_id}/tags", SetLoggedModelTags, Empty, set_tags),
    delete("logged-models/{model_id}/tags/{tag_key}", DeleteLoggedModelTag, Empty, delete_tag),
    post("logged-models/{model_id}/params", LogLoggedModelParams, Empty, log_params),
    get("logged-models/{model_id}/artifacts/directories", ListLoggedModelArtifacts, Files, list_artifacts),
)
