"""Makes the pictures of the page that the documentation shows: `python -m docs.screenshots`.

A small project is run on the example's data, `mlproj ui` shows its store, and a headless Chromium looks.
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
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

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
            _take(browser, site)
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
        yield process.stdout.readline().strip().rstrip("/")
        process.terminate()


def _take(browser: Browser, site: str) -> None:
    runs = _asked(site, "runs/search", experiment_ids=["0"])["runs"]
    ids = [run["info"]["run_id"] for run in runs]
    _asked(site, "registered-models/create", name="descent", description="Gradient descent on **diabetes**.")
    for run_id in reversed(ids):
        _asked(
            site, "model-versions/create", name="descent", source=f"runs:/{run_id}/model.json", run_id=run_id
        )
    _asked(site, "registered-models/alias", name="descent", alias="champion", version="3")
    stage = {"name": "descent", "version": "3", "stage": "Production"}
    _asked(site, "model-versions/transition-stage", **stage)
    compared = "&".join(f"run={run_id}" for run_id in ids)
    for name, path, dark in (
        ("runs", "/experiments/0", False),
        ("run", f"/runs/{ids[0]}", False),
        ("compare", f"/compare?{compared}", True),
        ("lineage", f"/lineage?of=runs:/{ids[0]}", False),
        ("model", "/models/descent/versions/3", False),
    ):
        scheme = "dark" if dark else "light"
        page = browser.new_page(
            base_url=site, viewport={"width": WIDTH, "height": TALL if dark else HEIGHT}, color_scheme=scheme
        )  # type: ignore[arg-type]
        page.goto(path)
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(500)
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(COLOURS)
        picture.save(PICTURES / f"{name}.png", optimize=True)
        page.close()


def _asked(site: str, path: str, **fields: object) -> dict[str, list[dict[str, dict[str, str]]]]:
    content = json.dumps(fields).encode()
    request = urllib.request.Request(
        f"{site}/api/2.0/mlflow/{path}", content, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        answered: dict[str, list[dict[str, dict[str, str]]]] = json.load(answer)
    return answered


if __name__ == "__main__":
    sys.exit(main())
