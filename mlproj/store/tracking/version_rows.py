"""Rows of registered models and of versions: found, held, and read with the tags and aliases they have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, select, update

from mlproj.model.absent import no_registered_model, no_version
from mlproj.model.registry import ModelVersion, Stage
from mlproj.store.tracking import addresses
from mlproj.store.tracking.engine import held, writes
from mlproj.store.tracking.pairs import pairs_of
from mlproj.store.tracking_tables import (
    model_version_tags,
    model_versions,
    registered_model_aliases,
    registered_model_rules,
    registered_models,
)

VERSIONS = select(model_versions, registered_models.c.name).join(
    registered_models, registered_models.c.id == model_versions.c.model
)


def model_row(connection: Connection, name: str) -> Row[Any]:
    """The registered model's row, held. Raises NotFound."""
    statement = select(registered_models).where(registered_models.c.name == name)
    row = connection.execute(held(connection, statement)).first()
    if row is None:
        raise no_registered_model(name)
    return row


def named_among(names: Collection[str] | None) -> tuple[ColumnElement[bool], ...]:
    """That the registered model is one of these; nothing where any may be found."""
    return () if names is None else (registered_models.c.name.in_(names),)


def touch_model(connection: Connection, model: int, now: int, **values: Any) -> None:
    changed = {**values, "updated_ms": now}
    connection.execute(update(registered_models).where(registered_models.c.id == model).values(**changed))


def latest_of(connection: Connection, models: Sequence[int]) -> Mapping[int, tuple[ModelVersion, ...]]:
    """The newest version of each stage of these models, the oldest first."""
    versions = model_versions.c
    newest = (
        select(versions.model, func.max(versions.version).label("version"))
        .where(versions.model.in_(models))
        .group_by(versions.model, versions.stage)
        .subquery()
    )
    same = and_(newest.c.model == versions.model, newest.c.version == versions.version)
    statement = VERSIONS.join(newest, same).order_by(versions.model, versions.version)
    rows = connection.execute(statement).all()
    found: dict[int, tuple[ModelVersion, ...]] = defaultdict(tuple)
    for row, version in zip(rows, read_versions(connection, rows), strict=True):
        found[row.model] += (version,)
    return found


def read_versions(connection: Connection, rows: Sequence[Row[Any]]) -> list[ModelVersion]:
    tags = pairs_of(
        connection, model_version_tags, ["model", "version"], [(row.model, row.version) for row in rows]
    )
    aliases = aliases_of(connection, sorted({row.model for row in rows}))
    return [
        ModelVersion(
            name=row.name,
            version=row.version,
            created=row.created_ms,
            updated=row.updated_ms,
            description=row.description,
            user=row.user_name,
            stage=Stage(row.stage),
            source=addresses.told(connection, row.source),
            run_id=row.run_id,
            run_link=row.run_link,
            model_id=row.model_id,
            status=row.status,
            status_message=row.status_message,
            tags=tags[(row.model, row.version)],
            aliases=tuple(alias for alias, version in aliases[row.model] if version == row.version),
        )
        for row in rows
    ]


def aliases_of(connection: Connection, models: Sequence[int]) -> Mapping[int, tuple[tuple[str, int], ...]]:
    aliases = registered_model_aliases.c
    found: dict[int, tuple[tuple[str, int], ...]] = defaultdict(tuple)
    statement = select(aliases.model, aliases.alias, aliases.version).where(aliases.model.in_(models))
    for model, alias, version in connection.execute(statement.order_by(aliases.alias)):
        found[model] += ((alias, version),)
    return found


def rules_of(connection: Connection, model: int) -> str | None:
    """The text of the rules that are kept with the registered model."""
    rules = registered_model_rules.c
    text: str | None = connection.execute(select(rules.text).where(rules.model == model)).scalar()
    return text


def version_row(connection: Connection, name: str, version: int) -> Row[Any]:
    """The version's row; to a writer, held with that of its model, which everybody holds first."""
    if writes(connection):
        of_name = select(registered_models.c.id).where(registered_models.c.name == name)
        connection.execute(held(connection, of_name))
    statement = VERSIONS.where(registered_models.c.name == name, model_versions.c.version == version)
    row = connection.execute(held(connection, statement)).first()
    if row is None:
        raise no_version(name, version)
    return row


def one_version(connection: Connection, name: str, version: int) -> ModelVersion:
    return read_versions(connection, [version_row(connection, name, version)])[0]
