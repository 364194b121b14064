"""Runs that are stopped: by a signal, by their time, or because mlproj itself was killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.cli.conftest import LOCAL, Mlproj, Start, single, written
from tests.conftest import ProjectMaker


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_child_and_its_children_and_the_run_is_killed(
    make_project: ProjectMaker, mlproj: Mlproj, start: Start, number: signal.Signals, code: int
) -> None:
    project = make_project({"MLproject": single("'sleep 300 & echo $! > child.pid; wait; sleep 300'")})
    runner = start("run", ".", *LOCAL, cwd=project)
    child = int(written(project / "child.pid"))
    runner.send_signal(number)
    runner.communicate(timeout=30)
    assert runner.returncode == code
    assert not psutil.pid_exists(child)
    run = mlproj("show", "--json").document
    assert run["status"] == "KILLED" and run["record"] is not None


def test_a_signal_ends_all_times_that_a_run_is_done_again(
    make_project: ProjectMaker, mlproj: Mlproj, start: Start, tmp_path: Path
) -> None:
    begun, waits = tmp_path / "begun", tmp_path / "waits"
    project = make_project({"MLproject": single(f"'echo $$ >> {begun}; test ! -e {waits} || sleep 300'")})
    assert mlproj("run", ".", *LOCAL, cwd=project).code == 0
    begun.unlink()
    waits.touch()
    runner = start("reproduce", "last", "--no-isolated", "--times", "3", cwd=project)
    written(begun)
    runner.send_signal(signal.SIGINT)
    runner.communicate(timeout=30)
    assert runner.returncode == 130
    assert len(begun.read_text().splitlines()) == 1


def test_a_killed_runner_leaves_no_run_that_runs_for_ever(
    make_project: ProjectMaker, mlproj: Mlproj, start: Start
) -> None:
    project = make_project({"MLproject": single("'echo $$ > begun; exec sleep 30'")})
    runner = start("run", ".", *LOCAL, cwd=project)
    child = int(written(project / "begun"))
    assert mlproj("show", "--json").document["status"] == "RUNNING"
    runner.kill()
    runner.communicate(timeout=30)
    run = mlproj("show", "--json").document
    assert run["status"] == "KILLED" and run["record"] is not None
    assert mlproj("verify").code == 0
    os.kill(child, signal.SIGKILL)


def test_what_a_killed_runner_leaves_behind_keeps_its_outputs_to_itself(
    make_project: ProjectMaker, mlproj: Mlproj, start: Start
) -> None:
    command = "'echo $$ > begun; until test -e go; do sleep 0.05; done; echo {text} > model.bin'"
    parameters = {"parameters": "{text: string}", "outputs": "[model.bin]"}
    project = make_project({"MLproject": single(command, **parameters)})
    first = start("run", ".", "-P", "text=first", *LOCAL, cwd=project)
    written(project / "begun")
    first.kill()
    first.communicate(timeout=30)
    second = start("run", ".", "-P", "text=second", *LOCAL, cwd=project)
    assert second.stdout is not None
    assert second.stdout.readline() == b"note: waiting for another run that writes `model.bin`\n"
    (project / "go").touch()
    second.communicate(timeout=30)
    assert second.returncode == 0
    assert (project / "model.bin").read_text() == "second\n"
    assert mlproj("show", "--json").document["outputs"][0]["state"] == "written"


def test_a_timeout_ends_the_run_with_1(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make_project({"MLproject": single("sleep 60", timeout="0.5s")})
    answer = mlproj("run", ".", "--json", *LOCAL, cwd=project)
    assert answer.code == 1
    assert answer.document["status"] == "FAILED" and "timed out" in answer.document["reason"]


def test_logs_follow_a_run_to_its_end(make_project: ProjectMaker, mlproj: Mlproj, start: Start) -> None:
    command = "'echo one; echo > begun x; until test -e go; do sleep 0.05; done; sleep 1; echo two'"
    project = make_project({"MLproject": single(command)})
    runner = start("run", ".", *LOCAL, cwd=project)
    written(project / "begun")
    assert mlproj("show", "--json").document["status"] == "RUNNING"
    (project / "go").touch()
    assert mlproj("logs", "-f").stdout == "one\ntwo\n"
    runner.communicate(timeout=20)
    assert runner.returncode == 0


def test_what_is_said_after_the_child_starts_on_a_line_of_its_own(
    make_project: ProjectMaker, start: Start
) -> None:
    project = make_project({"MLproject": single("'printf unfinished'")})
    told, _ = start("run", ".", *LOCAL, cwd=project).communicate(timeout=30)
    assert told.splitlines()[0] == b"unfinished"


@pytest.mark.parametrize("stop", ["timeout", "signal"])
def test_a_reader_that_stops_reading_does_not_keep_a_run_from_its_end(
    make_project: ProjectMaker, mlproj: Mlproj, start: Start, stop: str
) -> None:
    project = make_project({"MLproject": single("'echo $$ > begun; exec yes abcdefgh'")})
    given = ("--timeout", "2") if stop == "timeout" else ()
    runner = start("run", ".", *LOCAL, *given, cwd=project)  # what it prints is not read
    written(project / "begun")
    if stop == "signal":
        [log] = project.parent.glob("store/runs/*/logs/stdout")
        written(log)
        runner.send_signal(signal.SIGTERM)
    assert runner.wait(timeout=30) == (1 if stop == "timeout" else 143)
    run = mlproj("show", "--json").document
    assert run["status"] == ("FAILED" if stop == "timeout" else "KILLED")
    assert mlproj("logs", "--stream", "stdout").stdout.startswith("abcdefgh\nabcdefgh\n")
    assert mlproj("verify").code == 0
