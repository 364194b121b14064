"""Our answers have the status, the code, the keys and the types of MLflow's."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mlproj.server.app import ROUTES
from tests.mlflow_clients import ClientPython
from tests.mlflow_servers import mlflow_server
from tests.server.calling import API, ARTIFACTS, Caller, calling
from tests.server.conversation import hold

MORE = {"aliases", "model_id"}
"""What ours say of every version, and MLflow's of some only."""

LEFT_OUT = {"sqlstate", "error_class", "workspace", "mlflow.trace.infoFinalized"}
"""What MLflow tells its own clients for nothing."""


def test_answers_are_shaped_as_mlflows(anyone: Caller, client_python: ClientPython, tmp_path: Path) -> None:
    ours = hold(anyone)
    folder = tmp_path / "mlflow"
    folder.mkdir()
    with mlflow_server(client_python("3"), folder) as uri, calling(uri) as caller:
        theirs = hold(caller)
    differing = {
        label: (status, answer, expected_status, expected)
        for (label, status, answer), (_, expected_status, expected) in zip(ours, theirs, strict=True)
        if (status, code(answer), shape(answer)) != (expected_status, code(expected), shape(expected))
    }
    assert not differing


def test_unheard_of_routes_are_told_of_as_such(anyone: Caller) -> None:
    for method, path in (
        ("GET", "/"),
        ("POST", "/api/2.0/mlflow/gateway/endpoints"),
        ("GET", "/api/3.0/mlflow/scorers/list"),
        ("GET", "/api/2.0/mlflow/runs/create"),
        ("DELETE", "/api/2.0/mlflow/experiments/get"),
        ("POST", "/graphql"),
        ("PATCH", "/ajax-api/3.0/mlflow/review-queues"),
        ("PUT", "/api/2.0/mlflow/runs/create"),
        ("TRACE", "/api/2.0/mlflow/runs/create"),
        ("GET", "/api/2.0/mlflow-artifacts/mpu/create/0/r/artifacts"),
    ):
        assert anyone.refused(method, path) == (404, "ENDPOINT_NOT_FOUND")


SPOKEN_OF = """
POST experiments/create  POST experiments/search  GET experiments/search  GET experiments/get
GET experiments/get-by-name  POST experiments/delete  POST experiments/restore  POST experiments/update
POST experiments/set-experiment-tag  POST experiments/delete-experiment-tag  POST experiments/search-datasets
POST runs/create  POST runs/update  POST runs/delete  POST runs/restore  GET runs/get  POST runs/search
POST runs/log-metric  POST runs/log-parameter  POST runs/set-tag  POST runs/delete-tag  POST runs/log-batch
POST runs/log-inputs  POST runs/outputs  POST runs/log-model  GET metrics/get-history
GET metrics/get-history-bulk  GET metrics/get-history-bulk-interval  GET artifacts/list
POST artifacts/presigned-upload-url  POST artifacts/presigned-download-url
POST logged-models  GET logged-models/m  PATCH logged-models/m  DELETE logged-models/m
POST logged-models/search  PATCH logged-models/m/tags  DELETE logged-models/m/tags/k
POST logged-models/m/params  GET logged-models/m/artifacts/directories
POST registered-models/create  POST registered-models/rename  PATCH registered-models/update
DELETE registered-models/delete  GET registered-models/get  GET registered-models/search
POST registered-models/get-latest-versions  GET registered-models/get-latest-versions
POST registered-models/set-tag  DELETE registered-models/delete-tag  POST registered-models/alias
DELETE registered-models/alias  GET registered-models/alias  POST model-versions/create
PATCH model-versions/update  POST model-versions/transition-stage  DELETE model-versions/delete
GET model-versions/get  GET model-versions/search  GET model-versions/get-download-uri
POST model-versions/set-tag  DELETE model-versions/delete-tag
GET {proxy}/artifacts  GET {file}  PUT {file}  DELETE {file}  POST {proxy}/mpu/create/{path}
POST {proxy}/mpu/complete/{path}  POST {proxy}/mpu/abort/{path}  GET {proxy}/presigned/{path}/f
GET /health  GET /version  GET /api/3.0/mlflow/server-info  POST /v1/traces
POST {traces}  POST {traces}/search  GET {traces}/batchGet  POST {traces}/batchGetInfos  GET {traces}/get
GET {traces}/t  PATCH {traces}/t/tags  DELETE {traces}/t/tags  POST {traces}/delete-traces
POST {traces}/t/assessments  GET {traces}/t/assessments/a  PATCH {traces}/t/assessments/a
DELETE {traces}/t/assessments/a  POST traces  GET traces  PATCH traces/t  GET traces/t/info
PATCH traces/t/tags  DELETE traces/t/tags  POST traces/delete-traces  POST traces/link-to-run
""".format(
    proxy="/api/2.0/mlflow-artifacts",
    path="0/r/artifacts",
    file=f"{ARTIFACTS}/0/r/artifacts/f",
    traces="/api/3.0/mlflow/traces",
)
"""The routes that MLflow's clients and its page call in ordinary flows."""


@pytest.mark.parametrize("called", re.split(r"\s{2,}|\n", SPOKEN_OF.strip()))
def test_every_route_of_ordinary_flows_is_there(anyone: Caller, called: str) -> None:
    method, path = called.split(" ")
    path = path if path.startswith("/") else f"{API}/{path}"
    status, content = anyone.raw(method, path, b"{}" if method in ("POST", "PATCH", "DELETE") else None)
    assert status in (200, 400, 403, 404), content
    if status != 200:
        answer = json.loads(content)
        assert set(answer) == {"error_code", "message"} and answer["error_code"] != "ENDPOINT_NOT_FOUND"


def test_every_route_is_under_the_pages_prefix_too(anyone: Caller) -> None:
    for route in ROUTES:
        path = route.path.replace("{artifact_path:path}", "0/a/artifacts/f")
        status, answer = anyone(route.method, f"/ajax-api/{path}")
        assert status in (200, 400, 404)
        assert status == 200 or "No API found" not in answer["message"]


def test_the_description_has_every_route(anyone: Caller) -> None:
    document = anyone.done("GET", "/openapi.json")
    for route in ROUTES:
        path = f"/api/{route.path.replace(':path', '')}"
        assert route.method.lower() in document["paths"].get(path, {}), path
    assert not [reference for reference in references(document) if not resolves(document, reference)]
    assert {"/health", "/version", "/v1/traces", "/api/3.0/mlflow/server-info"} <= document["paths"].keys()


def code(answer: Any) -> str | None:
    return answer.get("error_code") if isinstance(answer, dict) else None


def shape(value: Any) -> Any:
    """Keys and types; of a list those that occur, in whatever order."""
    if isinstance(value, dict):
        without = LEFT_OUT | MORE if "current_stage" in value else LEFT_OUT
        return {key: shape(each) for key, each in sorted(value.items()) if key not in without}
    if isinstance(value, list):
        return sorted({repr(shape(each)) for each in value})
    return type(value).__name__


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        found = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return found + [each for inner in value.values() for each in references(inner)]
    return [each for inner in value for each in references(inner)] if isinstance(value, list) else []


def resolves(document: Any, reference: str) -> bool:
    for part in reference.removeprefix("#/").split("/"):
        if part not in document:
            return False
        document = document[part]
    return True
