"""Versions of registered models in the tables: numbered from 1, each in a stage, found by aliases too."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, Row, and_, delete, exists, insert, or_, select, update

from mlproj.errors import NotFound, UsageError
from mlproj.model.registry import NOBODY, PROMPT_TAG, Act, By, Change, ModelVersion, Stage
from mlproj.model.rules import Check, Sees, sees_all
from mlproj.model.search import Kind, Search
from mlproj.model.tracking import Page, Pairs
from mlproj.store.tracking import addresses, prompts
from mlproj.store.tracking.engine import Database, storable
from mlproj.store.tracking.paging import found
from mlproj.store.tracking.pairs import drop_pair, put_pairs
from mlproj.store.tracking.promoting import Judge, Judged, judged, refuse_changed
from mlproj.store.tracking.registering import record
from mlproj.store.tracking.searching import Columns, Detail, Last
from mlproj.store.tracking.version_rows import (
    VERSIONS,
    latest_of,
    model_row,
    named_among,
    one_version,
    read_versions,
    touch_model,
    version_row,
)
from mlproj.store.tracking_tables import (
    model_version_tags,
    model_versions,
    registered_model_aliases,
    registered_model_tags,
    registered_models,
)
from mlproj.store.webhooks.announcing import (
    announce_alias,
    announce_transition,
    announce_version,
    announce_version_tag,
)

LATEST = "latest"
"""The alias that the newest version has without being given it."""
_ACTIVE = (Stage.STAGING, Stage.PRODUCTION)

_OF_VERSION = {"model": model_versions.c.model, "version": model_versions.c.version}
_BY_NAME = (Last(registered_models.c.name), Last(model_versions.c.version, descending=True))
_COLUMNS = Columns(
    attributes={
        "name": registered_models.c.name,
        "version_number": model_versions.c.version,
        "run_id": model_versions.c.run_id,
        "model_id": model_versions.c.model_id,
        "source_path": model_versions.c.source,
        "current_stage": model_versions.c.stage,
        "creation_timestamp": model_versions.c.created_ms,
        "last_updated_timestamp": model_versions.c.updated_ms,
    },
    details={Kind.TAG: Detail(table=model_version_tags, of=_OF_VERSION)},
    last=(Last(model_versions.c.updated_ms, descending=True), *_BY_NAME),
)


class StoredVersions:
    """The part of a store's `Registry` that is about versions."""

    def __init__(self, database: Database, judge: Judge | None = None) -> None:
        self._database = database
        self._judge = judge
        source = addresses.searched(database.root, model_versions.c.source)
        self._columns = replace(_COLUMNS, attributes={**_COLUMNS.attributes, "source_path": source})

    def create_version(
        self,
        name: str,
        *,
        source: str,
        run_id: str | None = None,
        run_link: str | None = None,
        model_id: str | None = None,
        description: str = "",
        tags: Pairs = (),
        by: By = NOBODY,
    ) -> ModelVersion:
        if not source:
            raise UsageError("a version has a source", hint="the address of the model's files")
        storable(name, source, run_id, run_link, model_id, description, by.who, by.why)
        storable(*(text for pair in tags for text in pair))
        with self._database.writing() as connection:
            model = model_row(connection, name)
            number, now = model.last_version + 1, self._database.now_ms()
            row = {
                "model": model.id,
                "version": number,
                "created_ms": now,
                "updated_ms": now,
                "description": description,
                "user_name": by.who,
                "stage": Stage.NONE.value,
                "source": addresses.kept(self._database.root, source),
                "run_id": run_id,
                "run_link": run_link,
                "model_id": model_id,
                "status": "READY",
            }
            connection.execute(insert(model_versions).values(**row))
            put_pairs(connection, model_version_tags, {"model": model.id, "version": number}, tags)
            touch_model(connection, model.id, now, last_version=number)
            change = Change(
                model=name,
                act=Act.VERSION_CREATED,
                version=number,
                source=row["source"],
                run_id=run_id,
                model_id=model_id,
            )
            told = replace(change, source=source)
            announce_version(connection, self._database.now(), told, tags, description)
            self._record(connection, by, change)
            return one_version(connection, name, number)

    def version(self, name: str, version: int) -> ModelVersion:
        with self._database.reading() as connection:
            return one_version(connection, name, version)

    def describe_version(self, name: str, version: int, description: str) -> ModelVersion:
        storable(description)
        with self._database.writing() as connection:
            row = version_row(connection, name, version)
            self._change(connection, row, description=description)
            return one_version(connection, name, version)

    def transition(
        self,
        name: str,
        version: int,
        stage: Stage,
        *,
        archive_existing: bool,
        further: str | None = None,
        sees: Sees = sees_all,
        by: By = NOBODY,
    ) -> ModelVersion:
        storable(further, by.who, by.why)
        if archive_existing and stage not in _ACTIVE:
            raise UsageError(
                "Model version transition cannot archive existing model versions because "
                f"'{stage.value}' is not an Active stage. Valid stages are {[s.value for s in _ACTIVE]}"
            )
        verdict = None
        if stage is Stage.PRODUCTION:
            verdict = self._judged(name, version, further, sees, thorough=True)
            if verdict.broken:
                self._refuse(verdict, by)
        with self._database.writing() as connection:
            row = version_row(connection, name, version)
            if verdict is not None:
                refuse_changed(connection, verdict, further)
            changes = [self._moved(row, stage, verdict)]
            if archive_existing:
                changes += self._archived(connection, row, stage)
            now = self._database.now_ms()
            self._change(connection, row, stage=stage.value, updated_ms=now)
            touch_model(connection, row.model, now)
            self._record(connection, by, *changes)
            return one_version(connection, name, version)

    def checks(
        self, name: str, version: int, *, further: str | None = None, sees: Sees = sees_all
    ) -> Sequence[Check]:
        return self._judged(name, version, further, sees, thorough=False).checks

    def _judged(self, name: str, version: int, further: str | None, sees: Sees, *, thorough: bool) -> Judged:
        with self._database.reading() as connection:
            asked = judged(connection, name, version, further)
        return asked.by(self._judge, sees, thorough=thorough)

    def _moved(self, row: Row[Any], stage: Stage, verdict: Judged | None) -> Change:
        return Change(
            model=row.name,
            act=Act.STAGE,
            version=row.version,
            before=row.stage,
            after=stage.value,
            run_id=row.run_id,
            checks=() if verdict is None else verdict.checks,
        )

    def _archived(self, connection: Connection, row: Row[Any], stage: Stage) -> list[Change]:
        """Archives the other versions in the stage that a version comes to."""
        others = and_(
            model_versions.c.model == row.model,
            model_versions.c.version != row.version,
            model_versions.c.stage == stage.value,
        )
        numbers = connection.execute(
            select(model_versions.c.version).where(others).order_by(model_versions.c.version)
        ).scalars()
        changes = [
            Change(
                model=row.name,
                act=Act.STAGE,
                version=number,
                before=stage.value,
                after=Stage.ARCHIVED.value,
                with_version=row.version,
            )
            for number in numbers
        ]
        archived = {"stage": Stage.ARCHIVED.value, "updated_ms": self._database.now_ms()}
        connection.execute(update(model_versions).where(others).values(**archived))
        return changes

    def _refuse(self, verdict: Judged, by: By) -> None:
        """Writes down that a version was refused, and why. Raises NotPromoted."""
        with self._database.writing() as connection:
            row = version_row(connection, verdict.version.name, verdict.version.version)
            change = Change(
                model=row.name,
                act=Act.REFUSED,
                version=row.version,
                before=row.stage,
                after=Stage.PRODUCTION.value,
                run_id=row.run_id,
                checks=verdict.checks,
            )
            self._record(connection, by, change)
        raise verdict.refusal

    def _record(self, connection: Connection, by: By, *changes: Change) -> None:
        said = [replace(change, who=by.who, why=by.why) for change in changes]
        now = self._database.now()
        for change in said:
            announce_transition(connection, now, change)
        record(connection, now, *said)

    def delete_version(self, name: str, version: int, *, by: By = NOBODY) -> None:
        storable(by.who, by.why)
        with self._database.writing() as connection:
            row = version_row(connection, name, version)
            for table in (registered_model_aliases, model_version_tags, model_versions):
                of_version = and_(table.c.model == row.model, table.c.version == version)
                connection.execute(delete(table).where(of_version))
            touch_model(connection, row.model, self._database.now_ms())
            change = Change(
                model=name, act=Act.VERSION_DELETED, version=version, before=row.stage, run_id=row.run_id
            )
            self._record(connection, by, change)

    def set_version_tag(self, name: str, version: int, key: str, value: str) -> None:
        storable(key, value)
        with self._database.writing() as connection:
            row = version_row(connection, name, version)
            put_pairs(connection, model_version_tags, _named(row), ((key, value),))
            self._announce_tag(connection, row, {"key": key, "value": value})

    def delete_version_tag(self, name: str, version: int, key: str) -> None:
        with self._database.writing() as connection:
            row = version_row(connection, name, version)
            drop_pair(connection, model_version_tags, _named(row), key)
            self._announce_tag(connection, row, {"key": key})

    def latest(self, name: str, stages: Sequence[Stage]) -> Sequence[ModelVersion]:
        with self._database.reading() as connection:
            newest = latest_of(connection, [model_row(connection, name).id])
            wanted = stages or tuple(Stage)
            return tuple(each for versions in newest.values() for each in versions if each.stage in wanted)

    def search_versions(
        self, search: Search, page: Page, *, within: Collection[str] | None = None
    ) -> tuple[Sequence[ModelVersion], str | None]:
        where, more = prompts.without_prompts(search.where, _is_prompt())
        columns = replace(self._columns, last=_BY_NAME) if search.order else self._columns
        with self._database.reading() as connection:
            statement = VERSIONS.where(*more, *named_among(within))
            rows, token = found(connection, statement, replace(search, where=where), columns, page)
            return read_versions(connection, rows), token

    def set_alias(self, name: str, alias: str, version: int, *, by: By = NOBODY) -> None:
        if not alias or alias.lower() == LATEST:
            raise UsageError(f"`{alias}` is no alias that can be set", hint="choose another")
        storable(alias, by.who, by.why)
        with self._database.writing() as connection:
            row = version_row(connection, name, version)
            same = and_(
                registered_model_aliases.c.model == row.model, registered_model_aliases.c.alias == alias
            )
            before = connection.execute(select(registered_model_aliases.c.version).where(same)).scalar()
            if before is None:
                new = {"model": row.model, "alias": alias, "version": version}
                connection.execute(insert(registered_model_aliases).values(**new))
            else:
                moved = update(registered_model_aliases).where(same).values(version=version)
                connection.execute(moved)
            announce_alias(connection, self._database.now(), row.model, name, alias, version)
            if before != version:
                said = None if before is None else str(before)
                change = Change(
                    model=name,
                    act=Act.ALIAS_SET,
                    version=version,
                    alias=alias,
                    before=said,
                    after=str(version),
                )
                self._record(connection, by, change)

    def delete_alias(self, name: str, alias: str, *, by: By = NOBODY) -> None:
        storable(by.who, by.why)
        with self._database.writing() as connection:
            aliases = registered_model_aliases.c
            model = model_row(connection, name)
            same = and_(aliases.model == model.id, aliases.alias == alias)
            version = connection.execute(select(aliases.version).where(same)).scalar()
            announce_alias(connection, self._database.now(), model.id, name, alias, None)
            if version is not None:
                connection.execute(delete(registered_model_aliases).where(same))
                change = Change(
                    model=name, act=Act.ALIAS_REMOVED, version=version, alias=alias, before=str(version)
                )
                self._record(connection, by, change)

    def aliased(self, name: str, alias: str) -> ModelVersion:
        with self._database.reading() as connection:
            model = model_row(connection, name)
            if alias.lower() == LATEST:
                newest = [
                    each for versions in latest_of(connection, [model.id]).values() for each in versions
                ]
                if not newest:
                    raise NotFound(f"Latest version not found for model {name}.")
                return max(newest, key=lambda each: each.version)
            aliases = registered_model_aliases.c
            statement = select(aliases.version).where(aliases.model == model.id, aliases.alias == alias)
            number = connection.execute(statement).scalar()
            if number is None:
                raise NotFound(f"Registered model alias {alias} not found.")
            return one_version(connection, name, number)

    def _announce_tag(self, connection: Connection, row: Row[Any], pair: dict[str, str]) -> None:
        version = {"name": row.name, "version": str(row.version)}
        announce_version_tag(connection, self._database.now(), row.model, version, pair)

    def _change(self, connection: Connection, row: Row[Any], **values: Any) -> None:
        same = and_(model_versions.c.model == row.model, model_versions.c.version == row.version)
        changed = {"updated_ms": self._database.now_ms(), **values}
        connection.execute(update(model_versions).where(same).values(**changed))


def _is_prompt() -> ColumnElement[bool]:
    """That the version, or the model that it is of, is a prompt."""
    of_version, of_model = model_version_tags.c, registered_model_tags.c
    return or_(
        exists().where(
            of_version.model == model_versions.c.model,
            of_version.version == model_versions.c.version,
            of_version.key == PROMPT_TAG,
            of_version.value == "true",
        ),
        exists().where(
            of_model.model == model_versions.c.model,
            of_model.key == PROMPT_TAG,
            of_model.value == "true",
        ),
    )


def _named(row: Row[Any]) -> dict[str, int]:
    return {"model": row.model, "version": row.version}
