"""The calls that no server can mend, as scripts make them, on each line of MLflow's client."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlproj.services.hook import FOLDER, Wishes
from tests.hook.conftest import RUN_ID, Script
from tests.hook.stub import TOKEN, Stub
from tests.mlflow_clients import LINES

pytestmark = pytest.mark.parametrize("line", LINES)

FOREIGN = "http://ada:secret@127.0.0.1:9/api?key=secret"
"""A server that nobody started (nothing answers on port 9)."""

ASKED = "http://***@127.0.0.1:9/api?***"


def said(done: Any) -> Any:
    """What a script printed last, as JSON."""
    return json.loads(done.stdout.splitlines()[-1])


def test_the_run_moves_to_the_experiment_that_the_script_names(line: str, stub: Stub, script: Script) -> None:
    done = script(
        line,
        """
        import json, os, mlflow
        mlflow.get_experiment_by_name("second")
        looked_up = mlflow.get_run(os.environ["MLFLOW_RUN_ID"]).info.experiment_id
        found = mlflow.set_experiment("third")
        with mlflow.start_run() as first:
            mlflow.log_metric("rmse", 0.5)
        with mlflow.start_run() as second:
            pass
        told = [looked_up, found.name, found.experiment_id, first.info.run_id, second.info.run_id]
        print(json.dumps([*told, os.environ["MLFLOW_EXPERIMENT_ID"]]))
        """,
    )
    second = said(done)[-2]
    assert said(done) == ["1", "third", "3", RUN_ID, second, "3"]
    assert stub.runs[RUN_ID]["experiment"] == "3"
    assert stub.runs[RUN_ID]["metrics"] == {"rmse": 0.5}
    assert stub.runs[RUN_ID]["tags"] == {}
    assert stub.runs[second]["experiment"] == "3"


def test_a_run_that_has_begun_stays_and_the_next_one_begins_elsewhere(
    line: str, stub: Stub, script: Script
) -> None:
    done = script(
        line,
        """
        import json, mlflow
        try:
            mlflow.set_experiment()
        except mlflow.exceptions.MlflowException as error:
            refused = "exactly one" in str(error)
        mlflow.set_experiment(experiment_id="2")
        with mlflow.start_run() as first:
            mlflow.set_experiment("first")
        with mlflow.start_run() as next_one:
            pass
        print(json.dumps([refused, first.info.experiment_id, next_one.info.experiment_id]))
        """,
    )
    assert said(done) == [True, "2", "1"]
    assert stub.runs[RUN_ID]["experiment"] == "2"


def test_an_experiment_that_a_person_named_stays(line: str, stub: Stub, script: Script) -> None:
    done = script(
        line,
        """
        import json, mlflow
        found = mlflow.set_experiment("third")
        with mlflow.start_run() as first:
            mlflow.log_metric("rmse", 0.5)
        with mlflow.start_run(experiment_id=found.experiment_id) as second:
            pass
        print(json.dumps([found.name, first.info.run_id, second.info.experiment_id]))
        """,
        wishes=Wishes(experiment_given=True),
    )
    assert said(done) == ["first", RUN_ID, "1"]
    assert stub.runs[RUN_ID]["experiment"] == "1"
    assert stub.runs[RUN_ID]["tags"] == {"mlproj.experiment.asked": "third"}
    assert "third" not in stub.experiments.values()


def test_a_server_that_cannot_move_a_run_keeps_it_and_is_told_what_was_asked(
    line: str, stub: Stub, script: Script
) -> None:
    stub.moves = False
    script(line, "import mlflow; mlflow.set_experiment('second'); mlflow.start_run()")
    assert stub.runs[RUN_ID]["experiment"] == "1"
    assert stub.runs[RUN_ID]["tags"] == {"mlproj.experiment.asked": "second"}


def test_the_record_stays_in_one_place(line: str, stub: Stub, script: Script) -> None:
    done = script(
        line,
        f"""
        import json, os, pathlib, mlflow
        own, run_id = os.environ["MLFLOW_TRACKING_URI"], os.environ["MLFLOW_RUN_ID"]
        told = []

        def tell():
            tags = mlflow.tracking.MlflowClient().get_run(run_id).data.tags
            told.append([mlflow.get_tracking_uri() == own, tags.get("mlproj.tracking_uri.asked")])

        mlflow.set_tracking_uri(None)
        mlflow.tracking.MlflowClient(own)
        tell()
        os.environ["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:9/t/token/"
        tell()
        mlflow.set_tracking_uri(own)
        mlflow.set_tracking_uri({FOREIGN!r})
        tell()
        mlflow.tracking.set_tracking_uri("sqlite:///own.db")
        tell()
        mlflow.set_tracking_uri(pathlib.Path("/tmp/runs"))
        tell()
        client = mlflow.tracking.MlflowClient("http://127.0.0.1:9/1", "http://127.0.0.1:9/1")
        told.append(client.get_run(run_id).info.run_id == run_id)
        tell()
        mlflow.set_registry_uri("http://127.0.0.1:9/1")
        told.append(mlflow.get_registry_uri() == own)
        mlflow.set_registry_uri("http://127.0.0.1:9/2")
        told.append(mlflow.get_registry_uri() == own)
        mlflow.log_metric("rmse", 0.5)
        mlflow.end_run()
        print(json.dumps(told))
        """,
    )
    assert said(done) == [
        [True, None],
        [True, "http://127.0.0.1:9/t/***/"],
        [True, ASKED],
        [True, "sqlite:///own.db"],
        [True, "file:///tmp/runs"],
        True,
        [True, "http://127.0.0.1:9/1"],
        True,
        False,
    ]
    assert stub.runs[RUN_ID]["metrics"] == {"rmse": 0.5}


def test_an_address_that_the_script_puts_into_its_environment_counts_no_more(
    line: str, stub: Stub, script: Script
) -> None:
    script(
        line,
        f"""
        import os
        os.environ["MLFLOW_TRACKING_URI"] = {FOREIGN!r}
        import mlflow
        mlflow.log_metric("rmse", 0.5)
        """,
    )
    assert stub.runs[RUN_ID]["metrics"] == {"rmse": 0.5}
    assert stub.runs[RUN_ID]["tags"] == {"mlproj.tracking_uri.asked": ASKED}


def test_a_script_is_obeyed_where_the_person_says_so(line: str, stub: Stub, script: Script) -> None:
    done = script(
        line,
        """
        import json, os, mlflow
        mlflow.set_tracking_uri("sqlite:///own.db")
        mlflow.set_experiment("own")
        with mlflow.start_run() as run:
            mlflow.log_metric("rmse", 0.5)
        print(json.dumps([run.info.run_id, mlflow.get_tracking_uri(), "MLFLOW_RUN_ID" in os.environ]))
        """,
        wishes=Wishes(script_tracking=True),
    )
    run_id, *told = said(done)
    assert run_id != RUN_ID
    assert told == ["sqlite:///own.db", False]
    assert stub.runs[RUN_ID]["metrics"] == {}
    assert stub.runs[RUN_ID]["experiment"] == "1"
    assert stub.runs[RUN_ID]["tags"] == {"mlproj.tracking_uri.asked": "sqlite:///own.db"}


def test_the_endpoint_is_woken_before_mlflow_is_there(line: str, stub: Stub, script: Script) -> None:
    done = script(
        line,
        """
        import sys
        sys.stderr = sys.stdout
        import warnings
        warnings.simplefilter("always")
        import mlflow
        """,
    )
    assert stub.connections == 1
    assert stub.requests == [f"{TOKEN}/api/2.0/mlproj/hook"]
    assert str(FOLDER.parent) not in done.stdout


def test_processes_below_are_hooked_as_well(line: str, stub: Stub, script: Script) -> None:
    done = script(
        line,
        """
        import json, multiprocessing, subprocess, sys

        def work(queue):
            import mlflow
            queue.put(mlflow.set_experiment("second").experiment_id)

        if __name__ == "__main__":
            told = []
            for method in ("spawn", "fork"):
                context = multiprocessing.get_context(method)
                queue = context.Queue()
                process = context.Process(target=work, args=(queue,))
                process.start()
                told.append(queue.get())
                process.join()
            code = "import mlflow; mlflow.set_tracking_uri('http://127.0.0.1:9'); mlflow.log_metric('r', 1)"
            subprocess.run([sys.executable, "-c", code], check=True)
            print(json.dumps(told))
        """,
    )
    assert said(done) == ["2", "2"]
    assert stub.runs[RUN_ID]["experiment"] == "2"
    assert stub.runs[RUN_ID]["metrics"] == {"r": 1}


def test_without_the_hook_mlflow_is_as_it_is(line: str, stub: Stub, script: Script) -> None:
    code = "import mlflow; mlflow.set_experiment('second'); mlflow.start_run()"
    done = script(line, code, wishes=Wishes(hook=False), code=1)
    assert "does not match" in done.stderr
