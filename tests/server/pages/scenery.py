"""A store with something of everything that a page shows."""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import msgspec

from mlproj.model.tracking import PARENT, Batch, Metric, ModelOutput, NewRun, RunStatus
from mlproj.store.artifacts import FolderArtifacts
from mlproj.store.folder import FolderStore
from mlproj.tracking_ports import Tracking
from tests.store.runs import begun, ended

STARTED = 1_764_000_000_000


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The ids of what is there: recorded runs of `Default`, and runs of the experiment `trees`.

    The experiment `sweep` has a run with runs below it, the last of them below the first one, and then one
    that stands alone; two traces of its first run, one as MLflow 3 sends it and one as MLflow 2 does; and a
    logged model.
    """

    recorded: tuple[str, ...]
    experiment_id: str
    logged: tuple[str, ...]
    sweep_id: str
    sweep: tuple[str, ...]
    traces: tuple[str, str]
    model_id: str


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


MLMODEL = """\
artifact_path: model
flavors:
  python_function: {loader_module: mlflow.sklearn, python_version: 3.11.7}
  sklearn: {pickled_model: model.pkl, sklearn_version: 1.7.2}
mlflow_version: 3.1.0
run_id: abc
signature:
  inputs: '[{"type": "double", "name": "age"}, {"type": "long", "name": "sex", "required": false}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]'
  params: null
"""


def text(key: str, value: str) -> dict[str, Any]:
    """An attribute as OpenTelemetry has it."""
    return {"key": key, "value": {"string_value": value}}


SPANS: list[dict[str, Any]] = [
    {
        "span_id": "AAAAAAAAAAI=",
        "parent_span_id": "AAAAAAAAAAE=",
        "name": "look_up",
        "start_time_unix_nano": STARTED * 1_000_000 + 50_000_000,
        "end_time_unix_nano": STARTED * 1_000_000 + 150_000_000,
        "attributes": [
            text("mlflow.spanType", '"RETRIEVER"'),
            {
                "key": "mlflow.spanInputs",
                "value": {
                    "kvlist_value": {
                        "values": [text("question", "why?"), {"key": "k", "value": {"int_value": 3}}]
                    }
                },
            },
            {"key": "mlflow.spanOutputs", "value": {"array_value": {"values": [{"double_value": 0.5}]}}},
            text("team", "search"),
        ],
        "status": {"code": "STATUS_CODE_ERROR", "message": "nothing was found"},
        "events": [
            {
                "name": "exception",
                "time_unix_nano": STARTED * 1_000_000 + 149_000_000,
                "attributes": [text("exception.stacktrace", "Traceback:\n  line 3")],
            }
        ],
    },
    {
        "span_id": "AAAAAAAAAAE=",
        "name": "answer",
        "start_time_unix_nano": STARTED * 1_000_000,
        "end_time_unix_nano": STARTED * 1_000_000 + 200_000_000,
        "attributes": [text("mlflow.spanType", "CHAIN")],
        "status": {"code": "STATUS_CODE_OK"},
    },
]
"""A span within another, in the order in which they ended, as MLflow 3 sends them."""

OLD_SPANS: list[dict[str, Any]] = [
    {
        "name": name,
        "context": {"span_id": name, "trace_id": "t"},
        "parent_id": parent,
        "start_time": STARTED * 1_000_000 + after,
        "end_time": STARTED * 1_000_000 + 200_000_000,
        "status_code": "OK",
        "attributes": {"mlflow.spanType": '"LLM"', "mlflow.spanInputs": '{"question": "why?"}'},
        "events": [{"name": "cut", "timestamp": STARTED * 1000 + 20_000, "attributes": {"at": 3}}],
    }
    for name, parent, after in (("ask", None, 0), ("tokenise", "ask", 10_000_000))
]
"""The same as MLflow 2 writes them to a file."""

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
    tracking.registry.set_rules("elastic", "rules:\n  reproduced: true\n")
    sweep_id = tracking.experiments.create("sweep").experiment_id
    sweep = _sweep(tracking, sweep_id)
    model = tracking.models.create(sweep_id, name="forest", source_run_id=sweep[0])
    files.write(f"models/{model.model_id}/artifacts/MLmodel", iter([MLMODEL.encode()]))
    tracking.runs.log_outputs(sweep[0], (ModelOutput(model_id=model.model_id),))
    return Scene(
        recorded=tuple(recorded),
        experiment_id=experiment_id,
        logged=logged,
        sweep_id=sweep_id,
        sweep=sweep,
        traces=_traces(tracking, files, sweep_id, sweep[0]),
        model_id=model.model_id,
    )


def _sweep(tracking: Tracking, experiment_id: str) -> tuple[str, ...]:
    def begun_below(parent: str | None, name: str, number: int) -> str:
        tags = () if parent is None else ((PARENT, parent),)
        new = NewRun(experiment_id=experiment_id, name=name, user="ada", started=STARTED + number, tags=tags)
        run_id = tracking.runs.create(new).run_id
        point = Metric(key="rmse", value=float(number), timestamp=STARTED)
        tracking.runs.log(run_id, Batch(metrics=(point,), params=(("fold", str(number)),)))
        tracking.runs.update(run_id, status=RunStatus.FINISHED, ended=STARTED + 1000)
        return run_id

    top = begun_below(None, "search", 0)
    below = [begun_below(top, f"trial-{number}", number) for number in range(1, 13)]
    return (top, *below, begun_below(below[0], "fold-of-1", 13), begun_below(None, "lonely", 14))


def _traces(tracking: Tracking, files: FolderArtifacts, experiment_id: str, run_id: str) -> tuple[str, str]:
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment_id}}
    for number, (trace_id, state) in enumerate((("tr-new", "ERROR"), ("old", "OK"))):
        info = {
            "trace_id": trace_id,
            "trace_location": place,
            "request_time": f"2026-11-24T06:00:0{number}.000Z",
            "execution_duration": "0.2s",
            "state": state,
            "request_preview": '{"question": "why?"}',
            "trace_metadata": {"mlflow.sourceRun": run_id},
            "tags": {"mlflow.traceName": f"answer-{number}"},
        }
        spans = None if number else msgspec.json.encode(SPANS)
        tracking.traces.add(trace_id, experiment_id, msgspec.json.encode(info), spans)
    files.write("traces/old/artifacts/traces.json", iter([msgspec.json.encode({"spans": OLD_SPANS})]))
    return "tr-new", "old"


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
