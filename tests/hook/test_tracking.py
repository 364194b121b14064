"""The three calls that no server can mend, as scripts make them, on each line of MLflow's client."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlproj.services.hook import Wishes
from tests.hook.conftest import RUN_ID, Script
from tests.hook.stub import Stub
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
        found = mlflow.set_experiment("third")
        with mlflow.start_run() as first:
            mlflow.log_metric("rmse", 0.5)
        with mlflow.start_run() as second:
            pass
        told = [found.name, found.experiment_id, first.info.run_id, os.environ["MLFLOW_EXPERIMENT_ID"]]
        print(json.dumps([*told, second.info.run_id]))
        """,
    )
    *told, second = said(done)
    assert told == ["third", "3", RUN_ID, "3"]
    assert stub.runs[RUN_ID]["experiment"] == "3"
    assert stub.runs[RUN_ID]["metrics"] == {"rmse": 0.5}
    assert stub.runs[RUN_ID]["tags"] == {}
    assert stub.runs[second]["experiment"] == "3"


def test_an_experiment_may_be_named_by_its_id(line: str, stub: Stub, script: Script) -> None:
    script(line, "import mlflow; mlflow.set_experiment(experiment_id='2'); mlflow.start_run()")
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


def test_a_server_that_cannot_move_a_run_keeps_it_and_says_what_was_asked(
    line: str, stub: Stub, script: Script
) -> None:
    stub.moves = False
    script(line, "import mlflow; mlflow.set_experiment('second'); mlflow.start_run()")
    assert stub.runs[RUN_ID]["experiment"] == "1"
    assert stub.runs[RUN_ID]["tags"] == {"mlproj.experiment.asked": "second"}


def test_looking_an_experiment_up_moves_nothing(line: str, stub: Stub, script: Script) -> None:
    script(line, "import mlflow; mlflow.get_experiment_by_name('second'); mlflow.start_run()")
    assert stub.runs[RUN_ID]["experiment"] == "1"


def test_a_run_that_has_begun_stays_and_the_next_one_begins_elsewhere(
    line: str, stub: Stub, script: Script
) -> None:
    done = script(
        line,
        """
        import json, mlflow
        with mlflow.start_run():
            pass
        mlflow.set_experiment("second")
        with mlflow.start_run() as second:
            pass
        print(json.dumps(second.info.experiment_id))
        """,
    )
    assert said(done) == "2"
    assert stub.runs[RUN_ID]["experiment"] == "1"


def test_what_mlflow_refuses_is_still_refused(line: str, stub: Stub, script: Script) -> None:
    done = script(line, "import mlflow; mlflow.set_experiment()", code=1)
    assert "MlflowException" in done.stderr
    assert "experiment_id" in done.stderr


@pytest.mark.parametrize(
    "way",
    [
        "import mlflow; mlflow.set_tracking_uri(FOREIGN)",
        "import mlflow; mlflow.tracking.set_tracking_uri(FOREIGN); mlflow.set_registry_uri(FOREIGN)",
        "import os; os.environ['MLFLOW_TRACKING_URI'] = FOREIGN; import mlflow",
        "import os, mlflow; os.environ['MLFLOW_TRACKING_URI'] = FOREIGN",
        "import mlflow; client = mlflow.tracking.MlflowClient(FOREIGN, FOREIGN); client.get_experiment('1')",
        "from mlflow.tracking import MlflowClient; MlflowClient(tracking_uri=FOREIGN); import mlflow",
    ],
    ids=["set", "registry", "before", "after", "client", "named"],
)
def test_the_record_stays_in_one_place(line: str, stub: Stub, script: Script, way: str) -> None:
    done = script(
        line,
        f"""
        FOREIGN = {FOREIGN!r}
        {way}
        import json
        with mlflow.start_run() as run:
            mlflow.log_metric("rmse", 0.5)
        print(json.dumps([run.info.run_id, mlflow.get_tracking_uri(), mlflow.get_registry_uri()]))
        """,
    )
    assert said(done) == [RUN_ID, stub.uri, stub.uri]
    assert stub.runs[RUN_ID]["metrics"] == {"rmse": 0.5}
    assert stub.runs[RUN_ID]["tags"] == {"mlproj.tracking_uri.asked": ASKED}


def test_nothing_is_recorded_where_the_script_names_the_runs_own_address(
    line: str, stub: Stub, script: Script
) -> None:
    script(
        line,
        """
        import os, mlflow
        mlflow.set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])
        mlflow.set_tracking_uri(None)
        mlflow.tracking.MlflowClient(os.environ["MLFLOW_TRACKING_URI"])
        mlflow.log_metric("rmse", 0.5)
        """,
    )
    assert stub.runs[RUN_ID]["metrics"] == {"rmse": 0.5}
    assert stub.runs[RUN_ID]["tags"] == {}


def test_a_script_is_obeyed_where_the_person_says_so(line: str, stub: Stub, script: Script) -> None:
    done = script(
        line,
        """
        import json, os, subprocess, sys, mlflow
        mlflow.set_tracking_uri("sqlite:///own.db")
        mlflow.set_experiment("own")
        with mlflow.start_run() as run:
            mlflow.log_metric("rmse", 0.5)
        left = [name for name in ("MLFLOW_RUN_ID", ) if name in os.environ]
        print(json.dumps([run.info.run_id, mlflow.get_tracking_uri(), left]))
        """,
        wishes=Wishes(script_tracking=True),
    )
    run_id, uri, left = said(done)
    assert run_id != RUN_ID
    assert uri == "sqlite:///own.db"
    assert left == []
    assert stub.runs[RUN_ID]["metrics"] == {}
    assert stub.runs[RUN_ID]["experiment"] == "1"
    assert stub.runs[RUN_ID]["tags"] == {"mlproj.tracking_uri.asked": "sqlite:///own.db"}


def test_the_endpoint_is_woken_before_mlflow_is_there(line: str, stub: Stub, script: Script) -> None:
    script(line, "import mlflow")
    assert stub.connections == 1
    assert stub.requests == []


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
            code = "import mlflow; mlflow.set_tracking_uri('http://127.0.0.1:9'); mlflow.log_metric('rmse', 1)"
            subprocess.run([sys.executable, "-c", code], check=True)
            print(json.dumps(told))
        """,
    )
    assert said(done) == ["2", "2"]
    assert stub.runs[RUN_ID]["experiment"] == "2"
    assert stub.runs[RUN_ID]["metrics"] == {"rmse": 1}


def test_without_the_hook_mlflow_is_as_it_is(line: str, stub: Stub, script: Script) -> None:
    done = script(
        line,
        "import mlflow; mlflow.set_experiment('second'); mlflow.start_run()",
        wishes=Wishes(hook=False),
        code=1,
    )
    assert "does not match" in done.stderr
