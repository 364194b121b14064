"""What a script logged, gathered from the tables when its run is sealed."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mlproj.model.digest import Digest
from mlproj.model.index import DEFAULT_EXPERIMENT
from mlproj.model.logged import (
    LOGGED,
    Logged,
    LoggedDataset,
    LoggedMetric,
    LoggedModelUse,
    Summary,
    logged_metric,
    point_lines,
)
from mlproj.model.run import Run
from mlproj.store.blobs import FolderBlobs
from mlproj.store.reading import read_points

_AT_ONCE = 1000


def gather_logged(
    connection: sqlite3.Connection, workspace: Path, blobs: FolderBlobs, run: Run
) -> Logged | None:
    """Everything that was logged to a run; None where it is nothing.

    Expects to be in the transaction that seals, so that nothing is logged between.
    """
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
        history=_history(connection, workspace, blobs, run.run_id) if metrics else None,
        datasets=_datasets(connection, blobs, run.run_id),
        models=_models(connection, run.run_id),
        script_status=status,
        experiment=None if experiment == planned else experiment,
        user=user if run.job is None else None,
    )
    return None if logged == Logged() else logged


def keep_histories(
    connection: sqlite3.Connection, root: Path, blobs: FolderBlobs, run_ids: Sequence[str]
) -> None:
    """Puts the points of many runs into the store before they are sealed: so many at once need one sync."""
    for start in range(0, len(run_ids), _AT_ONCE):
        with tempfile.TemporaryDirectory(dir=root / "runs") as folder:
            files = []
            for run_id in run_ids[start : start + _AT_ONCE]:
                path, hasher = Path(folder, run_id), hashlib.sha256()
                with path.open("wb") as file:
                    for line in point_lines(read_points(connection, run_id)):
                        hasher.update(line)
                        file.write(line)
                files.append((path, Digest.from_hex(hasher.hexdigest())))
            blobs.add_files(file for file in files if file[0].stat().st_size)


def _pairs(connection: sqlite3.Connection, query: str, *values: object) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(connection.execute(query, values)))


def _metrics(connection: sqlite3.Connection, run_id: str) -> tuple[LoggedMetric, ...]:
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


def _history(connection: sqlite3.Connection, workspace: Path, blobs: FolderBlobs, run_id: str) -> Digest:
    """Puts every point into the store: through a file, since there may be millions."""
    workspace.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = workspace / "history.jsonl"
    try:
        with path.open("wb") as file:
            file.writelines(point_lines(read_points(connection, run_id)))
        digest, _ = blobs.adopt_file(path)
    finally:
        path.unlink(missing_ok=True)
    return digest


def _datasets(connection: sqlite3.Connection, blobs: FolderBlobs, run_id: str) -> tuple[LoggedDataset, ...]:
    rows = connection.execute(
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
            schema=None if schema is None else blobs.add_bytes(schema.encode()),
            profile=None if profile is None else blobs.add_bytes(profile.encode()),
            tags=tuple(sorted(json.loads(tags).items())),
        )
        for name, digest, kind, source, schema, profile, tags in rows.fetchall()
    )


def _models(connection: sqlite3.Connection, run_id: str) -> tuple[LoggedModelUse, ...]:
    rows = connection.execute(
        "SELECT model_id, direction, step FROM run_models WHERE run_id = ? ORDER BY direction, model_id",
        (run_id,),
    )
    return tuple(LoggedModelUse(model_id=model, direction=way, step=step) for model, way, step in rows)
