"""Models that were logged and registered, of one run or by name: read through `sqlite3` (see `writing`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from mlproj.model.registry import ModelVersion, RunModels, Stage, Standing, UsedModel
from mlproj.model.tracking import LoggedModel
from mlproj.store.connection import Connection
from mlproj.store.needless import MARK

_USED = (
    "SELECT m.model_id, m.experiment_id, m.name, m.artifact_uri,"
    " m.created_ms AS created, m.updated_ms AS updated, m.status, m.status_message, m.model_type,"
    " m.source_run_id, coalesce(u.direction, 'output') AS direction, coalesce(u.step, 0) AS step"
    " FROM logged_models m LEFT JOIN run_models u ON u.model_id = m.model_id AND u.run_id = ?1"
    " WHERE NOT m.deleted AND m.model_id IN (SELECT model_id FROM run_models WHERE run_id = ?1"
    " UNION SELECT model_id FROM logged_models WHERE source_run_id = ?1)"
    " ORDER BY direction DESC, step, m.created_ms, m.model_id"
)
_VERSION = (
    "SELECT v.model, r.name, v.version, v.created_ms AS created, v.updated_ms AS updated, v.description,"
    " v.user_name AS user, v.stage, v.source, v.run_id, v.run_link, v.model_id, v.status, v.status_message"
    " FROM model_versions v JOIN registered_models r ON r.id = v.model WHERE "
)
_VERSIONS = (
    f"{_VERSION} v.run_id = ?1 OR v.model_id IN (SELECT model_id FROM logged_models WHERE source_run_id = ?1)"
    " ORDER BY r.name, v.version"
)
_OF_MODEL = f"{_VERSION} v.model_id = ? ORDER BY r.name, v.version"
_LATEST = f"{_VERSION} r.name = ? ORDER BY v.version DESC LIMIT 1"
_STAGED = f"{_VERSION} r.name = ? AND v.stage = ? ORDER BY v.version DESC LIMIT 1"
_NUMBERED = f"{_VERSION} r.name = ? AND v.version = ?"
_ALIASED = (
    f"{_VERSION} r.name = ? AND v.version = (SELECT a.version FROM registered_model_aliases a"
    " WHERE a.model = v.model AND a.alias = ?)"
)
_MODEL = (
    "SELECT model_id, experiment_id, name, artifact_uri,"
    " created_ms AS created, updated_ms AS updated, status, status_message, model_type, source_run_id"
    " FROM logged_models WHERE model_id = ? AND NOT deleted"
)
_LONGEST_NUMBER = 10
_STAGES = frozenset(stage.value for stage in Stage)
_ALIASES = "SELECT alias FROM registered_model_aliases WHERE model = ? AND version = ? ORDER BY alias"


def read_models(connection: Connection, root: Path, run_id: str) -> RunModels:
    """What is known now of the models that a run read or made."""
    return RunModels(
        used=tuple(_used(connection, root, run_id)),
        versions=tuple(_versions(connection, root, _VERSIONS, run_id)),
    )


def read_model(connection: Connection, root: Path, model_id: str) -> LoggedModel | None:
    """A logged model, without what was logged of it."""
    for row in _rows(connection, _MODEL, model_id):
        return _model(root, row)
    return None


def read_versions_of(connection: Connection, root: Path, model_id: str) -> tuple[ModelVersion, ...]:
    """The versions that were registered of a logged model."""
    return tuple(_versions(connection, root, _OF_MODEL, model_id))


def read_version(connection: Connection, root: Path, name: str, version: str) -> ModelVersion | None:
    """A version of a registered model, by its number, `latest`, a stage, or `@` and an alias."""
    if version == "latest":
        found = _versions(connection, root, _LATEST, name)
    elif version.startswith("@"):
        found = _versions(connection, root, _ALIASED, name, version[1:])
    elif version.isascii() and version.isdigit() and len(version) < _LONGEST_NUMBER:
        found = _versions(connection, root, _NUMBERED, name, int(version))
    elif version in _STAGES:
        found = _versions(connection, root, _STAGED, name, version)
    else:
        return None
    return next(found, None)


def _used(connection: Connection, root: Path, run_id: str) -> Iterator[UsedModel]:
    for row in _rows(connection, _USED, run_id):
        direction, step = row.pop("direction"), row.pop("step")
        yield UsedModel(model=_model(root, row), direction=direction, step=step)


def _versions(connection: Connection, root: Path, query: str, *values: str | int) -> Iterator[ModelVersion]:
    for row in _rows(connection, query, *values):
        aliases = connection.execute(_ALIASES, (row.pop("model"), row["version"]))
        row["source"] = _told(root, row["source"])
        row["aliases"] = [alias for (alias,) in aliases]
        yield msgspec.convert(row, ModelVersion)


def _rows(connection: Connection, query: str, *values: str | int) -> list[dict[str, Any]]:
    cursor = connection.execute(query, values)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _model(root: Path, row: dict[str, Any]) -> LoggedModel:
    row["experiment_id"] = str(row["experiment_id"])
    row["artifact_uri"] = _told(root, row["artifact_uri"])
    return msgspec.convert(row, LoggedModel)


def _told(root: Path, written: str) -> str:
    return f"{root.as_uri()}/{written[len(MARK) :]}" if written.startswith(MARK) else written


def read_standings(connection: Connection) -> tuple[Standing, ...]:
    """How each registered model stands."""
    stages: dict[int, dict[int, str]] = {}
    aliases: dict[int, dict[str, int]] = {}
    for model, version, stage in connection.execute(
        "SELECT model, version, stage FROM model_versions"
    ).fetchall():
        stages.setdefault(model, {})[version] = stage
    of_alias = "SELECT model, alias, version FROM registered_model_aliases"
    for model, alias, version in connection.execute(of_alias).fetchall():
        aliases.setdefault(model, {})[alias] = version
    named = (
        "SELECT m.id, m.name, r.text FROM registered_models m"
        " LEFT JOIN registered_model_rules r ON r.model = m.id ORDER BY m.name"
    )
    return tuple(
        Standing(name=name, stages=stages.get(model, {}), aliases=aliases.get(model, {}), rules=rules)
        for model, name, rules in connection.execute(named).fetchall()
    )
