"""Models that were made elsewhere arrive in the tables: logged ones, and registered ones with versions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from mlproj.model.index import number_in
from mlproj.model.registry import Act, Change, ModelVersion, RegisteredModel, Stage
from mlproj.model.tracking import LoggedModel, Metric
from mlproj.moving_ports import TakenModel
from mlproj.store.tables import runs
from mlproj.store.tracking import addresses
from mlproj.store.tracking.engine import storable
from mlproj.store.tracking.metrics import add_model_points
from mlproj.store.tracking.pairs import pairs_of, put_pairs
from mlproj.store.tracking.registering import record
from mlproj.store.tracking.version_rows import aliases_of, rules_of
from mlproj.store.tracking_tables import (
    logged_model_params,
    logged_model_tags,
    logged_models,
    model_version_tags,
    model_versions,
    registered_model_aliases,
    registered_model_tags,
    registered_models,
)


def add_model(connection: Connection, root: Path, model: LoggedModel, experiment: int, address: str) -> bool:
    """Adds a logged model whose files are at `address`; False where it was there already."""
    storable(
        model.model_id, model.name, model.model_type, *(t for p in (*model.params, *model.tags) for t in p)
    )
    same = logged_models.c.model_id == model.model_id
    if connection.execute(select(logged_models.c.model_id).where(same)).first() is not None:
        return False
    row = {
        "model_id": model.model_id,
        "experiment_id": experiment,
        "name": model.name,
        "artifact_uri": addresses.kept(root, address),
        "created_ms": model.created,
        "updated_ms": model.updated,
        "status": model.status,
        "status_message": model.status_message,
        "model_type": model.model_type,
        "source_run_id": model.source_run_id,
    }
    connection.execute(insert(logged_models).values(**row))
    of_model = {"model_id": model.model_id}
    params = [
        {**of_model, "key": key, "value": value, "number": number_in(value)} for key, value in model.params
    ]
    if params:
        connection.execute(insert(logged_model_params), params)
    put_pairs(connection, logged_model_tags, of_model, model.tags)
    return True


def add_measured(connection: Connection, model: LoggedModel) -> None:
    """Adds what runs that are here measured of a logged model; what is there already stays."""
    by_run: dict[str, list[Metric]] = {}
    for metric in model.metrics:
        if metric.run_id is not None:
            by_run.setdefault(metric.run_id, []).append(metric)
    for run_id, metrics in by_run.items():
        if connection.execute(select(runs.c.number).where(runs.c.run_id == run_id)).first() is not None:
            add_model_points(connection, run_id, metrics)


def add_registered(
    connection: Connection, root: Path, model: RegisteredModel, versions: Sequence[ModelVersion], now: str
) -> TakenModel:
    """As `Arrivals.registered`. Whatever was changed later, here or there, counts; but where rules say what
    may be put into Production here, nothing is because it was there. What changes is a link of the chain."""
    storable(model.name, model.description, *(text for pair in model.tags for text in pair))
    row = _model(connection, model.name)
    values = {"description": model.description, "created_ms": model.created, "updated_ms": model.updated}
    how = "new" if row is None else _how(connection, row, model, values)
    if row is None:
        connection.execute(insert(registered_models).values(name=model.name, **values))
        row = _model(connection, model.name)
    before = None if how == "new" else _standing(connection, row.id)
    has_rules = rules_of(connection, row.id) is not None
    counts = [_add_version(connection, root, row.id, version, has_rules) for version in versions]
    of_model = update(registered_models).where(registered_models.c.id == row.id)
    last = max((row.last_version, *(version.version for version in versions)))
    connection.execute(of_model.values(last_version=last))
    if how in ("new", "changed"):
        connection.execute(of_model.values(**values))
        connection.execute(delete(registered_model_tags).where(registered_model_tags.c.model == row.id))
        put_pairs(connection, registered_model_tags, {"model": row.id}, model.tags)
        _put_aliases(connection, row.id, model)
    record(connection, now, *_changes(model.name, before, _standing(connection, row.id)))
    new, changed, same = (counts.count(each) for each in ("new", "changed", "same"))
    is_kept = how == "kept"
    return TakenModel(how="same" if is_kept else how, new=new, changed=changed, same=same, kept=is_kept)


_Standing = tuple[dict[int, Any], dict[str, int]]
"""The rows of a model's versions by their numbers, and what its aliases stand for."""


def _standing(connection: Connection, model: int) -> _Standing:
    of_model = select(model_versions).where(model_versions.c.model == model)
    rows = connection.execute(of_model.order_by(model_versions.c.version)).all()
    return {row.version: row for row in rows}, dict(aliases_of(connection, [model])[model])


def _changes(name: str, before: _Standing | None, after: _Standing) -> Iterator[Change]:
    """What made of what was there before what is there now."""
    why = "moved in from elsewhere"
    if before is None:
        yield Change(model=name, act=Act.CREATED, why=why)
    versions, aliases = before or ({}, {})
    for version, row in after[0].items():
        said = {"model": name, "why": why, "version": version, "run_id": row.run_id}
        was = versions.get(version)
        if was is None:
            made = {"source": row.source, "model_id": row.model_id, "who": row.user_name}
            yield Change(act=Act.VERSION_CREATED, **said, **made)
        stage = Stage.NONE.value if was is None else was.stage
        if row.stage != stage:
            yield Change(act=Act.STAGE, before=stage, after=row.stage, **said)
    for alias in sorted({*aliases, *after[1]}):
        old, new = aliases.get(alias), after[1].get(alias)
        if old != new:
            act = Act.ALIAS_REMOVED if new is None else Act.ALIAS_SET
            stood, stands = (None if each is None else str(each) for each in (old, new))
            number = old if new is None else new
            yield Change(
                model=name, act=act, why=why, alias=alias, version=number, before=stood, after=stands
            )


def _how(connection: Connection, row: Any, model: RegisteredModel, values: dict[str, Any]) -> str:
    """What came of a model that is here: `same`, `changed` there, or `kept` as it was changed here later."""
    tags = pairs_of(connection, registered_model_tags, ["model"], [(row.id,)])[(row.id,)]
    aliases = aliases_of(connection, [row.id])[row.id]
    as_there = (tags, aliases) == (tuple(sorted(model.tags)), tuple(sorted(model.aliases)))
    if as_there and {name: getattr(row, name) for name in values} == values:
        return "same"
    return "kept" if row.updated_ms > model.updated else "changed"


def _add_version(
    connection: Connection, root: Path, model: int, version: ModelVersion, has_rules: bool
) -> str:
    """Whether the version is `new` here, `changed`, or left as it is."""
    texts = (version.description, version.user, version.source, version.run_id, version.run_link)
    storable(*texts, version.model_id, version.status_message, *(t for pair in version.tags for t in pair))
    same = (model_versions.c.model == model, model_versions.c.version == version.version)
    row = connection.execute(select(model_versions).where(*same)).first()
    values = _version_values(root, version)
    if has_rules and version.stage is Stage.PRODUCTION:
        values["stage"] = Stage.NONE.value if row is None else row.stage
    of_version = {"model": model, "version": version.version}
    if row is None:
        connection.execute(insert(model_versions).values(**of_version, **values))
        put_pairs(connection, model_version_tags, of_version, version.tags)
        return "new"
    if row.updated_ms > version.updated:
        return "same"
    place = (model, version.version)
    tags = pairs_of(connection, model_version_tags, ["model", "version"], [place])[place]
    if {name: getattr(row, name) for name in values} == values and set(version.tags) <= set(tags):
        return "same"
    connection.execute(update(model_versions).where(*same).values(**values))
    put_pairs(connection, model_version_tags, of_version, version.tags)
    return "changed"


def _version_values(root: Path, version: ModelVersion) -> dict[str, Any]:
    return {
        "created_ms": version.created,
        "updated_ms": version.updated,
        "description": version.description,
        "user_name": version.user,
        "stage": version.stage.value,
        "source": addresses.kept(root, version.source),
        "run_id": version.run_id,
        "run_link": version.run_link,
        "model_id": version.model_id,
        "status": version.status,
        "status_message": version.status_message,
    }


def _put_aliases(connection: Connection, model: int, given: RegisteredModel) -> None:
    aliases = registered_model_aliases
    connection.execute(delete(aliases).where(aliases.c.model == model))
    rows = [{"model": model, "alias": alias, "version": version} for alias, version in given.aliases]
    if rows:
        connection.execute(insert(aliases), rows)


def _model(connection: Connection, name: str) -> Any:
    statement = select(registered_models).where(registered_models.c.name == name).with_for_update()
    return connection.execute(statement).first()
