"""Pipelines: a step that a script or a command line has MLflow run is run by mlproj, on each line of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlproj.services.hook import Wishes
from tests.hook.conftest import RUN_ID, Script, hooked
from tests.hook.stub import Stub
from tests.mlflow_clients import ENDS, ClientPython

pytestmark = pytest.mark.parametrize("line", ENDS)

STEP = (sys.executable, str(Path(__file__).with_name("step.py")))
"""What stands in for mlproj; it wants the file to note its calls in."""

Steps = Callable[..., tuple[list[Any], "subprocess.CompletedProcess[str]"]]


@pytest.fixture
def steps(script: Script, tmp_path: Path) -> Steps:
    """Runs a script, and returns what it called in mlproj's stead."""
    notes = tmp_path / "notes"
    executable = (*STEP, str(notes))

    def run(line: str, text: str, **more: Any) -> tuple[list[Any], subprocess.CompletedProcess[str]]:
        done = script(line, text, executable=executable, **more)
        lines = notes.read_text().splitlines() if notes.exists() else []
        return [json.loads(line) for line in lines], done

    return run


def test_a_step_is_run_by_mlproj(line: str, stub: Stub, steps: Steps) -> None:
    calls, done = steps(
        line,
        """
        import json, mlflow
        step = mlflow.run(
            "./train",
            "main",
            version="v1",
            parameters={"alpha": 0.5, "text": "a b='c'"},
            docker_args={"gpus": "all", "t": True},
            run_name="my step",
            storage_dir="down",
        )
        told = [step.run_id, step.get_status(), step.wait(), isinstance(step, mlflow.projects.SubmittedRun)]
        print(json.dumps([*told, mlflow.get_run(step.run_id).info.run_id]))
        """,
    )
    [[arguments, variables]] = calls
    run_id, *told, looked_up = json.loads(done.stdout)
    assert len(run_id) == 32
    assert told == ["FINISHED", True, True]
    assert looked_up == run_id
    assert arguments == [
        *("run", "--run-id", run_id, "--entry-point", "main", "--version", "v1"),
        *("--run-name", "my step", "--storage-dir", "down"),
        *("-P", "alpha=0.5", "-P", "text=a b='c'", "-A", "gpus=all", "-A", "t"),
        *("--", "./train"),
    ]
    assert variables["MLFLOW_EXPERIMENT_ID"] == "1"
    assert variables["MLFLOW_TRACKING_URI"] == stub.uri
    assert variables["MLPROJ_PARENT_RUN_ID"] == RUN_ID
    assert "MLFLOW_RUN_ID" not in variables


def test_a_step_goes_where_the_pipeline_goes_unless_it_is_told_otherwise(
    line: str, stub: Stub, steps: Steps
) -> None:
    calls, done = steps(
        line,
        """
        import mlflow, mlflow.projects
        mlflow.set_experiment("second")
        mlflow.projects.run(".", "a")
        mlflow.projects.run(".", "b", experiment_name="first")
        mlflow.projects.run(".", "c", experiment_id="0", env_manager="virtualenv")
        with mlflow.start_run():
            pass
        with mlflow.start_run() as active:
            mlflow.run(".", "d")
        print(active.info.run_id)
        """,
        wishes=Wishes(environment_manager="local"),
    )
    options = [arguments[5:-2] for arguments, _ in calls]
    assert options[0] == ["--env-manager", "local"]
    assert calls[0][1]["MLFLOW_EXPERIMENT_ID"] == "2"
    assert calls[1][0][3:5] == ["--experiment-name", "first"]
    assert calls[2][0][3:5] == ["--experiment-id", "0"]
    assert calls[2][0][-4:-2] == ["--env-manager", "virtualenv"]
    assert not {"MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"} & {*calls[1][1], *calls[2][1]}
    assert [variables["MLPROJ_PARENT_RUN_ID"] for _, variables in calls] == [
        *[RUN_ID] * 3,
        done.stdout.split()[-1],
    ]


def test_a_step_that_fails_raises_what_mlflow_raises(line: str, stub: Stub, steps: Steps) -> None:
    _, done = steps(
        line,
        """
        import json, mlflow
        from mlflow.exceptions import ExecutionException
        told = []
        for name in ("fails", "refused"):
            try:
                mlflow.run(".", name)
            except ExecutionException as error:
                told.append(str(error)[-6:])
        try:
            mlflow.run(".", "refused", synchronous=False)
        except ExecutionException as error:
            told.append(str(error)[-15:])
        step = mlflow.run(".", "fails", synchronous=False)
        print(json.dumps([*told, step.wait(), step.get_status()]))
        """,
    )
    assert json.loads(done.stdout) == ["failed", "failed", "could not begin", False, "FAILED"]


def test_an_asynchronous_step_is_not_waited_for_before_the_end(line: str, stub: Stub, steps: Steps) -> None:
    calls, done = steps(
        line,
        """
        import json, mlflow
        stopped = mlflow.run(".", "endless", synchronous=False)
        stopped.cancel()
        step = mlflow.run(".", "slow", synchronous=False)
        known = mlflow.get_run(step.run_id).info.run_id == step.run_id
        print(json.dumps([stopped.get_status(), step.get_status(), known]))
        """,
    )
    assert json.loads(done.stdout) == ["FAILED", "RUNNING", True]
    assert calls[-1] == "ended"


def test_mlflows_own_command_line_runs_a_step_likewise(line: str, stub: Stub, steps: Steps) -> None:
    calls, _ = steps(
        line,
        """
        import subprocess
        command = "mlflow run train -e main -P alpha=0.5 --env-manager local"
        assert subprocess.call(command, shell=True) == 0
        assert subprocess.call("mlflow run train -e fails", shell=True) == 1
        """,
    )
    arguments, variables = calls[0]
    assert arguments[3:] == [
        *("--entry-point", "main", "--env-manager", "local", "-P", "alpha=0.5", "--", "train"),
    ]
    assert variables["MLFLOW_EXPERIMENT_ID"] == "1"
    assert variables["MLPROJ_PARENT_RUN_ID"] == RUN_ID


def test_other_backends_stay_mlflows(line: str, stub: Stub, steps: Steps) -> None:
    calls, done = steps(line, "import mlflow; mlflow.run('.', backend='elsewhere')", code=1)
    assert calls == []
    assert "elsewhere" in done.stderr


def test_an_interrupted_step_ends_with_its_pipeline(
    line: str, stub: Stub, client_python: ClientPython, tmp_path: Path
) -> None:
    code = "import mlflow; mlflow.run('.', 'endless')"
    notes = tmp_path / "notes"
    environ = hooked(stub.uri, executable=(*STEP, str(notes)))
    with subprocess.Popen(
        (client_python(line), "-c", code),
        env=environ,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        while len(stub.runs) < 2 and process.poll() is None:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    assert b"KeyboardInterrupt" in complaint
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_without_mlproj_mlflow_runs_a_step_as_it_can(line: str, stub: Stub, script: Script) -> None:
    code = "import mlflow; mlflow.run('nowhere')"
    done = script(line, code, executable=("/nowhere/mlproj",), code=1)
    assert "LocalBackend" in done.stderr or "backend.run(" in done.stderr
