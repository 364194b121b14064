"""The OpenAPI description of the routes, from the structs that requests are decoded into."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mlproj.server.failures import ErrorAnswer
from mlproj.server.route import Route

Document = dict[str, Any]

_REFERENCE = "#/components/schemas/{name}"
_FIELD = re.compile(r"\{(\w+)(?::path)?\}")
_JSON = "application/json"
_BYTES = "application/octet-stream"
_BINARY = {"type": "string", "format": "binary"}


def components(routes: Sequence[Route]) -> Document:
    """The schema of every struct that a route takes or gives."""
    kinds = list({kind for route in routes for kind in (route.asked, route.answer)} | {ErrorAnswer})
    _, found = msgspec.json.schema_components(
        sorted(kinds, key=lambda kind: kind.__name__), ref_template=_REFERENCE
    )
    return dict(found)


def operation(route: Route, schemas: Mapping[str, Any]) -> Document:
    """What FastAPI is told beyond the path: parameters, body, operation id."""
    in_path = _FIELD.findall(route.path)
    properties: Mapping[str, Any] = schemas[route.asked.__name__].get("properties", {})
    required = schemas[route.asked.__name__].get("required", ())
    described: Document = {
        "operationId": f"{route.method}_{route.path}".lower(),
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": properties.get(name, {"type": "string"})}
            for name in in_path
        ],
    }
    if route.method == "GET":
        described["parameters"] += [
            {"name": name, "in": "query", "required": name in required, "schema": schema}
            for name, schema in properties.items()
            if name not in in_path
        ]
    else:
        described["requestBody"] = {
            "required": True,
            "content": {_JSON: {"schema": _body(route, in_path, schemas)}},
        }
    return described


def streamed(method: str, path: str) -> Document:
    """Bytes of an artifact: they are the body, or the answer."""
    described: Document = {
        "operationId": f"{method}_{path}".lower(),
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in _FIELD.findall(path)
        ],
    }
    if method == "PUT":
        described["requestBody"] = {"required": True, "content": {_BYTES: {"schema": _BINARY}}}
    return described


def spans() -> Document:
    """OpenTelemetry's export of spans."""
    header = {
        "name": "x-mlflow-experiment-id",
        "in": "header",
        "required": True,
        "schema": {"type": "string"},
    }
    content: Document = {kind: {"schema": {}} for kind in ("application/x-protobuf", _JSON)}
    return {
        "operationId": "export_spans",
        "parameters": [header],
        "requestBody": {"required": True, "content": content},
    }


def answers(kind: str, schema: Document | None = None) -> dict[int | str, Document]:
    """A success of this media type, and the error that may come instead."""
    good = {"description": "done", "content": {kind: {"schema": {} if schema is None else schema}}}
    return {200: good, "4XX": _error(), "5XX": _error()}


def responses(route: Route) -> dict[int | str, Document]:
    """One of success and the error that any of them may be."""
    return answers(_JSON, _reference(route.answer))


def _error() -> Document:
    return {"description": "an error", "content": {_JSON: {"schema": _reference(ErrorAnswer)}}}


def _body(route: Route, in_path: Sequence[str], schemas: Mapping[str, Any]) -> Document:
    """What the path says already need not be in the body."""
    if not in_path:
        return _reference(route.asked)
    schema = schemas[route.asked.__name__]
    properties = {name: kind for name, kind in schema.get("properties", {}).items() if name not in in_path}
    required = [name for name in schema.get("required", ()) if name not in in_path]
    return {"type": "object", "properties": properties, "required": required}


def _reference(kind: type[msgspec.Struct]) -> Document:
    return {"$ref": _REFERENCE.format(name=kind.__name__)}
