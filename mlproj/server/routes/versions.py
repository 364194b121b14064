"""Versions of registered models."""

from __future__ import annotations

from mlproj.model.tracking import Page
from mlproj.server import limits
from mlproj.server.desk import Desk
from mlproj.server.route import Route, delete, get, patch, post
from mlproj.server.routes.registry import stage_of
from mlproj.server.sources import lineage, storage
from mlproj.server.wire.registry import (
    CreateModelVersion,
    DeleteModelVersion,
    DeleteModelVersionTag,
    DownloadUri,
    NamedVersion,
    OneVersion,
    SearchModelVersions,
    SetModelVersionTag,
    TransitionModelVersionStage,
    UpdateModelVersion,
    Versions,
    told_version,
)
from mlproj.server.wire.values import Empty, pairs
from mlproj.spec.filters import read_search
from mlproj.spec.searchable import Subject

MOST = 200_000


def create(desk: Desk, asked: CreateModelVersion) -> OneVersion:
    limits.model_name(asked.name)
    tags = limits.pairs(pairs(asked.tags), limits.REGISTRY_TAG_VALUE)
    origin = lineage(desk, asked)
    made = desk.tracking.registry.create_version(
        asked.name,
        source=origin.source,
        run_id=origin.run_id,
        run_link=asked.run_link or None,
        model_id=origin.model_id,
        description=asked.description,
        tags=tags,
        by=desk.by(asked.why),
    )
    return OneVersion(model_version=told_version(made))


def fetch(desk: Desk, asked: NamedVersion) -> OneVersion:
    found = desk.tracking.registry.version(asked.name, limits.version(asked.version))
    return OneVersion(model_version=told_version(found))


def update(desk: Desk, asked: UpdateModelVersion) -> OneVersion:
    version = limits.version(asked.version)
    described = desk.tracking.registry.describe_version(asked.name, version, asked.description or "")
    return OneVersion(model_version=told_version(described))


def transition(desk: Desk, asked: TransitionModelVersionStage) -> OneVersion:
    moved = desk.tracking.registry.transition(
        asked.name,
        limits.version(asked.version),
        stage_of(asked.stage),
        archive_existing=asked.archive_existing_versions,
        by=desk.by(asked.why),
    )
    return OneVersion(model_version=told_version(moved))


def remove(desk: Desk, asked: DeleteModelVersion) -> Empty:
    desk.tracking.registry.delete_version(asked.name, limits.version(asked.version), by=desk.by(asked.why))
    return Empty()


def search(desk: Desk, asked: SearchModelVersions) -> Versions:
    found, token = desk.tracking.registry.search_versions(
        read_search(Subject.MODEL_VERSIONS, asked.filter, asked.order_by),
        Page(limit=limits.results(asked.max_results, MOST), token=asked.page_token or None),
    )
    return Versions(model_versions=tuple(map(told_version, found)), next_page_token=token)


def download_uri(desk: Desk, asked: NamedVersion) -> DownloadUri:
    found = desk.tracking.registry.version(asked.name, limits.version(asked.version))
    return DownloadUri(artifact_uri=storage(desk, found.source))


def set_tag(desk: Desk, asked: SetModelVersionTag) -> Empty:
    limits.pairs(((asked.key, asked.value),), limits.REGISTRY_TAG_VALUE)
    version = limits.version(asked.version)
    desk.tracking.registry.set_version_tag(asked.name, version, asked.key, asked.value)
    return Empty()


def delete_tag(desk: Desk, asked: DeleteModelVersionTag) -> Empty:
    desk.tracking.registry.delete_version_tag(asked.name, limits.version(asked.version), asked.key)
    return Empty()


ROUTES: tuple[Route, ...] = (
    post("model-versions/create", CreateModelVersion, OneVersion, create),
    patch("model-versions/update", UpdateModelVersion, OneVersion, update),
    post("model-versions/transition-stage", TransitionModelVersionStage, OneVersion, transition),
    delete("model-versions/delete", DeleteModelVersion, Empty, remove),
    get("model-versions/get", NamedVersion, OneVersion, fetch),
    get("model-versions/search", SearchModelVersions, Versions, search),
    get("model-versions/get-download-uri", NamedVersion, DownloadUri, download_uri),
    post("model-versions/set-tag", SetModelVersionTag, Empty, set_tag),
    delete("model-versions/delete-tag", DeleteModelVersionTag, Empty, delete_tag),
)
