"""A store with something of everything that a page shows."""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass

from mlproj.model.tracking import Batch, Metric, NewRun, RunStatus
from mlproj.store.artifacts import FolderArtifacts
from mlproj.store.folder import FolderStore
from mlproj.tracking_ports import Tracking
from tests.store.runs import begun, ended

STARTED = 1_764_000_000_000


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The ids of what is there: recorded runs of `Default`, and runs of the experiment `trees`."""

    recorded: tuple[str, ...]
    experiment_id: str
    logged: tuple[str, ...]


def picture(width: int = 40, height: int = 30) -> bytes:
    """A PNG with one colour."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    rows = (b"\0" + b"\x14\x53\x2d" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + end


FILES = {
    "picture.png": picture(),
    "table.csv": b"depth,rmse\n1,0.9\n2,0.8\n",
    "notes.md": b"# Notes\n\nThis is **bold**.\n",
    "deep/er/page.html": b"<h1>not a page</h1>",
    "weights.bin": b"\0\1\2\3",
}


def scene(store: FolderStore, tracking: Tracking, files: FolderArtifacts) -> Scene:
    recorded = []
    for number, alpha in enumerate((0.25, 0.5, 0.75)):
        source = {b"MLproject": b"name: sample\n", b"train.py": b"print(%d)\nprint('end')\n" % number}
        run = begun(store.blobs, name=f"calm-heron-{number}", alpha=alpha, source=source)
        with store.begin(run):
            store.seal(ended(store.blobs, run, rmse=0.2 + number / 10, model=b"model %d" % number))
        recorded.append(run.run_id)
    experiment_id = tracking.experiments.create("trees").experiment_id
    logged = tuple(_logged(tracking, files, experiment_id, number) for number in range(6))
    tracking.registry.create("elastic", description="Predicts **well**.")
    for run_id in logged[:2]:
        tracking.registry.create_version("elastic", source=f"runs:/{run_id}/model", run_id=run_id)
    return Scene(recorded=tuple(recorded), experiment_id=experiment_id, logged=logged)


def _logged(tracking: Tracking, files: FolderArtifacts, experiment_id: str, number: int) -> str:
    started = STARTED + number * 60_000
    new = NewRun(experiment_id=experiment_id, name=f"oak-{number}", user="ada", started=started)
    run_id = tracking.runs.create(new).run_id
    points = tuple(
        Metric(key=key, value=math.exp(-step / (9 + number)) + shift, timestamp=started + step, step=step)
        for key, shift in (("loss", 0.0), ("val_loss", 0.1))
        for step in range(100)
    )
    last = Metric(key="rmse", value=0.9 - number / 10, timestamp=started, step=0)
    params = (("depth", str(number)), ("kind", "oak"))
    tracking.runs.log(run_id, Batch(metrics=(*points, last), params=params))
    for name, content in FILES.items():
        files.write(f"runs/{run_id}/artifacts/{name}", iter([content]))
    tracking.runs.update(run_id, status=RunStatus.FINISHED, ended=started + 30_000)
    return run_id
