"""The tags by which clients know a run of a project: told from its row, so that its record holds them once.

MLflow's scripts find the steps of a pipeline by them, and earlier runs of the same commit. One that a client
sets counts instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, select

from mlproj.store.tables import runs, tags

_IS_OF_A_PROJECT = and_(
    runs.c.supervisor.is_not(None), runs.c.owner.is_(None), runs.c.entry_point.is_not(None)
)
_TOLD: Mapping[str, ColumnElement[Any]] = {
    "mlflow.parentRunId": runs.c.parent,
    "mlflow.project.entryPoint": runs.c.entry_point,
    "mlflow.source.git.commit": runs.c.commit_id,
    "mlflow.source.name": runs.c.uri,
    "mlflow.user": runs.c.user_name,
}
_SAME = {"mlflow.project.backend": "local", "mlflow.source.type": "PROJECT"}

COLUMNS = (
    _IS_OF_A_PROJECT.label("of_project"),
    runs.c.parent,
    runs.c.entry_point,
    runs.c.commit_id,
    runs.c.uri,
    runs.c.user_name,
)
"""What a row of a run needs for `told` to read them from it."""


def told(row: Any) -> dict[str, str]:
    """The tags that a run's row tells."""
    if not row.of_project:
        return {}
    values = zip(_TOLD, (row.parent, row.entry_point, row.commit_id, row.uri, row.user_name), strict=True)
    return _SAME | {key: value for key, value in values if value is not None}


def searched() -> Mapping[str, ColumnElement[Any]]:
    """What runs are searched in and sorted by where one of these tags is asked for."""
    values = {**_TOLD, **{key: literal(value) for key, value in _SAME.items()}}
    return {key: func.coalesce(_set(key), case((_IS_OF_A_PROJECT, value))) for key, value in values.items()}


def _set(key: str) -> ColumnElement[Any]:
    of_run = select(tags.c.value).where(tags.c.run_id == runs.c.run_id, tags.c.key == key)
    return of_run.correlate(runs).scalar_subquery()
