"""A real script, the hook, and a run's own endpoint: what a store holds of it then."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlproj.model.tracking import TrackedRun
from mlproj.server.endpoint import Endpoint
from mlproj.services.hook import Wishes
from mlproj.store.artifacts import FolderArtifacts
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from mlproj.store.tracking.opening import open_tracking
from tests.hook.conftest import hooked, run_script
from tests.mlflow_clients import ENDS, LINES, ClientPython
from tests.store.runs import begun

SCRIPT = """
import mlflow
mlflow.set_tracking_uri("http://127.0.0.1:9")
experiment = mlflow.set_experiment("third")
with mlflow.start_run():
    mlflow.log_metric("rmse", 0.5)
with mlflow.start_run() as second:
    assert second.info.experiment_id == experiment.experiment_id
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FolderStore]:
    store = open_store(tmp_path / "store", create=True)
    yield store
    store.close()


def recorded(store: FolderStore, python: Path, folder: Path, wishes: Wishes) -> tuple[TrackedRun, str]:
    """The run whose process the script was, and its experiment's name."""
    bugs: list[Exception] = []
    run = begun(store.blobs)
    with (
        store.begin(run),
        Endpoint(
            run.run_id,
            lambda: open_tracking(store),
            lambda: FolderArtifacts(store.root, store.root / "uploads"),
            unexpected=bugs.append,
        ) as endpoint,
    ):
        tracking = open_tracking(store)
        before = tracking.runs.get(run.run_id)
        environ = hooked(endpoint.uri, wishes, run_id=run.run_id, experiment_id=before.experiment_id)
        done = run_script(python, textwrap.dedent(SCRIPT), folder, environ)
        assert endpoint.token not in done.stderr
        after = tracking.runs.get(run.run_id)
        name = tracking.experiments.get(after.experiment_id).name
        tracking.close()
    assert not bugs
    return after, name


@pytest.mark.parametrize("line", LINES)
def test_a_run_goes_where_its_script_names_and_logs_where_it_is_recorded(
    line: str, store: FolderStore, client_python: ClientPython, tmp_path: Path
) -> None:
    run, experiment = recorded(store, client_python(line), tmp_path, Wishes())
    assert experiment == "third"
    assert [(metric.key, metric.value) for metric in run.metrics] == [("rmse", 0.5)]
    assert dict(run.tags)["mlproj.tracking_uri.asked"] == "http://127.0.0.1:9"
    assert "mlproj.experiment.asked" not in dict(run.tags)


@pytest.mark.parametrize("line", ENDS)
def test_a_run_stays_where_a_person_wants_it(
    line: str, store: FolderStore, client_python: ClientPython, tmp_path: Path
) -> None:
    run, experiment = recorded(store, client_python(line), tmp_path, Wishes(experiment_given=True))
    assert experiment != "third"
    assert [(metric.key, metric.value) for metric in run.metrics] == [("rmse", 0.5)]
    assert dict(run.tags)["mlproj.experiment.asked"] == "third"
