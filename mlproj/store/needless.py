"""Models that runs logged, and that nothing needs once their runs are forgotten; the registry keeps its own.

A version of a registered model is what somebody loads by its name: its files outlive the run that they came
from, wherever in the store they lie.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from mlproj.store.connection import Connection
from mlproj.store.traced import traces_of

MARK = "store:/"
"""How an address begins that is below the store's folder."""

_PROXIED = re.compile(
    r"mlflow-artifacts:/+\d+/(?P<model>models/)?(?P<name>[\w\-]+)(?P<path>/artifacts.*)", re.DOTALL
)
"""An address at a server that has the artifacts go through it."""
_OUTPUT = re.compile(r"(?:runs:/|mlflow-artifacts:/+\d+/)(?P<run>[\w\-]+)(?P<path>/.*)", re.DOTALL)
"""An address of what a run left, by its record or at a server."""
_ARTIFACTS = "/artifacts/"
_MODELS = (
    "SELECT m.model_id, r.run_id, r.forgotten FROM logged_models m JOIN runs r ON r.run_id = m.source_run_id"
)
_SOURCES = "SELECT source, model_id FROM model_versions"
_FILES = "DELETE FROM artifacts WHERE owner = ?"
_OF_MODEL = (
    "logged_model_metrics",
    "logged_model_params",
    "logged_model_tags",
    "run_models",
    "logged_models",
)


def needless_models(connection: Connection, without: Collection[str] = ()) -> frozenset[str]:
    """The models that neither the registry nor any other run names, were the runs `without` forgotten."""
    rows = connection.execute(_MODELS).fetchall()
    used = {
        model_id
        for model_id, run_id in connection.execute("SELECT model_id, run_id FROM run_models")
        if run_id not in without
    }
    used.update(place.parts[1] for place in _places(connection) if place.parts[:1] == ("models",))
    return frozenset(
        model_id
        for model_id, run_id, forgotten in rows
        if (forgotten or run_id in without) and model_id not in used
    )


def drop_models(connection: Connection) -> None:
    """Takes the rows of needless models away. Expects to be in a transaction."""
    for model_id in needless_models(connection):
        for table in _OF_MODEL:
            connection.execute(f"DELETE FROM {table} WHERE model_id = ?", (model_id,))
        connection.execute(_FILES, (f"models/{model_id}",))


def drop_traces(connection: Connection, run_id: str) -> None:
    """Takes the traces of a run away. Expects to be in a transaction."""
    for trace_id in traces_of(connection, run_id):
        for table in ("trace_metadata", "trace_tags", "traces"):
            connection.execute(f"DELETE FROM {table} WHERE trace_id = ?", (trace_id,))
        connection.execute(_FILES, (f"traces/{trace_id}",))


def spared_places(connection: Connection) -> frozenset[PurePosixPath]:
    """The places below a store's folder that versions of registered models name."""
    return frozenset(_places(connection))


def needed_runs(connection: Connection) -> frozenset[str]:
    """The runs that versions of registered models cannot be had without: what these are made of has its
    address by their records, as declared outputs do, and lies nowhere else."""
    sources = connection.execute("SELECT source FROM model_versions").fetchall()
    found = (_OUTPUT.fullmatch(source) for (source,) in sources)
    return frozenset(each["run"] for each in found if each is not None and _is_output(connection, each))


def _is_output(connection: Connection, named: re.Match[str]) -> bool:
    if named[0].startswith("runs:"):
        return True
    path = named["path"].removeprefix(_ARTIFACTS).rstrip("/")
    rows = connection.execute("SELECT path FROM outputs WHERE run_id = ?", (named["run"],)).fetchall()
    return any(f"{path}/".startswith(f"{left}/") or left.startswith(f"{path}/") for (left,) in rows)


class Spared:
    """The places below a store's folder that versions of registered models name, and with `models` those of
    all models that there are."""

    def __init__(self, connection: Connection, root: Path, *, models: bool = False) -> None:
        known = connection.execute("SELECT model_id FROM logged_models").fetchall() if models else ()
        places = (*_places(connection), *(PurePosixPath("models", model_id) for (model_id,) in known))
        self._places = frozenset(root / place for place in places)

    def beside(self, path: Path) -> Iterator[Path]:
        """What of a file or folder may go: all of it, nothing, or what lies beside the places in it."""
        if not any(path == place or path in place.parents for place in self._places):
            yield path
        elif path not in self._places and not path.is_symlink():
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                for each in sorted(path.iterdir()):
                    yield from self.beside(each)


def places_of(connection: Connection, name: str) -> Iterator[PurePosixPath]:
    """Where below the store's folder the files of versions lie that are of the run or logged model `name`."""
    query = f"{_SOURCES} WHERE source LIKE ? OR model_id = ?"
    return _placed(connection.execute(query, (f"%/{name}/%", name)).fetchall())


def _places(connection: Connection) -> Iterator[PurePosixPath]:
    """Where below the store's folder the files of versions lie."""
    return _placed(connection.execute(_SOURCES).fetchall())


def _placed(rows: Iterable[tuple[str, str | None]]) -> Iterator[PurePosixPath]:
    for source, model_id in rows:
        if model_id is not None:
            yield PurePosixPath("models", model_id)
        proxied = _PROXIED.fullmatch(source)
        if source.startswith(MARK):
            place = PurePosixPath(unquote(source[len(MARK) :]))
        elif proxied is not None:
            place = PurePosixPath("models" if proxied["model"] else "runs", proxied["name"] + proxied["path"])
        else:
            continue
        if len(place.parts) > 1 and ".." not in place.parts:
            yield place
