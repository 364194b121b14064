"""Our answers have the status, the code, the keys and the types of MLflow's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlproj.server.app import ROUTES
from tests.mlflow_clients import ClientPython
from tests.mlflow_servers import mlflow_server
from tests.server.calling import Caller, calling
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
        ("POST", "/api/2.0/mlflow/webhooks"),
    ):
        assert anyone.refused(method, path) == (404, "ENDPOINT_NOT_FOUND")


def test_every_route_is_under_the_pages_prefix_too(anyone: Caller) -> None:
    for route in ROUTES:
        path = route.path.replace("{artifact_path:path}", "0/a/artifacts/f")
        status, answer = anyone(route.method, f"/ajax-api/{path}")
        assert status in (200, 400, 404)
        assert status == 200 or answer["error_code"] != "ENDPOINT_NOT_FOUND"


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
        return {key: shape(each) for key, each in value.items() if key not in without}
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
