"""Registered models and their versions in a database of MLflow's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlproj.model.registry import ModelVersion, RegisteredModel
from mlproj.model.tracking import Pairs
from mlproj.remote.history.database_rows import Rows
from mlproj.remote.history.names import stage_of

_DELETED = "Deleted_Internal"
"""The stage of versions that were deleted: their rows stay."""


def registered_in(rows: Rows) -> Iterator[RegisteredModel]:
    tags = rows.pairs("registered_model_tags", "name")
    aliases: dict[str, list[tuple[str, int]]] = {}
    for row in rows.all("registered_model_aliases", order=("name", "alias")):
        aliases.setdefault(row["name"], []).append((row["alias"], row["version"]))
    for row in rows.all("registered_models", order="name"):
        yield RegisteredModel(
            name=row["name"],
            created=row.get("creation_time") or 0,
            updated=row.get("last_updated_time") or 0,
            description=row.get("description") or "",
            tags=tags.get(row["name"], ()),
            aliases=tuple(aliases.get(row["name"], ())),
        )


def versions_in(rows: Rows, name: str) -> Iterator[ModelVersion]:
    tags = rows.pairs("model_version_tags", "version", name=name)
    for row in rows.all("model_versions", order="version", name=name):
        if row.get("current_stage") != _DELETED:
            yield _version(row, tags.get(row["version"], ()))


def _version(row: dict[str, Any], tags: Pairs) -> ModelVersion:
    return ModelVersion(
        name=row["name"],
        version=row["version"],
        created=row.get("creation_time") or 0,
        updated=row.get("last_updated_time") or 0,
        description=row.get("description") or "",
        user=row.get("user_id") or "",
        stage=stage_of(row.get("current_stage")),
        source=row.get("source") or "",
        run_id=row.get("run_id") or None,
        run_link=row.get("run_link") or None,
        model_id=row.get("model_id") or None,
        status=row.get("status") or "READY",
        status_message=row.get("status_message") or None,
        tags=tags,
    )
