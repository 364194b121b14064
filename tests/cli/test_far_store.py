"""Runs that are recorded at a server: from anywhere, through its absence, and done again elsewhere."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mlproj.model.run import Status
from mlproj.services.verify import verify
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from tests.cli.conftest import LOCAL, Answer, Mlproj, Start, single, written
from tests.conftest import ProjectMaker, need
from tests.mlflow_clients import ENDS, ClientPython
from tests.remote.store.serving import serving
from tests.server.calling import calling, wait_until

SCRIPT = """\
import os, sys
import mlflow

print("at", os.environ["MLFLOW_TRACKING_URI"])
with mlflow.start_run():
    mlflow.log_param("alpha", 0.5)
    for step in range(20):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    mlflow.set_tag("colour", "blue")
    with open("note.txt", "w") as file:
        file.write("a note\\n")
    mlflow.log_artifact("note.txt")
    os.remove("note.txt")
    with mlflow.start_run(nested=True):
        mlflow.log_metric("inner", 3)
with open(os.path.join(os.environ["MLPROJ_OUTPUT_DIR"], "own.txt"), "w") as file:
    file.write("own\\n")
"""


class Server:
    """A server that can go away and come back at the same address."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._port = 0
        self._up = contextlib.ExitStack()
        self.uri = ""
        self.store: FolderStore

    def start(self) -> None:
        self.uri, self.store = self._up.enter_context(serving(self.root, port=self._port))
        self._port = urlsplit(self.uri).port or 0

    def stop(self) -> None:
        self._up.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "server")
    server.start()
    yield server
    server.stop()


class There:
    """The command line with its store at a server, on a machine with a cache folder of its own."""

    def __init__(self, mlproj: Mlproj, server: Server, cache: Path) -> None:
        self._mlproj = mlproj
        self.variables = {"MLPROJ_STORE": server.uri, "MLPROJ_CACHE_DIR": str(cache)}

    def __call__(self, *arguments: str | Path, **variables: str) -> Answer:
        return self._mlproj(*arguments, variables={**self.variables, **variables})


@pytest.fixture
def there(mlproj: Mlproj, server: Server, tmp_path: Path) -> There:
    return There(mlproj, server, tmp_path / "machine")


def test_a_run_is_recorded_at_the_server_and_every_command_that_looks_finds_it(
    there: There, server: Server, make_project: ProjectMaker, tmp_path: Path
) -> None:
    project = make_project({"MLproject": single("'echo said; echo left > out.txt'", outputs="[out.txt]")})
    ran = there("run", project, *LOCAL, "--run-name", "first", "--json")
    assert ran.code == 0, ran.stderr
    run_id = ran.document["run_id"]
    assert server.store.find("first").run_id == run_id
    assert server.store.find("first").record == ran.document["record"]
    assert [run["run_id"] for run in there("runs", "--json").document["runs"]] == [run_id]
    assert there("show", "first", "--json").document["status"] == "FINISHED"
    assert there("logs", "first").stdout == "said\n"
    assert there("artifacts", "first", "get", "out.txt", "--to", tmp_path / "got").code == 0
    assert (tmp_path / "got").read_text() == "left\n"
    assert there("verify").code == there("verify", "first").code == 0
    assert there("lineage", tmp_path / "got").code == 0
    assert there("doctor").code == 0
    assert there("rm", "first").code == 0
    assert there("gc").code == 0
    assert there("show", "first").code == 5
    assert verify(server.store).removed == (run_id,)
    assert not (tmp_path / "store").exists(), "nothing is in a folder here"


@pytest.mark.parametrize("line", ENDS)
def test_the_script_logs_straight_to_the_server(
    line: str,
    there: There,
    server: Server,
    make_project: ProjectMaker,
    client_python: ClientPython,
) -> None:
    python = client_python(line)
    project = make_project({"MLproject": single("'python train.py'"), "train.py": SCRIPT})
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    ran = there("run", project, *LOCAL, "--json", PATH=path)
    assert ran.code == 0, ran.stderr
    run = ran.document
    assert run["metrics"]["loss"] == 0.05 and run["tags"]["colour"] == "blue"
    assert sorted(output["path"] for output in run["outputs"]) == ["artifacts/note.txt", "artifacts/own.txt"]
    (child,) = server.store.children(run["run_id"])
    assert child.status is Status.FINISHED
    logs = there("logs", run["run_id"]).stdout
    assert logs.startswith(f"at {server.uri}/t/***") and "mlproj_" not in logs
    with calling(server.uri) as caller:
        _, listed = caller("GET", "artifacts/list", run_id=run["run_id"])
    assert [file["path"] for file in listed["files"]] == ["note.txt", "own.txt"]
    assert verify(server.store).sound
    shown = there("show", run["run_id"], "--json").document
    assert shown["metrics"] == run["metrics"]


def test_a_run_is_done_again_on_a_machine_that_has_nothing(
    there: There, server: Server, mlproj: Mlproj, make_project: ProjectMaker, tmp_path: Path
) -> None:
    files = {f"data/{number}.txt": f"{number}\n" for number in range(40)}
    project = make_project({"MLproject": single("'cat data/*.txt > sum.txt'", outputs="[sum.txt]"), **files})
    assert there("run", project, *LOCAL, "--run-name", "first").code == 0
    shutil.rmtree(project)
    other = There(mlproj, server, tmp_path / "another machine")
    assert other("verify").code == 0
    again = other("reproduce", "first", "--json")
    assert again.code == 0, again.stderr
    assert again.document["verdict"]["grade"] == "identical"
    assert server.store.find("last").reproduces == server.store.find("first").run_id


@pytest.fixture
def start_there(there: There, start: Start, monkeypatch: pytest.MonkeyPatch) -> Start:
    """As `start`, on the machine of `there`."""
    monkeypatch.setenv("MLPROJ_CACHE_DIR", there.variables["MLPROJ_CACHE_DIR"])
    return start


def test_a_killed_runner_s_run_is_closed_by_the_next_command_on_its_machine(
    there: There, server: Server, start_there: Start, make_project: ProjectMaker, tmp_path: Path
) -> None:
    project = make_project({"MLproject": single("'echo so far; echo $$ > begun; exec sleep 60'")})
    runner = start_there("run", ".", "--store", server.uri, *LOCAL, cwd=project)
    child = int(written(project / "begun"))
    run = server.store.find("last")
    assert run.status is Status.RUNNING
    wait_until(lambda: any(log.read_text() for log in tmp_path.glob("machine/stores/*/runs/*/logs/stdout")))
    runner.kill()
    runner.communicate(timeout=30)
    os.kill(child, signal.SIGKILL)
    closed = there("show", run.run_id, "--json").document
    assert closed["status"] == "KILLED" and closed["record"] is not None
    assert there("logs", run.run_id).stdout == "so far\n"
    assert verify(server.store).sound


def test_a_run_goes_on_while_its_server_is_away_and_is_sealed_afterwards(
    there: There, server: Server, start_there: Start, make_project: ProjectMaker
) -> None:
    waits = "'echo begun > begun; while ! test -e go; do sleep 0.05; done; echo out > out.txt; exit 0'"
    project = make_project({"MLproject": single(waits, outputs="[out.txt]")})
    runner = start_there("run", ".", "--store", server.uri, *LOCAL, cwd=project)
    written(project / "begun")
    server.stop()
    (project / "go").touch()
    said, _ = runner.communicate(timeout=60)
    assert runner.returncode == 0, said
    assert "the next command on this machine seals the run there" in said.decode()
    away = there("runs")
    assert away.code == 5 and "cannot be reached" in away.stderr
    server.start()
    (row,) = server.store.listing()
    assert not row.ended
    shown = there("show", "last", "--json").document
    assert (shown["status"], shown["exit_code"]) == ("FINISHED", 0)
    assert [output["state"] for output in shown["outputs"]] == ["written"]
    assert verify(server.store).sound


def test_a_run_that_failed_while_its_server_was_away_ends_with_its_own_code(
    there: There, server: Server, start_there: Start, make_project: ProjectMaker
) -> None:
    waits = "'echo begun > begun; while ! test -e go; do sleep 0.05; done; exit 3'"
    project = make_project({"MLproject": single(waits)})
    runner = start_there("run", ".", "--store", server.uri, *LOCAL, cwd=project)
    written(project / "begun")
    server.stop()
    (project / "go").touch()
    runner.communicate(timeout=60)
    assert runner.returncode == 1
    server.start()
    assert there("show", "last", "--json").document["exit_code"] == 3


def test_runs_are_passed_on_and_not_doubled(
    there: There, server: Server, mlproj: Mlproj, make_project: ProjectMaker, tmp_path: Path
) -> None:
    project = make_project({"MLproject": single("'echo left > out.txt'", outputs="[out.txt]")})
    assert mlproj("run", project, *LOCAL, "--run-name", "local").code == 0
    pushed = mlproj("push", "local", server.uri, "--json").document["runs"]
    assert [(run["name"], run["new"], run["files"] > 0) for run in pushed] == [("local", True, True)]
    again = mlproj("push", "local", server.uri, "--json").document["runs"]
    assert [(run["new"], run["files"]) for run in again] == [(False, 0)]
    here = open_store(tmp_path / "store", create=False)
    assert server.store.find("local").record == here.find("local").record
    here.amend(here.find("local").run_id, "tag", {"key": "reviewed", "value": "yes"})
    (later,) = mlproj("push", "local", server.uri, "--json").document["runs"]
    assert later["amendments"] == 1
    (added,) = server.store.find("local").amendments
    assert added.content == {"key": "reviewed", "value": "yes"}
    pulled = mlproj("pull", "local", "--from", server.uri, "--store", tmp_path / "third").stderr
    assert "is here now" in pulled
    for root in (tmp_path / "third", server.root):
        assert verify(open_store(root, create=False)).sound
    assert there("push", "local", server.uri).code == 0


def test_a_push_that_was_cut_goes_on(
    server: Server, mlproj: Mlproj, start: Start, make_project: ProjectMaker
) -> None:
    """Whatever arrived counts; what is there is whole."""
    big = "'head -c 200000000 /dev/urandom > big.bin; for n in $(seq 300); do echo $n > d/$n; done'"
    project = make_project({"MLproject": single(big, outputs="[big.bin, d]"), "d/x": ""})
    assert mlproj("run", project, *LOCAL, "--run-name", "large").code == 0
    pusher = start("push", "large", server.uri, cwd=project)
    wait_until(lambda: any((server.root / "uploads").glob("*/*")))
    pusher.kill()
    pusher.communicate(timeout=30)
    assert server.store.listing() == ()
    assert mlproj("push", "large", server.uri).code == 0
    assert verify(server.store).sound


def test_what_cannot_be_done_with_a_store_at_a_server_is_said(
    there: There, make_project: ProjectMaker, server: Server
) -> None:
    project = make_project({"MLproject": single("'true'")})
    moved = there("store", "move", "elsewhere")
    assert (moved.code, "where that runs" in moved.stderr) == (5, True)
    tracked = there("run", project, *LOCAL, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert (tracked.code, "logs there" in tracked.stderr) == (2, True)
    assert there("run", project, *LOCAL, MLFLOW_TRACKING_URI=server.uri).code == 0
    stranger = there("runs", MLPROJ_STORE=f"{server.uri}/nowhere")
    assert stranger.code == 5 and "does not answer as a store does" in stranger.stderr
    nobody = there("run", project, *LOCAL, MLPROJ_STORE="http://127.0.0.1:9")
    assert nobody.code == 5 and "cannot be reached" in nobody.stderr


def test_an_isolated_script_reaches_the_server_by_way_of_us(
    there: There, server: Server, make_project: ProjectMaker, client_python: ClientPython
) -> None:
    need("bubblewrap", shutil.which("bwrap") is not None)
    python = client_python("3")
    project = make_project({"MLproject": single("'python train.py'"), "train.py": SCRIPT})
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    ran = there("run", project, *LOCAL, "--isolated", "--json", PATH=path)
    assert ran.code == 0, ran.stderr
    run: dict[str, Any] = ran.document
    assert run["metrics"]["loss"] == 0.05
    assert {output["path"] for output in run["outputs"]} == {"artifacts/note.txt", "artifacts/own.txt"}
    assert server.uri not in there("logs", run["run_id"]).stdout
