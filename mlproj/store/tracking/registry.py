"""Registered models in the tables: names with tags and aliases, below which versions are numbered."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, Row, delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from mlproj.errors import AlreadyThere, UsageError
from mlproj.model import access
from mlproj.model.registry import NOBODY, PROMPT_TAG, Act, By, Change, RecordedChange, RegisteredModel
from mlproj.model.search import Kind, Search
from mlproj.model.tracking import Page, Pairs
from mlproj.store.tracking import prompts
from mlproj.store.tracking.engine import storable
from mlproj.store.tracking.paging import found
from mlproj.store.tracking.pairs import drop_pair, pairs_of, put_pairs
from mlproj.store.tracking.registering import history_of
from mlproj.store.tracking.searching import Columns, Detail, Last
from mlproj.store.tracking.version_rows import (
    aliases_of,
    latest_of,
    model_row,
    named_among,
    rules_of,
    touch_model,
)
from mlproj.store.tracking.versions import StoredVersions
from mlproj.store.tracking_tables import (
    model_version_tags,
    model_versions,
    registered_model_aliases,
    registered_model_rules,
    registered_model_tags,
    registered_models,
)
from mlproj.store.users_rights import drop_rights, move_rights
from mlproj.store.webhooks.announcing import announce_created, announce_tag, follow

_COLUMNS = Columns(
    attributes={
        "name": registered_models.c.name,
        "creation_timestamp": registered_models.c.created_ms,
        "last_updated_timestamp": registered_models.c.updated_ms,
    },
    details={Kind.TAG: Detail(table=registered_model_tags, of={"model": registered_models.c.id})},
    last=(Last(registered_models.c.name),),
)


class StoredRegistry(StoredVersions):
    """The `Registry` of a store."""

    def create(
        self, name: str, *, description: str = "", tags: Pairs = (), by: By = NOBODY
    ) -> RegisteredModel:
        _refuse_nameless(name)
        storable(name, description, by.who, by.why, *(text for pair in tags for text in pair))
        with self._database.writing() as connection:
            _refuse_taken(connection, name, dict(tags))
            now = self._database.now_ms()
            row = {"name": name, "created_ms": now, "updated_ms": now, "description": description}
            try:
                made = connection.execute(insert(registered_models).values(**row))
            except IntegrityError as error:
                raise _taken(name) from error
            (number,) = made.inserted_primary_key or (None,)
            put_pairs(connection, registered_model_tags, {"model": number}, tags)
            drop_rights(connection, access.Kind.MODEL, name)
            announce_created(connection, self._database.now(), name, tags, description)
            self._record(connection, by, Change(model=name, act=Act.CREATED))
            return _one(connection, name)

    def get(self, name: str) -> RegisteredModel:
        with self._database.reading() as connection:
            return _one(connection, name)

    def rename(self, name: str, new: str, *, by: By = NOBODY) -> RegisteredModel:
        _refuse_nameless(new)
        storable(new, by.who, by.why)
        with self._database.writing() as connection:
            model, now = model_row(connection, name), self._database.now_ms()
            if new != name:
                _refuse_taken(connection, new, {})
            touch_model(connection, model.id, now, name=new)
            of_model = update(model_versions).where(model_versions.c.model == model.id)
            connection.execute(of_model.values(updated_ms=now))
            if new != name:
                move_rights(connection, access.Kind.MODEL, name, new)
                follow(connection, name, new)
                change = Change(model=name, act=Act.RENAMED, before=name, after=new)
                self._record(connection, by, change)
            return _one(connection, new)

    def describe(self, name: str, description: str) -> RegisteredModel:
        storable(description)
        with self._database.writing() as connection:
            model = model_row(connection, name)
            touch_model(connection, model.id, self._database.now_ms(), description=description)
            return _one(connection, name)

    def delete(self, name: str, *, by: By = NOBODY) -> None:
        storable(by.who, by.why)
        with self._database.writing() as connection:
            model = model_row(connection, name)
            for table in (
                registered_model_rules,
                registered_model_aliases,
                model_version_tags,
                model_versions,
                registered_model_tags,
            ):
                connection.execute(delete(table).where(table.c.model == model.id))
            connection.execute(delete(registered_models).where(registered_models.c.id == model.id))
            drop_rights(connection, access.Kind.MODEL, name)
            self._record(connection, by, Change(model=name, act=Act.DELETED))

    def history(self, name: str) -> Sequence[RecordedChange]:
        with self._database.reading() as connection:
            found = history_of(connection, name)
            if not found:
                # One that is there already tells of nothing where an earlier version made it.
                _one(connection, name)
            return found

    def rules(self, name: str) -> str | None:
        with self._database.reading() as connection:
            return rules_of(connection, model_row(connection, name).id)

    def set_rules(self, name: str, text: str | None, *, by: By = NOBODY) -> None:
        storable(text, by.who, by.why)
        with self._database.writing() as connection:
            model = model_row(connection, name)
            before = rules_of(connection, model.id)
            if text == before:
                return
            of_model = registered_model_rules.c.model == model.id
            connection.execute(delete(registered_model_rules).where(of_model))
            if text is not None:
                connection.execute(insert(registered_model_rules).values(model=model.id, text=text))
            act = Act.RULES_REMOVED if text is None else Act.RULES_SET
            change = Change(model=name, act=act, before=before, after=text)
            self._record(connection, by, change)

    def search(
        self, search: Search, page: Page, *, within: Collection[str] | None = None
    ) -> tuple[Sequence[RegisteredModel], str | None]:
        where, more = prompts.without_prompts(search.where, _is_prompt())
        statement = select(registered_models).where(*more, *named_among(within))
        with self._database.reading() as connection:
            rows, token = found(connection, statement, replace(search, where=where), _COLUMNS, page)
            return _read(connection, rows), token

    def set_tag(self, name: str, key: str, value: str) -> None:
        storable(key, value)
        with self._database.writing() as connection:
            model = model_row(connection, name)
            put_pairs(connection, registered_model_tags, {"model": model.id}, ((key, value),))
            announce_tag(connection, self._database.now(), model.id, name, {"key": key, "value": value})

    def delete_tag(self, name: str, key: str) -> None:
        with self._database.writing() as connection:
            model = model_row(connection, name)
            drop_pair(connection, registered_model_tags, {"model": model.id}, key)
            announce_tag(connection, self._database.now(), model.id, name, {"key": key})


def _refuse_nameless(name: str) -> None:
    if not name.strip():
        raise UsageError("a registered model has a name")


def _refuse_taken(connection: Connection, name: str, tags: dict[str, str]) -> None:
    """Raises AlreadyThere in MLflow's words: a prompt and a model do not share a name."""
    number = connection.execute(
        select(registered_models.c.id).where(registered_models.c.name == name)
    ).scalar()
    if number is None:
        return
    known = dict(pairs_of(connection, registered_model_tags, ["model"], [(number,)])[(number,)])
    old, new = ("Prompt" if PROMPT_TAG in each else "Registered Model" for each in (known, tags))
    if old != new:
        raise AlreadyThere(
            f"Tried to create a {new.lower()} with name {name!r}, but the name is already taken by a "
            f"{old.lower()}. MLflow does not allow creating a model and a prompt with the same name."
        )
    raise _taken(name, new)


def _taken(name: str, what: str = "Registered Model") -> AlreadyThere:
    return AlreadyThere(f"{what} (name={name}) already exists.")


def _is_prompt() -> ColumnElement[bool]:
    tags = registered_model_tags.c
    return exists().where(tags.model == registered_models.c.id, tags.key == PROMPT_TAG, tags.value == "true")


def _one(connection: Connection, name: str) -> RegisteredModel:
    return _read(connection, [model_row(connection, name)])[0]


def _read(connection: Connection, rows: Sequence[Row[Any]]) -> list[RegisteredModel]:
    numbers = [row.id for row in rows]
    tags = pairs_of(connection, registered_model_tags, ["model"], [(number,) for number in numbers])
    aliases, latest = aliases_of(connection, numbers), latest_of(connection, numbers)
    return [
        RegisteredModel(
            name=row.name,
            created=row.created_ms,
            updated=row.updated_ms,
            description=row.description,
            tags=tags[(row.id,)],
            aliases=aliases[row.id],
            latest=latest[row.id],
        )
        for row in rows
    ]
