"""Registered models and their versions in a folder that MLflow keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlproj.errors import DataError
from mlproj.model.registry import ModelVersion, RegisteredModel
from mlproj.remote.history.folder_files import META, folders_in, read_meta, texts_in, whole
from mlproj.remote.history.names import sorted_pairs, stage_of

_DELETED = "Deleted_Internal"


def registered_in(place: Path) -> RegisteredModel:
    meta = read_meta(place)
    aliases = {alias: int(text.strip()) for alias, text in texts_in(place / "aliases").items()}
    return RegisteredModel(
        name=str(meta["name"]),
        created=whole(meta.get("creation_timestamp")) or 0,
        updated=whole(meta.get("last_updated_timestamp")) or 0,
        description=str(meta.get("description") or ""),
        tags=sorted_pairs(texts_in(place / "tags")),
        aliases=tuple(sorted(aliases.items())),
    )


def versions_in(registry: Path, name: str) -> Iterator[ModelVersion]:
    """The versions of a registered model, in order. Raises DataError."""
    found = []
    for place in folders_in(registry / name):
        if place.name.startswith("version-") and (place / META).is_file():
            try:
                meta = read_meta(place)
                if meta.get("current_stage") != _DELETED:
                    found.append(_version(name, meta, texts_in(place / "tags")))
            except (KeyError, ValueError, TypeError) as error:
                raise DataError(f"`{place / META}` is not as MLflow writes it: {error!r}") from error
    yield from sorted(found, key=lambda version: version.version)


def _version(name: str, meta: Mapping[str, Any], tags: dict[str, str]) -> ModelVersion:
    return ModelVersion(
        name=name,
        version=int(meta["version"]),
        created=whole(meta.get("creation_timestamp")) or 0,
        updated=whole(meta.get("last_updated_timestamp")) or 0,
        description=str(meta.get("description") or ""),
        user=str(meta.get("user_id") or ""),
        stage=stage_of(meta.get("current_stage")),
        source=str(meta.get("source") or ""),
        run_id=meta.get("run_id") or None,
        run_link=meta.get("run_link") or None,
        model_id=meta.get("model_id") or None,
        status=str(meta.get("status") or "READY"),
        status_message=meta.get("status_message") or None,
        tags=sorted_pairs(tags),
    )
