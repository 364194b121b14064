"""The model registry on the wire. A version's number is text there.

`why` is ours: MLflow's servers pass it over.
"""

from __future__ import annotations

from mlproj.model.registry import ModelVersion, RegisteredModel
from mlproj.server.wire.values import Answer, Int64, Named, Pair, Request, ToldPair, told_pairs


class CreateRegisteredModel(Request, frozen=True, kw_only=True):
    name: Named
    description: str = ""
    tags: tuple[Pair, ...] = ()
    why: str | None = None


class NamedModel(Request, frozen=True, kw_only=True):
    name: Named


class DeleteRegisteredModel(NamedModel, frozen=True, kw_only=True):
    why: str | None = None


class RenameRegisteredModel(Request, frozen=True, kw_only=True):
    name: Named
    new_name: Named
    why: str | None = None


class UpdateRegisteredModel(Request, frozen=True, kw_only=True):
    name: Named
    description: str = ""


class SearchRegisteredModels(Request, frozen=True, kw_only=True):
    filter: str = ""
    max_results: Int64 = 100
    order_by: tuple[str, ...] = ()
    page_token: str | None = None


class GetLatestVersions(Request, frozen=True, kw_only=True):
    name: Named
    stages: tuple[str, ...] = ()


class SetRegisteredModelTag(Request, frozen=True, kw_only=True):
    name: Named
    key: Named
    value: str = ""


class DeleteRegisteredModelTag(Request, frozen=True, kw_only=True):
    name: Named
    key: Named


class SetAlias(Request, frozen=True, kw_only=True):
    name: Named
    alias: Named
    version: Named
    why: str | None = None


class NamedAlias(Request, frozen=True, kw_only=True):
    """Get, delete."""

    name: Named
    alias: Named


class DeleteAlias(NamedAlias, frozen=True, kw_only=True):
    why: str | None = None


class CreateModelVersion(Request, frozen=True, kw_only=True):
    name: Named
    source: Named
    run_id: str | None = None
    tags: tuple[Pair, ...] = ()
    run_link: str | None = None
    description: str = ""
    model_id: str | None = None
    why: str | None = None


class NamedVersion(Request, frozen=True, kw_only=True):
    """Get, delete, download URI."""

    name: Named
    version: Named


class DeleteModelVersion(NamedVersion, frozen=True, kw_only=True):
    why: str | None = None


class UpdateModelVersion(NamedVersion, frozen=True, kw_only=True):
    description: str | None = None


class TransitionModelVersionStage(NamedVersion, frozen=True, kw_only=True):
    stage: Named
    archive_existing_versions: bool = False
    why: str | None = None


class SetModelVersionTag(NamedVersion, frozen=True, kw_only=True):
    key: Named
    value: str = ""


class DeleteModelVersionTag(NamedVersion, frozen=True, kw_only=True):
    key: Named


class SearchModelVersions(Request, frozen=True, kw_only=True):
    filter: str = ""
    max_results: Int64 = 200_000
    order_by: tuple[str, ...] = ()
    page_token: str | None = None


class ToldVersion(Answer, frozen=True, kw_only=True):
    name: str
    version: str
    creation_timestamp: int
    last_updated_timestamp: int
    user_id: str = ""
    current_stage: str
    description: str
    source: str
    run_id: str
    status: str
    status_message: str | None = None
    tags: tuple[ToldPair, ...] = ()
    run_link: str
    aliases: tuple[str, ...] = ()
    model_id: str | None = None


class ToldAlias(Answer, frozen=True, kw_only=True):
    alias: str
    version: str


class ToldRegisteredModel(Answer, frozen=True, kw_only=True):
    name: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str = ""
    latest_versions: tuple[ToldVersion, ...] = ()
    tags: tuple[ToldPair, ...] = ()
    aliases: tuple[ToldAlias, ...] = ()


class OneRegisteredModel(Answer, frozen=True, kw_only=True):
    registered_model: ToldRegisteredModel


class RegisteredModels(Answer, frozen=True, kw_only=True):
    registered_models: tuple[ToldRegisteredModel, ...] = ()
    next_page_token: str | None = None


class OneVersion(Answer, frozen=True, kw_only=True):
    model_version: ToldVersion


class Versions(Answer, frozen=True, kw_only=True):
    model_versions: tuple[ToldVersion, ...] = ()
    next_page_token: str | None = None


class DownloadUri(Answer, frozen=True, kw_only=True):
    artifact_uri: str


def told_version(version: ModelVersion) -> ToldVersion:
    return ToldVersion(
        name=version.name,
        version=str(version.version),
        creation_timestamp=version.created,
        last_updated_timestamp=version.updated,
        user_id=version.user,
        current_stage=version.stage.value,
        description=version.description,
        source=version.source,
        run_id=version.run_id or "",
        status=version.status,
        status_message=version.status_message,
        tags=told_pairs(version.tags),
        run_link=version.run_link or "",
        aliases=version.aliases,
        model_id=version.model_id,
    )


def told_registered_model(model: RegisteredModel) -> ToldRegisteredModel:
    return ToldRegisteredModel(
        name=model.name,
        creation_timestamp=model.created,
        last_updated_timestamp=model.updated,
        description=model.description,
        latest_versions=tuple(map(told_version, model.latest)),
        tags=told_pairs(model.tags),
        aliases=tuple(ToldAlias(alias=alias, version=str(version)) for alias, version in model.aliases),
    )
