"""Which files of runs and models stay as they are: somebody relies on them, and their run has ended.

Clients of tracking may log to a run that has ended, and do. But what its record has as its outputs has its
address among its artifacts too, and what a registered model is made of was looked at when it was registered
and promoted: neither is replaced by whoever may log there.
"""

from __future__ import annotations

from mlproj.errors import RunNotFound
from mlproj.model.run import ARTIFACTS, MODELS
from mlproj.store.connection import Connection
from mlproj.store.needless import places_of
from mlproj.store.writing import still_open

_RUN = "SELECT source_run_id FROM logged_models WHERE model_id = ?"
_OUTPUTS = "SELECT path FROM outputs WHERE run_id = ?"


def why_settled(connection: Connection, path: str) -> str | None:
    """Why what lies at an artifact's path in the store (`runs/<id>/artifacts/…`) is not to be written or
    removed any more; None where it may be."""
    kind, _, rest = path.partition("/")
    name, _, rest = rest.partition("/")
    inside = rest.partition("/")[2]
    run_id = name
    if kind == "models":
        found = connection.execute(_RUN, (name,)).fetchone()
        run_id = (found and found[0]) or ""
    if kind not in ("runs", "models") or _goes_on(connection, run_id):
        return None
    if kind == "runs":
        left = (row[0] for row in connection.execute(_OUTPUTS, (name,)).fetchall())
        if any(_meet(inside, each) for each in left if not each.startswith((ARTIFACTS, MODELS))):
            return f"`{inside}` is an output on the sealed record of the run, and stays as it is"
    if any(_meet(path, str(place)) for place in places_of(connection, name)):
        return f"a version of a registered model is made of `{inside}`, which stays as it is"
    return None


def _goes_on(connection: Connection, run_id: str) -> bool:
    try:
        return bool(run_id) and still_open(connection, run_id)
    except RunNotFound:
        return False


def _meet(one: str, other: str) -> bool:
    """Whether one path is, or lies below, the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")
