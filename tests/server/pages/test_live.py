"""A run that goes on, looked at by `mlproj ui`: its log and its curve move, and its end is seen."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.conftest import ProjectMaker, ending
from tests.server.pages.watching import Watched

PROJECT = {
    "MLproject": "name: slow\nentry_points:\n  main:\n    command: python train.py\n",
    "train.py": """\
import json, os, time, urllib.request

def call(path, **fields):
    url = os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/" + path
    content = json.dumps({"run_id": os.environ["MLFLOW_RUN_ID"], **fields}).encode()
    request = urllib.request.Request(url, content, {"Content-Type": "application/json"})
    urllib.request.urlopen(request).read()

for step in range(1000):
    print("step", step, flush=True)
    call("runs/log-metric", key="loss", value=1 / (step + 1), timestamp=int(time.time() * 1000), step=step)
    if os.path.exists(os.environ["STOP"]):
        break
    time.sleep(0.2)
print("the end")
""",
}
PATIENCE = 60_000


@pytest.fixture
def ui(tmp_path: Path) -> Iterator[str]:
    """The address of `mlproj ui` over a store that a run has made."""
    command = (sys.executable, "-m", "mlproj", "ui", "--port", "0", "--store", str(tmp_path / "store"))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with ending(process):
        assert process.stdout is not None
        yield process.stdout.readline().decode().strip().rstrip("/")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_log_and_curve_of_a_run_move(
    make_project: ProjectMaker, tmp_path: Path, browser: Browser, request: pytest.FixtureRequest
) -> None:
    project = make_project(PROJECT)
    stop = tmp_path / "stop"
    command = (sys.executable, "-m", "mlproj", "run", str(project), "--env-manager", "local")
    environ = {**os.environ, "STOP": str(stop), "MLPROJ_STORE": str(tmp_path / "store")}
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with ending(process):
        assert process.stdout is not None
        while b"step" not in process.stdout.readline():
            assert process.poll() is None
        site: str = request.getfixturevalue("ui")
        context = browser.new_context(base_url=site)
        watched = Watched(context.new_page(), site)
        page = watched.page
        page.goto("/runs")
        expect(page.locator("tbody tr")).to_contain_text("running")
        page.locator("tbody th a").click()
        log = page.get_by_label("stdout")
        expect(log).to_contain_text("step 1")
        figure = page.locator("figure[data-curve=loss]")
        expect(figure).to_have_attribute("data-points", re.compile(r"\d+"), timeout=PATIENCE)
        before = (log.text_content() or "", int(figure.get_attribute("data-points") or "0"))
        longer = f"(before) => document.querySelector('[data-log]').textContent.length > {len(before[0])}"
        page.wait_for_function(longer, timeout=PATIENCE)
        more = f"() => Number(document.querySelector('[data-curve=loss]').dataset.points) > {before[1]}"
        page.wait_for_function(more, timeout=PATIENCE)
        table = context.new_page()
        table.goto("/runs")
        expect(table.locator("tbody tr")).to_contain_text("running")
        stop.touch()
        # Without being loaded anew.
        expect(table.locator("tbody tr")).to_contain_text("finished", timeout=PATIENCE)
        expect(page.locator("#live")).to_contain_text("finished", timeout=PATIENCE)
        expect(page.get_by_label("stdout")).to_contain_text("the end", timeout=PATIENCE)
        expect(page.get_by_role("heading", name="Record")).to_be_visible()
        context.close()
        assert not watched.faults
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said.decode()
