"""Params and tags of a run in the tables. A param does not change; one that was planned may be spelt anew."""

from __future__ import annotations

import os.path
from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from mlproj.errors import UsageError
from mlproj.model.index import number_in
from mlproj.model.logged import LOGGED
from mlproj.model.plan import BOOLEANS
from mlproj.model.project import ParameterType
from mlproj.model.redaction import MASK
from mlproj.model.tracking import Pairs
from mlproj.store.tables import params, tags
from mlproj.store.tracking.engine import storable

_PARAMS = select(params.c.key, params.c.value, params.c.type).where(
    params.c.run_id == bindparam("run_id"), params.c.key.in_(bindparam("keys", expanding=True))
)
_TAGS = select(tags.c.key, tags.c.value).where(
    tags.c.run_id == bindparam("run_id"), tags.c.key.in_(bindparam("keys", expanding=True))
)
_INSERT_PARAM = insert(params)
_INSERT_TAG = insert(tags)
_UPDATE_TAG = (
    update(tags)
    .where(tags.c.run_id == bindparam("of_run"), tags.c.key == bindparam("of_key"))
    .values(value=bindparam("new_value"))
)
_NUMBERS = (ParameterType.INT.value, ParameterType.FLOAT.value)


def add_params(connection: Connection, run_id: str, given: Pairs) -> Pairs:
    """Adds params; those that the run had already are not returned. Raises UsageError for another value."""
    storable(*(text for pair in given for text in pair))
    asked = {"run_id": run_id, "keys": [key for key, _ in given]}
    known = {key: (value, kind) for key, value, kind in connection.execute(_PARAMS, asked)}
    new: dict[str, str] = {}
    for key, value in given:
        had, kind = known.get(key, (value, LOGGED))
        if not is_same(kind, had, value):
            raise UsageError(
                f"Changing param values is not allowed. Param with key='{key}' was already logged with"
                f" value='{had}' for run ID='{run_id}'. Attempted logging new value '{value}'."
            )
        if key not in known:
            known[key] = (value, LOGGED)
            new[key] = value
    rows = [
        {"run_id": run_id, "key": key, "value": value, "type": LOGGED, "number": number_in(value)}
        for key, value in new.items()
    ]
    if rows:
        connection.execute(_INSERT_PARAM, rows)
    return tuple(new.items())


def is_same(kind: str, had: str, value: str) -> bool:
    """Whether `value` is that of a parameter, as a script may spell what it was given."""
    if had == value or (had == MASK and kind != LOGGED):
        return True
    if kind in _NUMBERS:
        number = number_in(had)
        return number is not None and number == number_in(value)
    if kind == ParameterType.BOOL.value:
        meant = BOOLEANS.get(had.lower())
        return meant is not None and meant == BOOLEANS.get(value.lower())
    return kind in (ParameterType.PATH.value, ParameterType.URI.value) and _is_located(had, value)


def add_tags(connection: Connection, run_id: str, given: Mapping[str, str]) -> Mapping[str, str]:
    """Sets tags; those that had that value already are not returned."""
    storable(*(text for pair in given.items() for text in pair))
    asked = {"run_id": run_id, "keys": list(given)}
    known = {key: value for key, value in connection.execute(_TAGS, asked)}
    new = [{"run_id": run_id, "key": key, "value": value} for key, value in given.items() if key not in known]
    changed = [
        {"of_run": run_id, "of_key": key, "new_value": value}
        for key, value in given.items()
        if known.get(key, value) != value
    ]
    if new:
        connection.execute(_INSERT_TAG, new)
    if changed:
        connection.execute(_UPDATE_TAG, changed)
    return {key: value for key, value in given.items() if known.get(key) != value}


def remove_tag(connection: Connection, run_id: str, key: str) -> bool:
    """Takes a tag away; False where there is none."""
    removed = connection.execute(delete(tags).where(tags.c.run_id == run_id, tags.c.key == key))
    return bool(removed.rowcount)


def _is_located(had: str, value: str) -> bool:
    """Whether an absolute path ends as the parameter's does: the script got it with its folder."""
    if not os.path.isabs(value):
        return False
    if "://" in had:
        return os.path.basename(had.rstrip("/")) == os.path.basename(value.rstrip("/"))
    parts = [part for part in os.path.normpath(had).split(os.sep) if part not in ("", ".", "..")]
    return bool(parts) and os.path.normpath(value).split(os.sep)[-len(parts) :] == parts
