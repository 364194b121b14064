"""Makes the pictures of the page that the documentation shows: `python -m docs.screenshots`.

A small project is run on the example's data, a search and a trace are logged as clients do, `mlproj ui` shows
the store, and a headless Chromium looks.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from mlproj.model.moment import timestamp

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
DATA = ROOT / "example_projects" / "elasticnet" / "data" / "diabetes.csv"
COLOURS = 64
WIDTH, HEIGHT, TALL = 1100, 720, 1150

MLPROJECT = """\
name: descent
entry_points:
  train:
    parameters:
      rate: {type: float, default: 0.1}
      data: {type: path, default: diabetes.csv}
    command: "python train.py {rate} {data}"
    inputs: [data]
    outputs: [model.json]
"""
TRAIN = """\
import csv, json, os, sys, time, urllib.request

def log(key, value, step):
    url = os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/runs/log-metric"
    point = {"run_id": os.environ["MLFLOW_RUN_ID"], "key": key, "value": value, "step": step}
    content = json.dumps({**point, "timestamp": int(time.time() * 1000)}).encode()
    urllib.request.urlopen(urllib.request.Request(url, content, {"Content-Type": "application/json"}))

rate = float(sys.argv[1])
with open(sys.argv[2]) as file:
    table = [[float(cell) for cell in row] for row in list(csv.reader(file))[1:]]
columns = [(min(column), max(column)) for column in zip(*table)]
table = [[(cell - low) / (high - low) for cell, (low, high) in zip(row, columns)] for row in table]
rows, targets = [[*row[:-1], 1.0] for row in table], [row[-1] for row in table]
weights = [0.0] * len(rows[0])
for step in range(60):
    missed = [sum(map(float.__mul__, weights, row)) - target for row, target in zip(rows, targets)]
    loss = sum(each * each for each in missed) / len(missed)
    slopes = [sum(map(float.__mul__, missed, column)) / len(missed) for column in zip(*rows)]
    weights = [weight - rate * slope for weight, slope in zip(weights, slopes)]
    log("loss", loss, step)
    log("steepest", max(map(abs, slopes)), step)
    if step % 10 == 0:
        print(f"step {step}: loss {loss:.5f}", flush=True)
with open("model.json", "w") as file:
    json.dump(weights, file)
print(f"done: loss {loss:.5f}")
"""
TRACE = bytes(range(16))
SPANS: tuple[dict[str, Any], ...] = (
    {
        "name": "answer",
        "within": 0,
        "times": (0, 1840),
        "type": "CHAIN",
        "inputs": '{"question": "Which rate had the least loss?"}',
    },
    {
        "name": "find runs",
        "within": 1,
        "times": (12, 460),
        "type": "RETRIEVER",
        "inputs": '{"filter": "metrics.loss < 0.1"}',
        "outputs": '["rate-0.4", "rate-0.2"]',
    },
    {"name": "embed", "within": 2, "times": (15, 190), "type": "EMBEDDING"},
    {"name": "search", "within": 2, "times": (195, 455), "type": "TOOL"},
    {
        "name": "write",
        "within": 1,
        "times": (470, 1835),
        "type": "LLM",
        "inputs": '{"runs": ["rate-0.4", "rate-0.2"], "words": 40}',
        "fault": "TimeoutError: the model said nothing for 1.3 s",
    },
)


def main() -> int:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mlproj-pictures-") as folder, sync_playwright() as playwright:
        store = Path(folder) / "store"
        _train(Path(folder) / "descent", store)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox"],
            env={**os.environ, "HOME": folder},
        )
        with _ui(store) as site:
            made = {**_register(site), **_sweep(site), **_trace(site)}
            for picture in _pictures(made):
                _take(browser, site, picture)
        browser.close()
    return 0


def _train(project: Path, store: Path) -> None:
    project.mkdir()
    (project / "MLproject").write_text(MLPROJECT)
    (project / "train.py").write_text(TRAIN)
    shutil.copy(DATA, project)
    environ = {**os.environ, "MLPROJ_STORE": str(store)}
    for rate in ("0.05", "0.2", "0.4"):
        arguments = ("run", str(project), "-e", "train", "-P", f"rate={rate}", "--env-manager", "local")
        name = ("--run-name", f"rate-{rate}")
        subprocess.run((sys.executable, "-m", "mlproj", *arguments, *name), env=environ, check=True)


@contextlib.contextmanager
def _ui(store: Path) -> Iterator[str]:
    command = (sys.executable, "-m", "mlproj", "ui", "--port", "0", "--store", str(store))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip().rstrip("/")
        finally:
            process.terminate()


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Which page is taken, down to what height, in which colours."""

    name: str
    path: str
    height: int = HEIGHT
    dark: bool = False


def _pictures(made: Mapping[str, str]) -> tuple[Picture, ...]:
    run = f"/runs/{made['run']}"
    return (
        Picture(name="runs", path="/experiments/0"),
        Picture(name="nested", path=f"/experiments/{made['sweep']}", height=520),
        Picture(name="run", path=run),
        Picture(name="compare", path=f"/compare?{made['compared']}", height=TALL, dark=True),
        Picture(name="trace", path=f"/traces/{made['trace']}", height=820),
        Picture(name="lineage", path=f"/lineage?of=runs:/{made['run']}"),
        Picture(name="model", path="/models/descent/versions/3"),
    )


def _register(site: str) -> Mapping[str, str]:
    """Makes versions of what the runs left, the newest in Production; the newest run, and all to compare."""
    runs = _asked(site, "2.0/mlflow/runs/search", experiment_ids=["0"])["runs"]
    ids = [run["info"]["run_id"] for run in runs]
    about = {"name": "descent", "description": "Gradient descent on **diabetes**."}
    _asked(site, "2.0/mlflow/registered-models/create", **about)
    for run_id in reversed(ids):
        made = {"source": f"runs:/{run_id}/model.json", "run_id": run_id}
        _asked(site, "2.0/mlflow/model-versions/create", name="descent", **made)
    _asked(site, "2.0/mlflow/registered-models/alias", name="descent", alias="champion", version="3")
    stage = {"version": "3", "stage": "Production", "why": "least loss of the three"}
    _asked(site, "2.0/mlflow/model-versions/transition-stage", name="descent", **stage)
    return {"run": ids[0], "compared": "&".join(f"run={run_id}" for run_id in ids)}


def _sweep(site: str) -> Mapping[str, str]:
    """Logs a search with its trials below it, as a script of MLflow's client does; its experiment."""
    made = _asked(site, "2.0/mlflow/experiments/create", name="search")["experiment_id"]

    def run(name: str, above: str | None, **params: str) -> str:
        tags = [] if above is None else [{"key": "mlflow.parentRunId", "value": above}]
        begun = {
            "experiment_id": made,
            "run_name": name,
            "user_id": "ada",
            "start_time": _now(),
            "tags": tags,
        }
        info = _asked(site, "2.0/mlflow/runs/create", **begun)["run"]["info"]
        loss = {"key": "loss", "value": 0.02 + sum(map(float, params.values())) / 7, "timestamp": _now()}
        pairs = [{"key": key, "value": value} for key, value in params.items()]
        _asked(site, "2.0/mlflow/runs/log-batch", run_id=info["run_id"], params=pairs, metrics=[loss])
        ended = {"status": "FINISHED", "end_time": _now()}
        _asked(site, "2.0/mlflow/runs/update", run_id=info["run_id"], **ended)
        return str(info["run_id"])

    search = run("search of rates", None)
    for rate in ("0.05", "0.2", "0.4"):
        trial = run(f"rate {rate}", search, rate=rate)
        for fold in ("0", "1"):
            run(f"fold {fold}", trial, rate=rate, fold=fold)
    return {"sweep": made}


def _trace(site: str) -> Mapping[str, str]:
    """Sends a trace as OpenTelemetry does; its id."""
    experiment_id = _asked(site, "2.0/mlflow/experiments/create", name="assistant")["experiment_id"]
    trace_id, began = "tr-" + TRACE.hex(), _now()
    info = {
        "trace_id": trace_id,
        "trace_location": {"type": 1, "mlflow_experiment": {"experiment_id": experiment_id}},
        "request_time": timestamp(began / 1000),
        "execution_duration": "1.84s",
        "state": "ERROR",
        "request_preview": "Which rate had the least loss?",
        "tags": {"mlflow.traceName": "answer"},
    }
    _asked(site, "3.0/mlflow/traces", trace={"trace_info": info})
    spans = [_span(number, began, **told) for number, told in enumerate(SPANS, 1)]
    content = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
    _sent(f"{site}/v1/traces", content, {"x-mlflow-experiment-id": experiment_id})
    return {"trace": trace_id}


def _span(
    number: int, began: int, *, name: str, within: int, times: tuple[int, int], **attributes: str
) -> dict[str, Any]:
    first, last = (str((began + after) * 1_000_000) for after in times)
    fault = attributes.pop("fault", None)
    named = {f"mlflow.span{key.title()}": value for key, value in attributes.items()}
    return {
        "traceId": TRACE.hex(),
        "spanId": f"{number:016x}",
        "parentSpanId": f"{within:016x}" if within else "",
        "name": name,
        "startTimeUnixNano": first,
        "endTimeUnixNano": last,
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in named.items()],
        "status": {"code": 1} if fault is None else {"code": 2, "message": fault},
    }


def _take(browser: Browser, site: str, picture: Picture) -> None:
    page = browser.new_page(
        base_url=site,
        viewport={"width": WIDTH, "height": picture.height},
        color_scheme="dark" if picture.dark else "light",
    )
    page.goto(picture.path)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)
    taken = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(COLOURS)
    taken.save(PICTURES / f"{picture.name}.png", optimize=True)
    page.close()


def _now() -> int:
    return time.time_ns() // 1_000_000


def _asked(site: str, path: str, **fields: object) -> dict[str, Any]:
    answered: dict[str, Any] = json.loads(_sent(f"{site}/api/{path}", fields, {}))
    return answered


def _sent(address: str, fields: Mapping[str, object], headers: Mapping[str, str]) -> bytes:
    content = json.dumps(fields).encode()
    headers = {"Content-Type": "application/json", **headers}
    with urllib.request.urlopen(urllib.request.Request(address, content, dict(headers))) as answer:
        answered: bytes = answer.read()
    return answered


if __name__ == "__main__":
    sys.exit(main())
