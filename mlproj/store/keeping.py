"""Files that a run's script left where a client was told to put them, kept before the run is sealed."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlproj.errors import StoreError
from mlproj.model.digest import readable
from mlproj.model.run import Output
from mlproj.store.blobs import FolderBlobs
from mlproj.store.gathering import keep_histories

Kept = Mapping[str, tuple[Output, ...]]
"""What was kept, by run id."""

ARTIFACTS = "artifacts"
MODELS = "models"


def keep_all(connection: sqlite3.Connection, root: Path, blobs: FolderBlobs, run_id: str) -> Kept:
    """What a run that ends, and the runs it owns, left; but its own artifacts are its runner's to keep."""
    begun = owned_runs(connection, run_id)
    keep_histories(connection, root, blobs, begun)
    owned = {each: keep_outputs(connection, root, blobs, each) for each in begun}
    return {**owned, run_id: keep_models(connection, root, blobs, run_id)}


def owned_runs(connection: sqlite3.Connection, owner: str) -> tuple[str, ...]:
    """The runs that are not sealed and whose script is that of the run `owner`, in the order they began."""
    rows = connection.execute(
        "SELECT run_id FROM runs WHERE sequence IS NULL AND owner = ? ORDER BY number", (owner,)
    ).fetchall()
    return tuple(run_id for (run_id,) in rows)


def keep_outputs(
    connection: sqlite3.Connection, root: Path, blobs: FolderBlobs, run_id: str
) -> tuple[Output, ...]:
    """The artifacts of a run that a client began, and the files of the models that it logged."""
    own = _keep(root / "runs" / run_id / ARTIFACTS, ARTIFACTS, blobs)
    return (*own, *keep_models(connection, root, blobs, run_id))


def keep_models(
    connection: sqlite3.Connection, root: Path, blobs: FolderBlobs, run_id: str
) -> tuple[Output, ...]:
    """The files of the models that a run logged, at `models/<model id>/`, where they lie in the store."""
    rows = connection.execute(
        "SELECT model_id FROM run_models WHERE run_id = ? AND direction = 'output'"
        " UNION SELECT model_id FROM logged_models WHERE source_run_id = ? ORDER BY 1",
        (run_id, run_id),
    ).fetchall()
    return tuple(
        output
        for (model_id,) in rows
        if model_id == os.path.basename(model_id) and model_id not in ("", ".", "..")
        for output in _keep(root / MODELS / model_id / ARTIFACTS, f"{MODELS}/{model_id}", blobs)
    )


def _keep(folder: Path, name: str, blobs: FolderBlobs) -> Iterator[Output]:
    """Keeps every file in a folder. What vanishes meanwhile is none."""
    for path in sorted(_files(folder)):
        try:
            digest, size = blobs.add_file(folder / path)
        except StoreError:
            if (folder / path).exists():
                raise
            continue
        shown = f"{name}/{readable(path)}"
        yield Output(path=shown, state="written", digest=digest, size=size, declared=False)


def _files(folder: Path) -> Iterator[str]:
    """The regular files in a folder, links left out; paths relative to it."""
    for inside, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(inside, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                yield os.path.relpath(path, folder)
