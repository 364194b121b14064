"""`mlproj webhooks`, for a store that no server is over, with the receiver that the documentation shows."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.cli.conftest import COMMAND, LOCAL, Mlproj
from tests.conftest import ProjectMaker, ending
from tests.server.calling import wait_until

GUIDE = Path(__file__).parents[2] / "docs/how-to/be-told-of-changes.md"
SECRET = "what both know"
PROJECT = "entry_points:\n  main: {command: 'true'}\n  bad: {command: exit 3}\n"


@contextlib.contextmanager
def documented_receiver(folder: Path) -> Iterator[tuple[str, Path]]:
    """Its address, and the file that it prints to."""
    (program,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    printed = folder / "printed"
    with printed.open("wb") as output:
        process = subprocess.Popen(
            (sys.executable, "-c", program),
            env={**os.environ, "SECRET": SECRET, "PORT": str(port)},
            stdout=output,
            stderr=subprocess.DEVNULL,
        )
    with ending(process):
        wait_until(lambda: _answers(port))
        yield f"http://127.0.0.1:{port}/", printed


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def test_what_happened_is_told_when_somebody_says_so(
    tmp_path: Path, mlproj: Mlproj, make_project: ProjectMaker
) -> None:
    store, project = tmp_path / "kept", make_project({"MLproject": PROJECT})
    here, signed = ("--store", store), ("--name", "mine", "--secret-from-stdin", "--allow-private")
    with documented_receiver(tmp_path) as (url, printed):
        added = subprocess.run(
            (*COMMAND, "webhooks", "add", url, "--on", "run.failed", *signed, "--json", *here),
            input=f"{SECRET}\n",
            capture_output=True,
            text=True,
        )
        assert added.returncode == 0, added.stderr
        webhook = json.loads(added.stdout)["webhook"]
        assert mlproj("webhooks", "test", "mine", "--allow-private", *here).code == 0
        assert mlproj("run", project, "-e", "bad", *LOCAL, *here).code == 1
        undelivered = mlproj("webhooks", "deliver", *here)
        assert undelivered.code == 1 and "1 failed" in undelivered.stderr
        again = mlproj("webhooks", "retry", *here)
        assert "1 delivery will be sent again" in again.stderr
        assert mlproj("webhooks", "deliver", "--allow-private", "--json", *here).document["sent"] == 1
        (delivery,) = mlproj("webhooks", "deliveries", webhook[:8], "--json", *here).document["deliveries"]
        assert (delivery["state"], delivery["event"], delivery["status"]) == ("sent", "run.failed", 204)
        assert mlproj("webhooks", "rm", "mine", *here).code == 0
        example, told = map(json.loads, printed.read_text().splitlines())
    assert example["data"]["run_name"] == "example-run-1"
    assert (told["entity"], told["action"], told["data"]["status"]) == ("run", "failed", "FAILED")


def test_a_webhook_is_told_of_something(tmp_path: Path, mlproj: Mlproj) -> None:
    done = mlproj("webhooks", "add", "https://example.org/", "--store", tmp_path / "kept")
    assert done.code == 2 and "--on" in done.stderr and not (tmp_path / "kept").exists()
