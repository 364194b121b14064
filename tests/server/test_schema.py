"""Whatever a client sends, the server answers: its own description, and filters, are tried with anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok

from mlproj.model.tracking import Batch, Metric, NewRun
from mlproj.server.app import create_app
from mlproj.store.opening import open_store
from mlproj.store.tracking.opening import StoredTracking, open_tracking
from tests.server.calling import Caller, calling, served
from tests.server.conftest import files_of
from tests.store.tracking.test_searching import FILTERS

ANY = settings(
    deadline=None, database=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck)
)
TRACE = {
    "trace_id": "tr-1",
    "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}},
    "request_time": "2026-01-01T00:00:00Z",
    "state": "OK",
}
GOOD = {"assessment_name": "good", "feedback": {"value": True}}
TRACES = "/api/3.0/mlflow/traces"
PROXY = "/api/2.0/mlflow-artifacts"
SEARCHES = ("runs", "experiments", "registered-models", "model-versions", "logged-models", "traces")


class Server:
    """One with something of everything in it; `known` says what that is called, by the names of fields."""

    def __init__(self, uri: str, caller: Caller, tracking: StoredTracking, description: Any) -> None:
        self.uri = uri
        self.caller = caller
        self.description = description
        run_id = tracking.runs.create(NewRun(experiment_id="0", name="oak", user="ada", started=1)).run_id
        points = tuple(Metric(key="a", value=value, timestamp=1) for value in (1.0, float("nan")))
        tracking.runs.log(run_id, Batch(metrics=points, params=(("a", "1"),), tags=(("a", "b"),)))
        model_id = tracking.models.create("0", name="tree", source_run_id=run_id).model_id
        tracking.registry.create("wine")
        tracking.registry.create_version("wine", source=f"models:/{model_id}", model_id=model_id)
        caller.done("POST", TRACES, trace={"trace_info": TRACE})
        root = f"0/{run_id}/artifacts"
        self.known: dict[str, Any] = {
            "run_id": run_id,
            "run_uuid": run_id,
            "run_ids": [run_id],
            "experiment_id": "0",
            "experiment_ids": ["0"],
            "model_id": model_id,
            "name": "wine",
            "version": "1",
            "trace_id": TRACE["trace_id"],
            "assessment_id": caller.done("POST", f"{TRACES}/tr-1/assessments", assessment=GOOD)["assessment"][
                "assessment_id"
            ],
            "upload_id": caller.done("POST", f"{PROXY}/mpu/create/{root}", path="x", num_parts=2)[
                "upload_id"
            ],
            "part_number": "1",
            "artifact_path": f"{root}/x",
            "path": root,
        }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    store = open_store(Path(tmp_path_factory.mktemp("schema")) / ".mlproj", create=True)
    tracking, bugs = open_tracking(store), list[Exception]()
    app = create_app(tracking, files_of(store), proxied=True, unexpected=bugs.append)
    with served(app) as uri, calling(uri) as caller:
        yield Server(uri, caller, tracking, app.openapi())
    tracking.close()
    store.close()
    assert not bugs


def test_every_route_answers_whatever_its_description_allows(server: Server) -> None:
    """Half of the calls are about what is there."""
    schema = schemathesis.openapi.from_dict(server.description)
    answered = set[int]()
    for operation in schema.get_all_operations():
        assert isinstance(operation, Ok)

        @given(case=operation.ok().as_strategy(), is_known=st.booleans())
        @settings(ANY, max_examples=25)
        def answers(case: schemathesis.Case[Any], is_known: bool) -> None:
            for part in (case.body, case.query, case.path_parameters):
                if is_known and isinstance(part, dict):
                    part.update((name, value) for name, value in server.known.items() if name in part)
            status = case.call(base_url=server.uri).status_code
            answered.add(status)
            assert status < 500, f"{case.method} {case.path} {case.query} {case.body!r}"

        answers()
    assert {200, 400, 404} <= answered


@given(subject=st.sampled_from(SEARCHES), filter=st.text() | FILTERS, order=st.lists(st.text() | FILTERS))
@settings(ANY, max_examples=300)
def test_every_filter_is_answered_or_refused(
    server: Server, subject: str, filter: str, order: list[str]
) -> None:
    caller, asked = server.caller, {"filter": filter, "order_by": order, "max_results": 5}
    if subject in ("registered-models", "model-versions"):
        status, answer = caller("GET", f"{subject}/search", **asked)
    elif subject == "traces":
        place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}
        status, answer = caller("POST", f"{TRACES}/search", **asked, locations=[place])
    else:
        if subject == "logged-models":
            asked["order_by"] = [{"field_name": field} for field in order]
        status, answer = caller("POST", f"{subject}/search", **asked, experiment_ids=["0"])
    assert status == 200 or (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), answer
