"""What a script logged, gathered from the tables when its run is sealed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from mlproj.errors import NoRoom
from mlproj.model.digest import Digest
from mlproj.model.events import Progress
from mlproj.model.index import DEFAULT_EXPERIMENT
from mlproj.model.logged import (
    LOGGED,
    Logged,
    LoggedDataset,
    LoggedMetric,
    LoggedModelUse,
    Point,
    Summary,
    logged_metric,
    point_lines,
)
from mlproj.model.run import Run
from mlproj.store.connection import Connection
from mlproj.store.failures import explained, no_room
from mlproj.store.indexes import read_points
from mlproj.store.place import Place
from mlproj.store.room import has_room
from mlproj.store.traced import trace_lines, traces_of

_AT_ONCE = 1000
_TOLD_EVERY = 10_000
"""Points."""


def gather_logged(place: Place, run: Run) -> Logged | None:
    """Everything that was logged to a run; None where it is nothing.

    A digest in it names no blob where there was no room for one: the tables hold what it is the digest of.
    Expects to be in the transaction that seals, so that nothing is logged between.
    """
    connection = place.connection
    status, user, experiment = connection.execute(
        "SELECT r.logged_status, r.user_name, x.name FROM runs r JOIN experiments x"
        " ON x.id = r.experiment_id WHERE r.run_id = ?",
        (run.run_id,),
    ).fetchone()
    planned = DEFAULT_EXPERIMENT if run.job is None else run.job.experiment
    job_tags = {} if run.job is None else dict(run.job.tags)
    tags = _pairs(connection, 'SELECT "key", value FROM tags WHERE run_id = ?', run.run_id)
    metrics = _metrics(connection, run.run_id)
    logged = Logged(
        params=_pairs(
            connection, 'SELECT "key", value FROM params WHERE run_id = ? AND type = ?', run.run_id, LOGGED
        ),
        tags=tuple((key, value) for key, value in tags if job_tags.get(key) != value),
        untagged=tuple(sorted(job_tags.keys() - dict(tags).keys())),
        metrics=metrics,
        history=_history(place, run.run_id, sum(metric.count for metric in metrics)) if metrics else None,
        traces=_traces(place, run.run_id),
        datasets=_datasets(place, run.run_id),
        models=_models(connection, run.run_id),
        script_status=status,
        experiment=None if experiment == planned else experiment,
        user=user if run.job is None else None,
    )
    return None if logged == Logged() else logged


def keep_histories(place: Place, run_ids: Sequence[str]) -> None:
    """Puts the points of many runs into the store before they are sealed: so many at once need one sync.
    Where there is no room for all of them, each is left to its seal."""
    for start in range(0, len(run_ids), _AT_ONCE):
        some = run_ids[start : start + _AT_ONCE]
        with (
            contextlib.suppress(NoRoom),
            explained(place.root),
            tempfile.TemporaryDirectory(dir=_workspaces(place)) as folder,
        ):
            files = [_written(place, run_id, Path(folder, run_id)) for run_id in some]
            place.blobs.add_files(file for file in files if file[0].stat().st_size)
        place.report(Progress(stage="seal", done=start + len(some), total=len(run_ids), unit="runs"))


def _workspaces(place: Place) -> Path:
    """The folder of the folders of runs: a server whose runs are elsewhere may have none yet."""
    folder = place.root / "runs"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _written(place: Place, run_id: str, path: Path) -> tuple[Path, Digest]:
    hasher = hashlib.sha256()
    with path.open("wb") as file:
        for line in point_lines(read_points(place.connection, run_id)):
            hasher.update(line)
            file.write(line)
    return path, Digest.from_hex(hasher.hexdigest())


def _pairs(connection: Connection, query: str, *values: object) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(connection.execute(query, values)))


def _metrics(connection: Connection, run_id: str) -> tuple[LoggedMetric, ...]:
    rows = connection.execute(
        'SELECT "key", value, step, "timestamp", minimum, maximum, "count" FROM latest_metrics'
        ' WHERE run_id = ? ORDER BY "key"',
        (run_id,),
    )
    return tuple(
        logged_metric(
            key,
            Summary(
                value=float("nan") if value is None else value,
                step=step,
                timestamp=timestamp or 0,
                minimum=minimum,
                maximum=maximum,
                count=count,
            ),
        )
        for key, value, step, timestamp, minimum, maximum, count in rows
    )


def _history(place: Place, run_id: str, count: int) -> Digest:
    """Puts every point into the store, if there is room."""
    return _adopted(place, run_id, "history.jsonl", lambda: point_lines(_counted(place, run_id, count)))


def _traces(place: Place, run_id: str) -> Digest | None:
    """Puts every trace of a run into the store, if there is room, as it is told to clients."""
    traces = traces_of(place.connection, run_id)
    if not traces:
        return None
    return _adopted(place, run_id, "traces.jsonl", lambda: trace_lines(place.connection, traces))


def _adopted(place: Place, run_id: str, name: str, lines: Callable[[], Iterable[bytes]]) -> Digest:
    """Puts lines into the store, if there is room: through a file, since there may be millions."""
    path = place.workspace(run_id) / name
    try:
        with explained(place.root):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.writelines(lines())
            if not has_room(place.root):
                raise no_room(place.root)  # the record that is to name it needs the rest
            digest, _ = place.blobs.adopt_file(path)
    except NoRoom:
        hasher = hashlib.sha256()
        for line in lines():
            hasher.update(line)
        return Digest.from_hex(hasher.hexdigest())
    finally:
        path.unlink(missing_ok=True)
    return digest


def _counted(place: Place, run_id: str, count: int) -> Iterator[tuple[str, Point]]:
    """Every point of a run, telling how many have been read."""
    for done, point in enumerate(read_points(place.connection, run_id), start=1):
        if done % _TOLD_EVERY == 0:
            place.report(Progress(stage="seal", done=done, total=count, unit="points"))
        yield point


def _datasets(place: Place, run_id: str) -> tuple[LoggedDataset, ...]:
    rows = place.connection.execute(
        "SELECT d.name, d.digest, d.source_type, d.source, d.schema, d.profile, i.tags"
        " FROM dataset_inputs i JOIN datasets d ON d.id = i.dataset_id WHERE i.run_id = ?"
        " ORDER BY d.name, d.digest",
        (run_id,),
    )
    return tuple(
        LoggedDataset(
            name=name,
            digest=digest,
            source_type=kind,
            source=source,
            schema=None if schema is None else _kept(place, schema.encode()),
            profile=None if profile is None else _kept(place, profile.encode()),
            tags=tuple(sorted(json.loads(tags).items())),
        )
        for name, digest, kind, source, schema, profile, tags in rows.fetchall()
    )


def _kept(place: Place, text: bytes) -> Digest:
    with contextlib.suppress(NoRoom):
        place.blobs.add_bytes(text)
    return Digest.of(text)


def _models(connection: Connection, run_id: str) -> tuple[LoggedModelUse, ...]:
    rows = connection.execute(
        "SELECT model_id, direction, step FROM run_models WHERE run_id = ? ORDER BY direction, model_id",
        (run_id,),
    )
    return tuple(LoggedModelUse(model_id=model, direction=way, step=step) for model, way, step in rows)
