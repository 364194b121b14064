"""Runs that were made elsewhere, taken into a store as `mlproj import-mlflow` does it."""

from __future__ import annotations

import contextlib

from mlproj import wiring
from mlproj.model.run import Run
from mlproj.model.tracking import RunStatus, TrackedRun
from mlproj.store.folder import FolderStore

_STARTED = 1_577_836_800_000


def arrived(
    store: FolderStore,
    name: str,
    *,
    status: RunStatus = RunStatus.FINISHED,
    document: bytes = b"{}",
    files: dict[str, bytes] | None = None,
) -> Run:
    """The run of another tracker, whose id is its name's first letter, over and over."""
    run = TrackedRun(
        run_id=name[0] * 32,
        name=name,
        experiment_id="0",
        user="ada",
        status=status,
        started=_STARTED,
        ended=None if status is RunStatus.RUNNING else _STARTED + 1000,
        artifact_uri="",
    )
    for path, content in (files or {}).items():
        place = store.workspace(run.run_id) / "artifacts" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    with contextlib.closing(wiring.arrivals_of(store)) as arrivals:
        arrivals.run(run, (), experiment_id="0", origin="another tracker", document=document)
    return store.find(run.run_id)
