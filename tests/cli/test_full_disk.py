"""A disk that is full: one sentence, nothing lost, and everything well again once there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import LOCAL, Mlproj, single
from tests.conftest import ProjectMaker, need

Fill = Callable[[], None]

STORM = """\
entry_points:
  main:
    command: echo fine
  storm:
    command: head -c 3000000 /dev/zero; echo over; exit 4
  metrics:
    command: python3 log.py metrics
  params:
    command: python3 log.py params
  model:
    outputs: [model.bin]
    command: head -c 3000000 /dev/urandom > model.bin
"""

# Logs as much as it can, prints how much it was told was logged, and ends with 3.
LOG = """\
import itertools, json, os, sys, urllib.error, urllib.request

def batch(first):
    numbers = range(first, first + 100)
    if sys.argv[1] == "metrics":
        return {"metrics": [{"key": "loss", "value": n / 7, "step": n, "timestamp": 17} for n in numbers]}
    return {"params": [{"key": f"p{n}", "value": f"{n} " * 100} for n in numbers]}

told = 0
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    for first in itertools.count(0, 100):
        body = json.dumps({"run_id": os.environ["MLFLOW_RUN_ID"], **batch(first)}).encode()
        url = os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/runs/log-batch"
        opener.open(urllib.request.Request(url, body, {"Content-Type": "application/json"})).read()
        told += 100
except urllib.error.HTTPError as error:
    assert b"no space is left" in error.read()
print(told)
sys.exit(3)
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder), capture_output=True
    ).returncode
    need("tmpfs", mounted == 0)
    yield folder
    subprocess.run(("umount", "--lazy", folder), check=True)


def fill(disk: Path) -> Path:
    """Leaves nothing on the disk; removing the file makes room again."""
    rest = disk / "rest"
    with rest.open("wb", buffering=0) as file:
        for size in (65536, 4096):
            try:
                while True:
                    file.write(os.urandom(size))
            except OSError:
                continue
    return rest


def test_a_full_disk_ends_in_a_sentence_and_what_was_recorded_can_be_read(
    disk: Path, make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project, store = make_project({"MLproject": STORM}), ("--store", disk / "store")
    assert mlproj("run", ".", *LOCAL, *store, cwd=project).code == 0
    rest = fill(disk)
    for command in (("run", ".", *LOCAL), ("rm", "last"), ("prune", "--keep-last", "0")):
        refused = mlproj(*command, *store, cwd=project)
        assert (refused.code, refused.stdout) == (5, "")
        assert refused.stderr == f"error: no space is left for the store `{disk / 'store'}`\n\n" + (
            "hint: free some space on that disk\n"
        )
    assert mlproj("runs", *store).stdout.count("FINISHED") == 1
    assert mlproj("show", "last", *store).code == mlproj("verify", *store).code == 0
    assert mlproj("logs", "last", *store).stdout == "fine\n"
    rest.unlink()
    assert mlproj("run", ".", *LOCAL, *store, cwd=project).code == 0
    assert mlproj("verify", *store).code == 0


def test_a_run_whose_output_fills_the_disk_is_closed_all_the_same(
    disk: Path, make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project, store = make_project({"MLproject": STORM}), ("--store", disk / "store")
    failed = mlproj("run", ".", "-e", "model", *LOCAL, *store, cwd=project)
    assert failed.code == 5
    assert "no space is left" in failed.stderr.lower() and "Traceback" not in failed.stderr
    run = mlproj("show", "last", "--json", *store).document
    assert run["status"] == "FAILED" and "no space" in run["reason"].lower()
    assert (run["exit_code"], run["notes"]) == (0, ["no space was left to keep `model.bin`"])
    well_again(run, project, store, mlproj)


def test_a_run_whose_log_fills_the_disk_goes_on(
    disk: Path, make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project, store = make_project({"MLproject": STORM}), ("--store", disk / "store")
    done = mlproj("run", ".", "-e", "storm", *LOCAL, *store, cwd=project)
    assert (done.code, len(done.stdout)) == (1, 3_000_000 + len("over\n"))
    run = mlproj("show", "last", "--json", *store).document
    assert (run["exit_code"], run["reason"]) == (4, "the entry point ended with exit code 4")
    assert run["notes"] == ["no space is left for the logs: the rest of `stdout` is not kept"]
    log = run["logs"][0]
    assert log["cut_at"] + log["cut"] == 3_000_005 and log["cut"] > 1_000_000
    assert mlproj("logs", "last", *store).stdout.endswith(
        f"[mlproj: {log['cut']:,} bytes were not kept here]\n"
    )
    well_again(run, project, store, mlproj)


def test_a_run_whose_script_fills_the_disk_with_metrics_is_sealed_as_it_ended(
    disk: Path, make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project, store = make_project({"MLproject": STORM, "log.py": LOG}), ("--store", disk / "store")
    failed = mlproj("run", ".", "-e", "metrics", *LOCAL, *store, cwd=project)
    assert failed.code == 1 and "ended with exit code 3" in failed.stderr
    run = mlproj("show", "last", "--json", *store).document
    assert (run["status"], run["exit_code"]) == ("FAILED", 3)
    assert run["logged"]["metrics"][0]["count"] == int(failed.stdout) > 5000
    assert "`logged.history`" in run["notes"][-1]
    well_again(run, project, store, mlproj)


def test_a_run_whose_script_fills_the_disk_with_params_is_closed_as_it_ended_once_there_is_room(
    disk: Path, make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project, store = make_project({"MLproject": STORM, "log.py": LOG}), ("--store", disk / "store")
    told = "the next look at the store closes the run as it ended"
    full = mlproj("run", ".", "-e", "params", *LOCAL, *store, cwd=project)
    grow(disk)
    assert full.code == 5 and told in full.stderr
    run = mlproj("show", "last", "--json", *store).document
    assert (run["status"], run["exit_code"]) == ("FAILED", 3)
    assert len(run["parameters"]) == int(full.stdout) > 500
    assert run["notes"] == ["the run was closed later, by what its runner noted of how it ended"]
    well_again(run, project, store, mlproj)


def test_of_artifacts_that_fill_the_disk_what_there_is_room_for_is_kept(
    disk: Path, make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    command = 'cd "$MLPROJ_OUTPUT_DIR"; echo a > a; head -c 1000000 /dev/urandom > b; echo c > c'
    project, store = make_project({"MLproject": single(command)}), ("--store", disk / "store")
    assert mlproj("run", ".", *LOCAL, *store, cwd=project).code == 5
    run = mlproj("show", "last", "--json", *store).document
    assert (run["status"], run["exit_code"]) == ("FAILED", 0)
    assert [output["path"] for output in run["outputs"]] == ["artifacts/a", "artifacts/c"]
    assert run["notes"] == ["no space was left to keep `artifacts/b`"]
    well_again(run, project, store, mlproj)


def grow(disk: Path) -> None:
    subprocess.run(("mount", "-o", "remount,size=40m", disk), check=True)


def well_again(run: dict[str, Any], project: Path, store: tuple[str, Path], mlproj: Mlproj) -> None:
    """That a run is sealed and sound, and that nothing is in the way of the next once there is room."""
    assert run["record"] is not None
    assert mlproj("verify", *store).code == 0
    grow(store[1].parent)
    assert mlproj("verify", *store).code == 0
    assert mlproj("rm", "last", *store).code == 0
    assert mlproj("gc", "--grace", "0", *store).code == 0
    (project / "MLproject").write_text(STORM)
    assert mlproj("run", ".", *LOCAL, *store, cwd=project).code == 0
    assert mlproj("verify", *store).code == 0


def test_a_store_on_a_full_disk_can_be_backed_up_elsewhere(
    disk: Path, tmp_path: Path, make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project, store = make_project({"MLproject": STORM}), ("--store", disk / "store")
    assert mlproj("run", ".", *LOCAL, *store, cwd=project).code == 0
    fill(disk)
    assert mlproj("store", "backup", tmp_path / "backup", *store).code == 0
    assert mlproj("verify", "--store", tmp_path / "backup").code == 0
    refused = mlproj("store", "move", tmp_path / "moved", *store)
    if refused.code:  # the word that it leaves takes room, too
        assert (refused.code, f"the store `{disk / 'store'}`" in refused.stderr) == (5, True)
        assert not (tmp_path / "moved").exists()
    assert mlproj("verify", *store).code == 0


def test_a_backup_to_a_full_disk_leaves_the_one_before(
    disk: Path, make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project, backup = make_project({"MLproject": STORM}), disk / "backup"
    assert mlproj("run", ".", *LOCAL, cwd=project).code == 0
    assert mlproj("store", "backup", backup).code == 0
    assert mlproj("run", ".", "-e", "model", *LOCAL, cwd=project).code == 0
    refused = mlproj("store", "backup", backup)
    assert refused.code == 5 and "no space is left" in refused.stderr
    assert mlproj("verify", "--store", backup).code == 0
    assert mlproj("runs", "--store", backup).stdout.count("FINISHED") == 1
