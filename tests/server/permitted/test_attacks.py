"""What somebody tries who knows the ids of another's things, and how a server works."""

from __future__ import annotations

import base64
import gzip
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlproj.model.access import Kind, Level
from tests.server.calling import ARTIFACTS, Caller
from tests.server.guarded import Guarded, guarded
from tests.server.permitted.world import PROXY, TRACES, seen, settle
from tests.server.test_otlp import varint

DENIED = (403, "PERMISSION_DENIED")
MISSING = (404, "RESOURCE_DOES_NOT_EXIST")
TAKEN = (400, "RESOURCE_ALREADY_EXISTS")


class Between:
    """Ada has a world, and Bob has one of his own; what was hers has to stay as it was."""

    def __init__(self, server: Guarded) -> None:
        self.server = server
        self.ada, self.bob = server.caller("ada"), server.caller("bob")
        self.adas, self.bobs = settle(self.ada, "ada"), settle(self.bob, "bob")

    @property
    def hers(self) -> dict[str, Any]:
        return self.adas.known

    @property
    def his(self) -> dict[str, Any]:
        return self.bobs.known


@pytest.fixture
def between(tmp_path: Path) -> Iterator[Between]:
    with guarded(tmp_path) as server:
        between = Between(server)
        before = seen(between.ada, between.adas)
        yield between
        assert seen(between.ada, between.adas) == before


def test_a_run_that_ends_takes_nothing_of_anothers_into_its_record(between: Between) -> None:
    """The files of the models that a run made are kept with it: whatever it says that it made."""
    bob, own = between.bob, {"run_id": between.his["run_id"]}
    model = between.hers["model_id"]
    assert bob.refused("POST", "runs/outputs", **own, models=[{"model_id": model, "step": 0}]) == MISSING
    assert bob.refused("POST", "runs/log-inputs", **own, models=[{"model_id": model}]) == MISSING
    made = {"experiment_id": between.his["experiment_id"], "source_run_id": between.hers["run_id"]}
    assert bob.refused("POST", "logged-models", **made) == MISSING
    bob.done("POST", "runs/update", **own, status="FINISHED", end_time=10)
    recorded = between.server.store.find(own["run_id"])
    assert recorded.outcome is not None
    assert [output.path for output in recorded.outcome.outputs if "ada" in output.path] == []
    assert between.server.store.models(own["run_id"]).used


def test_a_point_is_not_put_into_anothers_model(between: Between) -> None:
    point = {"key": "m", "value": 1, "timestamp": 1, "model_id": between.hers["model_id"]}
    own = {"run_id": between.his["run_id"]}
    assert between.bob.refused("POST", "runs/log-metric", **own, **point) == MISSING
    assert between.bob.refused("POST", "runs/log-batch", **own, metrics=[point]) == MISSING


def test_a_trace_is_not_taken_by_its_id(between: Between) -> None:
    """What is added to a trace that is there changes it, and where it is."""
    trace_id, experiment = between.hers["trace_id"], between.his["experiment_id"]
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    info = {"trace_id": trace_id, "trace_location": place, "state": "OK", "tags": {"k": "v"}}
    assert between.bob.refused("POST", TRACES, trace={"trace_info": info}) == TAKEN
    span = {"trace_id": trace_id.removeprefix("tr-"), "span_id": "b" * 16, "name": "bob's"}
    spans = json.dumps({"resource_spans": [{"scope_spans": [{"spans": [span]}]}]})
    headers = {"content-type": "application/json", "x-mlflow-experiment-id": experiment}
    assert between.bob.raw("POST", "/v1/traces", spans, headers)[0] == 400
    headers["x-mlflow-experiment-id"] = between.hers["experiment_id"]
    assert between.bob.raw("POST", "/v1/traces", spans, headers)[0] == 404
    removed = {"experiment_id": experiment, "request_ids": [trace_id]}
    assert between.bob.done("POST", f"{TRACES}/delete-traces", **removed).get("traces_deleted", 0) == 0


def test_a_trace_does_not_name_anothers_run(between: Between) -> None:
    """Its files would be kept with that one."""
    run, experiment = between.hers["run_id"], between.his["experiment_id"]
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    for named in ({"trace_metadata": {"mlflow.sourceRun": run}}, {"tags": {"mlflow.sourceRun": run}}):
        info = {"trace_id": "tr-new", "trace_location": place, "state": "OK", **named}
        assert between.bob.refused("POST", TRACES, trace={"trace_info": info}) == MISSING
    own = between.his["trace_id"]
    linked = {"trace_ids": [own], "run_id": run}
    assert between.bob.refused("POST", "traces/link-to-run", **linked) == MISSING
    assert between.bob.refused("PATCH", f"traces/{own}/tags", key="mlflow.sourceRun", value=run) == MISSING
    metadata = [{"key": "mlflow.sourceRun", "value": run}]
    ended = {"timestamp_ms": 1, "status": "OK", "request_metadata": metadata}
    assert between.bob.refused("PATCH", f"traces/{own}", **ended) == MISSING
    between.bob.done("POST", "traces/link-to-run", trace_ids=[own], run_id=between.his["run_id"])


def test_a_version_leads_to_no_file_of_anothers(between: Between) -> None:
    run, model, name = between.hers["run_id"], between.hers["model_id"], between.his["name"]
    root = between.hers["artifact_path"]
    sources: list[tuple[str, dict[str, str]]] = [
        (f"runs:/{run}/ada.txt", {"run_id": run}),
        (f"mlflow-artifacts:/{root}/ada.txt", {"run_id": run}),
        (f"models:/{model}", {}),
        (f"models:/{between.hers['name']}/1", {}),
        (f"models:/{between.hers['name']}@ada-alias", {}),
        (f"{between.server.store.root}/runs/{run}/artifacts/ada.txt", {"run_id": run}),
        (f"file://{between.server.store.root}/runs/{run}/artifacts", {"run_id": run}),
    ]
    for source, more in sources:
        status, answer = between.bob("POST", "model-versions/create", name=name, source=source, **more)
        if status != 200:
            continue
        version = answer["model_version"]["version"]
        status, answer = between.bob("GET", "model-versions/get-download-uri", name=name, version=version)
        assert status == 404 or "ada content" not in json.dumps(answer)
        uri = answer.get("artifact_uri", "")
        if uri.startswith("mlflow-artifacts:/"):
            assert between.bob.raw("GET", f"{ARTIFACTS}/{uri.partition(':/')[2]}")[0] == 404
    found = between.bob.done("GET", "model-versions/search", filter=f"run_id = '{run}'", max_results=10)
    assert {each["name"] for each in found.get("model_versions", [])} <= {name}


@pytest.mark.parametrize(
    "path",
    [
        "{root}/ada.txt",
        "{his}/../{run}/artifacts/ada.txt",
        "{root}/../artifacts/ada.txt",
        "0/{run}/artifacts/ada.txt",
        "999999/{run}/artifacts/ada.txt",
        "{his}/{run}/artifacts/ada.txt",
        "{his}/models/{model}/artifacts/ada.txt",
        "{his}/traces/{trace}/artifacts/ada.txt",
        "{his}/{own}/artifacts/..%2f..%2f{run}%2fartifacts%2fada.txt",
        "{his}/{own}/artifacts/../../{run}/artifacts/ada.txt",
        "{his}/{own}/../../../store.db",
        "../store.db",
        "store.db",
        "runs/{run}/artifacts/ada.txt",
        "{his}/uploads/artifacts/x",
        "%2e%2e/{run}/artifacts/ada.txt",
    ],
)
def test_a_path_leads_to_nothing_of_anothers(between: Between, path: str) -> None:
    names = {
        "root": between.hers["artifact_path"],
        "run": between.hers["run_id"],
        "model": between.hers["model_id"],
        "trace": between.hers["trace_id"],
        "his": between.his["experiment_id"],
        "own": between.his["run_id"],
    }
    path = path.format(**names)
    for method, body in (("GET", None), ("PUT", b"bob's"), ("DELETE", None)):
        status, content = between.bob.raw(method, f"{ARTIFACTS}/{path}", body)
        assert status in (400, 403, 404), (method, content)
        assert b"ada content" not in content
    assert between.bob.raw("GET", f"{ARTIFACTS}?path={path}")[0] in (400, 404)
    assert between.bob.raw("GET", f"{PROXY}/presigned/{path}")[0] in (400, 404)


def test_an_upload_is_its_beginners(between: Between) -> None:
    upload, root = between.hers["upload_id"], between.his["artifact_path"]
    part = f"{PROXY}/mpu/part/{upload}/1"
    for path in (f"{root}/ada.bin", f"{between.hers['artifact_path']}/ada.bin"):
        assert between.bob.raw("PUT", f"{part}/{path}", b"x")[0] == 404
    for act in ("complete", "abort"):
        fields = {"path": "ada.bin", "upload_id": upload, "parts": [{"part_number": 1, "etag": "0" * 64}]}
        assert between.bob.refused("POST", f"{PROXY}/mpu/{act}/{root}", **fields) == MISSING
    assert between.ada.raw("PUT", f"{part}/{between.hers['artifact_path']}/ada.bin", b"x")[0] == 200


def _pages(caller: Caller, method: str, path: str, several: str, **asked: Any) -> list[Any]:
    found, token = list[Any](), None
    for _ in range(50):
        more: dict[str, str] = {} if token is None else {"page_token": token}
        answer = caller.done(method, path, **asked, max_results=2, **more)
        some = answer.get(several, [])
        token = answer.get("next_page_token")
        # Pages are full until the last one: what is another's was left out before they were made.
        assert len(some) == 2 or token is None
        found += some
        if token is None:
            return found
    raise AssertionError("it does not end")


def test_pages_are_full_and_hold_ones_own(between: Between) -> None:
    for number in range(5):
        for caller, who in ((between.ada, "ada"), (between.bob, "bob")):
            caller.done("POST", "experiments/create", name=f"{who} e{number}")
            caller.done("POST", "registered-models/create", name=f"{who}-r{number}")
            source = f"models:/{between.hers['model_id'] if who == 'ada' else between.his['model_id']}"
            caller.done("POST", "model-versions/create", name=f"{who}-r{number}", source=source)
    bob = between.bob
    experiments = _pages(bob, "POST", "experiments/search", "experiments", order_by=["name ASC"])
    assert len(experiments) == 6 and all(each["name"].startswith("bob") for each in experiments)
    models = _pages(bob, "GET", "registered-models/search", "registered_models")
    assert len(models) == 6 and all(each["name"].startswith("bob") for each in models)
    versions = _pages(bob, "GET", "model-versions/search", "model_versions", order_by=["name ASC"])
    assert len(versions) == 6 and all(each["name"].startswith("bob") for each in versions)
    named = "name LIKE 'ada%'"
    for method, path in (
        ("POST", "experiments/search"),
        ("GET", "registered-models/search"),
        ("GET", "model-versions/search"),
    ):
        assert bob.done(method, path, filter=named, max_results=10) == {}


def test_a_token_of_anothers_page_opens_nothing(between: Between) -> None:
    for number in range(3):
        between.ada.done("POST", "experiments/create", name=f"ada e{number}")
    token = between.ada.done("POST", "experiments/search", max_results=1)["next_page_token"]
    found = between.bob.done("POST", "experiments/search", max_results=100, page_token=token)
    assert all(each["name"].startswith("bob") for each in found.get("experiments", []))
    forged = json.loads(base64.urlsafe_b64decode(token))
    forged = [forged[0], "9999-01-01T00:00:00.000Z", *forged[2:]]
    token = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode()
    found = between.bob.done("POST", "experiments/search", max_results=100, page_token=token)
    assert [each["name"] for each in found["experiments"]] == ["bob experiment"]


def test_searches_across_experiments_leave_out_anothers(between: Between) -> None:
    both = [between.hers["experiment_id"], between.his["experiment_id"]]
    bob = between.bob
    runs = bob.done("POST", "runs/search", experiment_ids=both, max_results=10)["runs"]
    assert {each["info"]["run_id"] for each in runs} == {between.his["run_id"], between.his["closed_id"]}
    models = bob.done("POST", "logged-models/search", experiment_ids=both)["models"]
    assert [each["info"]["model_id"] for each in models] == [between.his["model_id"]]
    places = [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": each}} for each in both]
    traces = bob.done("POST", f"{TRACES}/search", locations=places)["traces"]
    assert {each["trace_id"] for each in traces} >= {between.his["trace_id"]}
    assert between.hers["trace_id"] not in json.dumps(traces)
    for asked in (("GET", f"{TRACES}/batchGet"), ("POST", f"{TRACES}/batchGetInfos")):
        ids = [between.hers["trace_id"], between.his["trace_id"]]
        assert between.hers["trace_id"] not in json.dumps(bob.done(*asked, trace_ids=ids))
    data = bob.done("POST", "experiments/search-datasets", experiment_ids=both)["dataset_summaries"]
    assert [each["name"] for each in data] == ["bob data"]
    path = "metrics/get-history-bulk-interval"
    ids = [between.hers["run_id"], between.his["run_id"]]
    assert bob.refused("GET", path, run_ids=ids, metric_key="ada-metric") == MISSING
    assert bob.refused("GET", "metrics/get-history-bulk", run_id=ids, metric_key="ada-metric") == MISSING


def test_a_reader_registers_a_model_and_writes_nothing_else_to_it(between: Between) -> None:
    between.server.users.rights.grant("bob", Kind.EXPERIMENT, between.hers["experiment_id"], Level.READ)
    path = f"logged-models/{between.hers['model_id']}/tags"
    versions = [{"key": "mlflow.modelVersions", "value": '[{"name": "bob-registered", "version": 2}]'}]
    other = [{"key": "k", "value": "v"}]
    for tags in (other, [*versions, *other], [{"key": "mlflow.modelVersions", "value": "nothing"}]):
        assert between.bob.refused("PATCH", path, tags=tags) == DENIED
    between.bob.done("PATCH", path, tags=versions)
    emptied = [{"key": "mlflow.modelVersions", "value": "[]"}]
    assert between.bob.refused("PATCH", path, tags=emptied) == DENIED
    between.ada.done("DELETE", f"{path}/mlflow.modelVersions")


def test_a_request_that_is_dear_to_read_holds_up_nobody(between: Between) -> None:
    """It is refused, or read in a thread: the loop that answers everybody goes on meanwhile."""
    own, other = between.server.caller("bob"), between.server.caller("ada")
    span = b"\x0a\x10" + b"a" * 16 + b"\x12\x08" + b"b" * 8 + b"\x5a\x00" * 10_000_000
    content = span
    for tag in (b"\x12", b"\x12", b"\x0a"):
        content = tag + varint(len(content)) + content
    headers = {
        "content-type": "application/x-protobuf",
        "content-encoding": "gzip",
        "x-mlflow-experiment-id": between.his["experiment_id"],
    }
    answers: list[int] = []
    sending = threading.Thread(
        target=lambda: answers.append(own.raw("POST", "/v1/traces", gzip.compress(content, 1), headers)[0])
    )
    longest = 0.0
    sending.start()
    while sending.is_alive():
        began = time.monotonic()
        assert other.raw("GET", "/version")[0] == 200
        longest = max(longest, time.monotonic() - began)
    assert answers == [400]
    assert longest < 2


def test_very_many_experiments_are_looked_for_together(between: Between) -> None:
    names = [
        *map(str, range(10**6, 10**6 + 100_000)),
        between.his["experiment_id"],
        between.hers["experiment_id"],
    ]
    began = time.monotonic()
    found = between.bob.done("POST", "runs/search", experiment_ids=names)
    assert {run["info"]["experiment_id"] for run in found["runs"]} == {between.his["experiment_id"]}
    assert time.monotonic() - began < 10


def test_the_experiment_that_every_store_has_is_refused_with_what_to_do(between: Between) -> None:
    status, answer = between.bob("POST", "runs/create", start_time=5)
    assert (status, answer["error_code"]) == DENIED
    assert "set_experiment" in answer["message"]
