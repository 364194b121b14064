"""Registered models and their aliases."""

from __future__ import annotations

from mlproj.errors import NotFound
from mlproj.model.registry import Stage
from mlproj.model.tracking import Page
from mlproj.server import limits
from mlproj.server.desk import Desk
from mlproj.server.failures import invalid
from mlproj.server.route import Route, delete, get, patch, post
from mlproj.server.wire.registry import (
    CreateRegisteredModel,
    DeleteAlias,
    DeleteRegisteredModel,
    DeleteRegisteredModelTag,
    GetLatestVersions,
    NamedAlias,
    NamedModel,
    OneRegisteredModel,
    OneVersion,
    RegisteredModels,
    RenameRegisteredModel,
    SearchRegisteredModels,
    SetAlias,
    SetRegisteredModelTag,
    UpdateRegisteredModel,
    Versions,
    told_registered_model,
    told_version,
)
from mlproj.server.wire.values import Empty, pairs
from mlproj.spec.filters import read_search
from mlproj.spec.searchable import Subject

MOST = 1000
_STAGES = {stage.value.lower(): stage for stage in Stage}


def create(desk: Desk, asked: CreateRegisteredModel) -> OneRegisteredModel:
    limits.model_name(asked.name)
    tags = limits.pairs(pairs(asked.tags), limits.REGISTRY_TAG_VALUE)
    made = desk.tracking.registry.create(
        asked.name, description=asked.description, tags=tags, by=desk.by(asked.why)
    )
    return OneRegisteredModel(registered_model=told_registered_model(made))


def fetch(desk: Desk, asked: NamedModel) -> OneRegisteredModel:
    limits.model_name(asked.name)
    found = desk.tracking.registry.get(asked.name)
    return OneRegisteredModel(registered_model=told_registered_model(found))


def rename(desk: Desk, asked: RenameRegisteredModel) -> OneRegisteredModel:
    limits.model_name(asked.new_name)
    renamed = desk.tracking.registry.rename(asked.name, asked.new_name, by=desk.by(asked.why))
    return OneRegisteredModel(registered_model=told_registered_model(renamed))


def update(desk: Desk, asked: UpdateRegisteredModel) -> OneRegisteredModel:
    described = desk.tracking.registry.describe(asked.name, asked.description)
    return OneRegisteredModel(registered_model=told_registered_model(described))


def remove(desk: Desk, asked: DeleteRegisteredModel) -> Empty:
    desk.tracking.registry.delete(asked.name, by=desk.by(asked.why))
    return Empty()


def search(desk: Desk, asked: SearchRegisteredModels) -> RegisteredModels:
    found, token = desk.tracking.registry.search(
        read_search(Subject.REGISTERED_MODELS, asked.filter, asked.order_by),
        Page(limit=limits.results(asked.max_results, MOST), token=asked.page_token or None),
    )
    return RegisteredModels(registered_models=tuple(map(told_registered_model, found)), next_page_token=token)


def latest(desk: Desk, asked: GetLatestVersions) -> Versions:
    found = desk.tracking.registry.latest(asked.name, tuple(map(stage_of, asked.stages)))
    return Versions(model_versions=tuple(map(told_version, found)))


def set_tag(desk: Desk, asked: SetRegisteredModelTag) -> Empty:
    limits.pairs(((asked.key, asked.value),), limits.REGISTRY_TAG_VALUE)
    desk.tracking.registry.set_tag(asked.name, asked.key, asked.value)
    return Empty()


def delete_tag(desk: Desk, asked: DeleteRegisteredModelTag) -> Empty:
    desk.tracking.registry.delete_tag(asked.name, asked.key)
    return Empty()


def set_alias(desk: Desk, asked: SetAlias) -> Empty:
    limits.alias_to_set(asked.alias)
    version = limits.version(asked.version)
    desk.tracking.registry.set_alias(asked.name, asked.alias, version, by=desk.by(asked.why))
    return Empty()


def delete_alias(desk: Desk, asked: DeleteAlias) -> Empty:
    limits.alias(asked.alias)
    desk.tracking.registry.delete_alias(asked.name, asked.alias, by=desk.by(asked.why))
    return Empty()


def aliased(desk: Desk, asked: NamedAlias) -> OneVersion:
    limits.alias(asked.alias)
    try:
        found = desk.tracking.registry.aliased(asked.name, asked.alias)
    except NotFound as error:
        # MLflow has another code for an alias than for a model.
        desk.tracking.registry.get(asked.name)
        raise invalid(f"Registered model alias {asked.alias} not found.") from error
    return OneVersion(model_version=told_version(found))


def stage_of(name: str) -> Stage:
    """The stage of this name, in whatever case."""
    stage = _STAGES.get(name.lower())
    if stage is None:
        raise invalid(
            f"Invalid Model Version stage: {name}. "
            f"Value must be one of {', '.join(stage.value for stage in Stage)}."
        )
    return stage


ROUTES: tuple[Route, ...] = (
    post("registered-models/create", CreateRegisteredModel, OneRegisteredModel, create),
    post("registered-models/rename", RenameRegisteredModel, OneRegisteredModel, rename),
    patch("registered-models/update", UpdateRegisteredModel, OneRegisteredModel, update),
    delete("registered-models/delete", DeleteRegisteredModel, Empty, remove),
    get("registered-models/get", NamedModel, OneRegisteredModel, fetch),
    get("registered-models/search", SearchRegisteredModels, RegisteredModels, search),
    # What clients before MLflow 2 call where nothing is searched for.
    get("registered-models/list", SearchRegisteredModels, RegisteredModels, search),
    post("registered-models/get-latest-versions", GetLatestVersions, Versions, latest),
    get("registered-models/get-latest-versions", GetLatestVersions, Versions, latest),
    post("registered-models/set-tag", SetRegisteredModelTag, Empty, set_tag),
    delete("registered-models/delete-tag", DeleteRegisteredModelTag, Empty, delete_tag),
    post("registered-models/alias", SetAlias, Empty, set_alias),
    delete("registered-models/alias", DeleteAlias, Empty, delete_alias),
    get("registered-models/alias", NamedAlias, OneVersion, aliased),
)
