"""A history that MLflow's own clients made moves in, and they are told the same of it here as there."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlproj.model.tracking import Batch
from mlproj.store.opening import open_store
from mlproj.store.tracking.opening import open_tracking
from tests.mlflow_clients import ENDS, ClientPython
from tests.mlflow_servers import mlflow_server
from tests.moving.conftest import Make, Told, call, endpoint, told_by
from tests.s3_server import S3Server
from tests.server.hosted import hosted, kept

KINDS = {"database": "sqlite:///mlflow.db", "folder": "./kept"}
ONES = (("1.30", "folder"), ("2.22", "database"), ("3", "database"), ("3", "folder"))
"""Each line of clients, and each kind of place with what the newest makes of it."""
FEW = 6


def mlproj(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mlproj", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)


def move(source: str, store: Path, *options: str, folder: Path) -> Told:
    """What the command says of what it brought in."""
    done = mlproj("import-mlflow", source, "--store", store, "--json", *options, folder=folder)
    assert done.returncode == 0, done.stderr
    told: Told = json.loads(done.stdout)
    return told


def as_here(told: Told) -> Told:
    """What is told there, as we tell it: the runs of a deleted experiment are deleted with it."""
    for run in told["runs"].values():
        if told["experiments"][run["experiment"]]["stage"] == "deleted":
            run["stage"] = "deleted"
    return told


def verify(store: Path, folder: Path) -> None:
    done = mlproj("verify", "--store", store, folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("line", "kind"), ONES)
def test_a_client_is_told_the_same_here_as_there(
    line: str, kind: str, made: Make, client_python: ClientPython, tmp_path: Path
) -> None:
    folder, store = made(line, KINDS[kind], FEW), tmp_path / "store"
    moved = move(KINDS[kind], store, folder=folder)
    assert moved["untaken"] == []
    there = as_here(told_by(client_python(line), KINDS[kind], folder, tmp_path / "there"))
    with endpoint(store) as uri:
        here = told_by(client_python(line), uri, folder, tmp_path / "here")
    if "registered" not in there:
        del here["registered"]
    assert here == there
    assert moved["runs"] == {"new": len(there["runs"]), "changed": 0, "same": 0}
    verify(store, tmp_path)
    shown = mlproj("show", "rich", "--store", store, folder=tmp_path)
    assert (shown.returncode, "imported from" in shown.stdout) == (0, True), shown.stderr

    again = move(KINDS[kind], store, folder=folder)
    counted = [again[each] for each in ("runs", "models", "traces", "registered_models", "versions")]
    assert all(counts["new"] == counts["changed"] == 0 for counts in counted)
    assert again["runs"]["same"] == len(there["runs"])
    assert (again["points"], again["files"], again["untaken"]) == (0, 0, [])


@pytest.mark.parametrize(("backend", "place"), [("postgresql", "bucket"), ("mariadb", "folder")])
def test_it_moves_into_the_store_of_a_server(
    backend: str, place: str, made: Make, client_python: ClientPython, s3: S3Server, tmp_path: Path
) -> None:
    """Where the store is; and clients are told it by the server, which runs meanwhile."""
    python, folder = client_python("3"), made("3", KINDS["database"], FEW)
    source = f"sqlite:///{folder}/mlflow.db"
    where = kept(backend, tmp_path, s3.bucket() if place == "bucket" else None)
    with hosted(tmp_path / "server", *where.options) as server:
        afar = mlproj("import-mlflow", source, "--store", server.uri, folder=folder)
        assert afar.returncode == 2 and "where the store is" in afar.stderr
        moved = json.loads(where.command("import-mlflow", source, "--json"))
        there = as_here(told_by(python, source, folder, tmp_path / "there"))
        here = told_by(python, server.uri, folder, tmp_path / "here")
    if backend == "mariadb":
        # It keeps no infinity: the greatest number stands for it.
        there = json.loads(json.dumps(there).replace(str(sys.float_info.max), "inf"))
    assert here == there
    assert moved["untaken"] == [] and moved["runs"]["new"] == len(there["runs"])
    again = json.loads(where.command("import-mlflow", source, "--json"))
    assert again["runs"] == {"new": 0, "changed": 0, "same": len(there["runs"])}
    where.command("verify")


@pytest.mark.parametrize("line", ENDS)
def test_what_is_behind_a_server_moves_in_from_afar(
    line: str, client_python: ClientPython, tmp_path: Path
) -> None:
    python, store = client_python(line), tmp_path / "store"
    with mlflow_server(python, tmp_path) as uri:
        call(python, "history.py", uri, FEW, "files", folder=tmp_path)
        moved = move(uri, store, folder=tmp_path)
        assert moved["untaken"] == []
        there = as_here(told_by(python, uri, tmp_path, tmp_path / "there"))
        again = move(uri, store, folder=tmp_path)
    assert again["runs"] == {"new": 0, "changed": 0, "same": len(there["runs"])}
    with endpoint(store) as ours:
        here = told_by(python, ours, tmp_path, tmp_path / "here")
    assert here == there
    verify(store, tmp_path)


def test_the_same_history_from_its_server_and_from_its_database_is_one(
    client_python: ClientPython, tmp_path: Path
) -> None:
    python, store = client_python("3"), tmp_path / "store"
    with mlflow_server(python, tmp_path) as uri:
        call(python, "history.py", uri, 0, "files", folder=tmp_path)
        first = move(uri, store, folder=tmp_path)
    destination = ("--artifacts-destination", "artifacts")
    second = move("sqlite:///mlflow.db", store, *destination, folder=tmp_path)
    assert second["untaken"] == []
    assert second["runs"] == {"new": 0, "changed": 0, "same": first["runs"]["new"]}
    assert (second["files"], second["points"], second["versions"]["new"]) == (0, 0, 0)


@pytest.mark.parametrize("line", ENDS)
def test_what_changed_there_since_is_added_and_what_changed_here_stays(
    line: str, client_python: ClientPython, tmp_path: Path
) -> None:
    python, store = client_python(line), tmp_path / "store"
    call(python, "history.py", KINDS["database"], 0, "files", folder=tmp_path)
    first = move(KINDS["database"], store, folder=tmp_path)
    call(python, "changing.py", KINDS["database"], folder=tmp_path)
    rich = change_here(store)
    second = move(KINDS["database"], store, folder=tmp_path)
    assert second["untaken"] == []
    assert second["runs"] == {"new": 1, "changed": 4, "same": first["runs"]["new"] - 4}
    there = as_here(told_by(python, KINDS["database"], tmp_path, tmp_path / "there"))
    there["runs"][rich]["tags"]["mine"] = "added here"
    with endpoint(store) as uri:
        here = told_by(python, uri, tmp_path, tmp_path / "here")
    assert here == there
    verify(store, tmp_path)
    third = move(KINDS["database"], store, folder=tmp_path)
    assert third["runs"] == {"new": 0, "changed": 0, "same": first["runs"]["new"] + 1}
    assert third["versions"]["changed"] == third["registered_models"]["changed"] == third["files"] == 0


def change_here(store: Path) -> str:
    """Gives the run that is called `rich` a tag, here alone; its id."""
    opened = open_store(store, create=False)
    with contextlib.closing(opened), contextlib.closing(open_tracking(opened)) as tracking:
        run_id = opened.find("rich").run_id
        tracking.runs.log(run_id, Batch(tags=(("mine", "added here"),)))
    return run_id


@pytest.mark.timeout(1200)
def test_a_thousand_runs_move_in_though_they_are_stopped_again_and_again(
    made: Make, client_python: ClientPython, tmp_path: Path
) -> None:
    line, store = "2.22", tmp_path / "store"
    folder = made(line, KINDS["database"], 1000)
    for count in (50, 400):
        kill_after(count, store, folder)
        verify(store, tmp_path)
    moved = move(KINDS["database"], store, folder=folder)
    assert moved["untaken"] == []
    there = as_here(told_by(client_python(line), KINDS["database"], folder, tmp_path / "there"))
    assert len(there["runs"]) > 1000 > moved["runs"]["new"] > 0
    assert moved["runs"]["new"] + moved["runs"]["same"] == len(there["runs"])
    with endpoint(store) as uri:
        here = told_by(client_python(line), uri, folder, tmp_path / "here")
    assert here == there
    verify(store, tmp_path)
    again = move(KINDS["database"], store, folder=folder)
    assert again["runs"] == {"new": 0, "changed": 0, "same": len(there["runs"])}
    assert (again["points"], again["files"]) == (0, 0)


def kill_after(count: int, store: Path, folder: Path) -> None:
    """Begins to bring the history in, and kills that when so many runs have arrived."""
    command = [sys.executable, "-m", "mlproj", "import-mlflow", KINDS["database"], "--store", str(store)]
    moving = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while arrived(store) < count:
        assert moving.poll() is None and time.monotonic() < end, "nothing to stop any more"
        time.sleep(0.05)
    moving.send_signal(signal.SIGKILL)
    moving.wait(30)


def arrived(store: Path) -> int:
    try:
        with contextlib.closing(
            sqlite3.connect(f"{(store / 'store.db').as_uri()}?mode=ro", uri=True)
        ) as database:
            found: int = database.execute("SELECT count(*) FROM runs").fetchone()[0]
            return found
    except sqlite3.Error:
        return 0
