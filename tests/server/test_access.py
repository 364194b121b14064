"""A token writes its run and what that run's script made; nobody gets in from elsewhere."""

from __future__ import annotations

import gzip
import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mlproj.model.run import Run
from mlproj.server.access import Grant
from mlproj.server.desk import Desk
from mlproj.server.endpoint import Endpoint
from mlproj.store.folder import FolderStore
from mlproj.store.tracking.opening import open_tracking
from tests.server.calling import API, ARTIFACTS, Caller, calling
from tests.server.conftest import files_of
from tests.store.runs import begun


@pytest.fixture
def stranger(anyone: Caller) -> str:
    """A run that was made elsewhere."""
    made = anyone.done("POST", "runs/create", experiment_id="0", run_name="other")
    return str(made["run"]["info"]["run_id"])


def test_without_a_token_nobody_is_let_in(endpoint: Endpoint) -> None:
    base = endpoint.uri.partition("/t/")[0]
    with calling(base) as caller:
        for path in ("/version", f"{API}/experiments/search", "/t/", "/t//version", "/openapi.json", "/"):
            assert caller.refused("GET", path) == (401, "UNAUTHENTICATED")


def test_with_another_token_nobody_is_let_in(endpoint: Endpoint) -> None:
    with calling(endpoint.uri[:-1] + ("A" if endpoint.uri[-1] != "A" else "B")) as caller:
        assert caller.refused("POST", "runs/create", experiment_id="0") == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "file://localhost"},
        {"Host": "[::1"},
    ],
)
def test_a_page_or_a_name_from_elsewhere_is_refused(script: Caller, headers: dict[str, str]) -> None:
    status, content = script.raw("GET", "/version", headers=headers)
    assert status == 403 and b"PERMISSION_DENIED" in content


@pytest.mark.parametrize(
    "headers", [{"Host": "localhost"}, {"Host": "LOCALHOST:1"}, {"Origin": "http://127.0.0.1:5000"}]
)
def test_the_own_machine_is_let_in(script: Caller, headers: dict[str, str]) -> None:
    assert script.raw("GET", "/version", headers=headers)[0] == 200


RUN_WRITES: list[tuple[str, dict[str, Any]]] = [
    ("runs/update", {"status": "FAILED"}),
    ("runs/delete", {}),
    ("runs/restore", {}),
    ("runs/log-metric", {"key": "m", "value": 1, "timestamp": 1}),
    ("runs/log-parameter", {"key": "p", "value": "1"}),
    ("runs/set-tag", {"key": "t", "value": "1"}),
    ("runs/delete-tag", {"key": "t"}),
    ("runs/log-batch", {}),
    ("runs/log-inputs", {}),
    ("runs/outputs", {"models": []}),
    ("runs/log-model", {"model_json": "{}"}),
    ("/api/2.0/mlproj/runs/move", {"experiment_id": "0"}),
]


@pytest.mark.parametrize(("path", "fields"), RUN_WRITES)
def test_another_run_is_not_written(script: Caller, stranger: str, path: str, fields: dict[str, Any]) -> None:
    assert script.refused("POST", path, run_id=stranger, **fields) == (403, "PERMISSION_DENIED")


def test_another_run_is_read(script: Caller, stranger: str) -> None:
    assert script.done("GET", "runs/get", run_id=stranger)["run"]["info"]["run_name"] == "other"
    assert script.done("GET", "artifacts/list", run_id=stranger)["root_uri"]


def test_runs_that_the_script_begins_are_its_own(script: Caller, run: Run) -> None:
    made = script.done("POST", "runs/create", experiment_id="0")["run"]["info"]
    for run_id in (run.run_id, made["run_id"]):
        script.done("POST", "runs/set-tag", run_id=run_id, key="t", value="1")
    script.done("POST", "runs/update", run_id=made["run_id"], status="FINISHED", end_time=1)
    elsewhere = script.done("POST", "experiments/create", name="elsewhere")["experiment_id"]
    script.done("POST", "/api/2.0/mlproj/runs/move", run_id=run.run_id, experiment_id=elsewhere)
    moved = script.done("GET", "runs/get", run_id=run.run_id)["run"]["info"]
    assert moved["experiment_id"] == elsewhere


def test_a_run_is_owned_where_somebody_says_so(store: FolderStore, run: Run) -> None:
    step = begun(store.blobs)
    with (
        store.begin(step),
        Endpoint(
            run.run_id,
            lambda: open_tracking(store),
            lambda: files_of(store),
            owns=lambda other: other == step.run_id,
        ) as endpoint,
        calling(endpoint.uri) as caller,
    ):
        caller.done("POST", "runs/set-tag", run_id=step.run_id, key="t", value="1")


def test_experiments_of_others_are_read_only(script: Caller, anyone: Caller, run: Run) -> None:
    other = anyone.done("POST", "experiments/create", name="other")["experiment_id"]
    for path, fields in (
        ("experiments/delete", {}),
        ("experiments/restore", {}),
        ("experiments/update", {"new_name": "mine"}),
        ("experiments/set-experiment-tag", {"key": "k", "value": "v"}),
        ("experiments/delete-experiment-tag", {"key": "k"}),
    ):
        assert script.refused("POST", path, experiment_id=other, **fields) == (403, "PERMISSION_DENIED")
    script.done("GET", "experiments/get", experiment_id=other)
    script.done("POST", "runs/create", experiment_id=other)
    mine = script.done("POST", "experiments/create", name="mine")["experiment_id"]
    script.done("POST", "experiments/update", experiment_id=mine, new_name="still mine")
    script.done("POST", "experiments/delete", experiment_id=mine)
    where = script.done("GET", "runs/get", run_id=run.run_id)["run"]["info"]["experiment_id"]
    script.done("POST", "experiments/set-experiment-tag", experiment_id=where, key="k", value="v")


def test_models_of_others_are_read_only_but_for_what_registering_writes(
    script: Caller, anyone: Caller, run: Run
) -> None:
    other = anyone.done("POST", "logged-models", experiment_id="0")["model"]["info"]["model_id"]
    for method, path, fields in (
        ("PATCH", f"logged-models/{other}", {"status": "LOGGED_MODEL_READY"}),
        ("PATCH", f"logged-models/{other}/tags", {"tags": [{"key": "k", "value": "v"}]}),
        ("DELETE", f"logged-models/{other}/tags/k", {}),
        ("POST", f"logged-models/{other}/params", {}),
        ("DELETE", f"logged-models/{other}", {}),
    ):
        assert script.refused(method, path, **fields) == (403, "PERMISSION_DENIED")
    versions = [{"key": "mlflow.modelVersions", "value": "[]"}]
    script.done("PATCH", f"logged-models/{other}/tags", tags=versions)
    mine = script.done("POST", "logged-models", experiment_id="0", source_run_id=run.run_id)
    script.done("PATCH", f"logged-models/{mine['model']['info']['model_id']}", status="LOGGED_MODEL_READY")


def test_artifacts_of_others_are_read_only(script: Caller, anyone: Caller, stranger: str, run: Run) -> None:
    theirs, mine = f"{ARTIFACTS}/0/{stranger}/artifacts/f", f"{ARTIFACTS}/0/{run.run_id}/artifacts/f"
    assert anyone.raw("PUT", theirs, b"theirs") == (200, b"{}")
    for method in ("PUT", "DELETE"):
        assert script.raw(method, theirs, b"mine")[0] == 403
    assert script.raw("GET", theirs) == (200, b"theirs")
    assert script.raw("PUT", mine, b"mine")[0] == script.raw("DELETE", mine)[0] == 200


def test_what_is_not_there_is_told_of_as_such(script: Caller) -> None:
    for path, fields in (
        ("runs/set-tag", {"run_id": "0" * 32, "key": "t"}),
        ("experiments/delete", {"experiment_id": "99999"}),
    ):
        assert script.refused("POST", path, **fields) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert script.refused("DELETE", "logged-models/m-none") == (404, "RESOURCE_DOES_NOT_EXIST")


def test_the_token_is_in_no_answer(script: Caller, endpoint: Endpoint) -> None:
    for path in ("/openapi.json", "/nowhere", "/t/nowhere", f"{API}/runs/get", f"{ARTIFACTS}/nowhere"):
        assert endpoint.token.encode() not in script.raw("GET", path)[1]


def test_the_token_is_in_nothing_that_is_kept(script: Caller, run: Run, store: FolderStore) -> None:
    token = script.uri.rpartition("/")[2]
    own = {"run_id": run.run_id}
    script.done("POST", "runs/log-parameter", **own, key="uri", value=script.uri)
    script.done("POST", "runs/set-tag", **own, key="note", value=f"see {script.uri}/#/runs")
    script.done("POST", "runs/update", **own, run_name=token)
    script.done("POST", "experiments/create", name=f"experiment {token}")
    script.done("POST", "registered-models/create", name="wine", description=script.uri)
    dataset = {"name": "wine", "digest": "1", "source_type": "http", "source": f"{script.uri}/data.csv"}
    script.done("POST", "runs/log-inputs", **own, datasets=[{"dataset": dataset, "tags": []}])
    assert script.refused("POST", "runs/log-metric", **own, key=token, value=1, timestamp=1) == (
        400,
        "INVALID_PARAMETER_VALUE",
    )
    span = {"trace_id": "a" * 32, "span_id": "b" * 16, "name": token}
    spans = json.dumps({"resource_spans": [{"scope_spans": [{"spans": [span]}]}]})
    headers = {"content-type": "application/json", "x-mlflow-experiment-id": "0", "content-encoding": "gzip"}
    assert script.raw("POST", "/v1/traces", gzip.compress(spans.encode()), headers)[0] == 200
    kept = b"".join(file.read_bytes() for file in store.root.rglob("store.db*"))
    assert token.encode() not in kept and b"see http://127.0.0.1" in kept
    params = script.done("GET", "runs/get", **own)["run"]["data"]["params"]
    assert {"key": "uri", "value": script.uri.replace(token, "*" * len(token))} in params


def test_the_two_halves_of_a_trace_may_come_at_once() -> None:
    grant = Grant("a" * 32)

    class Traces:
        """What the other half adds between our two looks, having noted that the caller makes it."""

        def get(self, trace_id: str) -> bytes:
            grant.made("trace", trace_id)
            return b"info"

    tracking = cast(Any, SimpleNamespace(traces=Traces()))
    desk = Desk(
        tracking=tracking,
        artifacts=cast(Any, None),
        grant=grant,
        link=lambda method, path: path,
        address="http://localhost",
    )
    desk.write_trace("tr-1")
