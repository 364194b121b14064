"""The routes of a server as it describes them itself, and requests to them made of what fields are called."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from tests.server.calling import Caller
from tests.server.permitted.world import World

Value = Callable[[str], Any]
"""What a field of this name holds; None where it is not to be sent."""

SENT = {
    "status": "1",
    "stage": "Staging",
    "state": "OK",
    "permission": "MANAGE",
    "resource_type": "experiment",
    "new_name": "",
    "password": "a password",
    "is_admin": True,
    "max_results": 5,
    "num_parts": 1,
    "part_number": "1",
    "timestamp": 1,
    "timestamp_ms": 1,
    "request_time": "2026-01-01T00:00:00Z",
    "model_json": '{"artifact_path": "m", "flavors": {}, "utc_time_created": "t", "run_id": "r"}',
    "assessment_name": "good",
    "feedback": {"value": True},
    "update_mask": "rationale",
    "type": "MLFLOW_EXPERIMENT",
    "source_type": "local",
    "value": "1",
    "run_name": "mine",
    "url": "u",
    "etag": "0" * 64,
    "artifact_location": None,
    "parts": [{"part_number": 1, "etag": "0" * 64}],
}
"""What else is sent in fields that have to be there, or without which a request is not looked at."""
MANY = {
    "run_ids": "run_id",
    "experiment_ids": "experiment_id",
    "trace_ids": "trace_id",
    "request_ids": "trace_id",
    "runs": "closed_id",
    "digests": "digest",
}
IDS = frozenset(MANY) | {
    "run_id",
    "run_uuid",
    "source_run_id",
    "experiment_id",
    "experiment_name",
    "model_id",
    "name",
    "trace_id",
    "request_id",
    "assessment_id",
    "upload_id",
    "artifact_path",
    "path",
    "source",
    "resource_id",
    "username",
    "x-mlflow-experiment-id",
    "reference",
    "identifier",
    "what",
    "digest",
    "digits",
}
"""Fields that name something that may be another's."""
OTHERWISE = {
    ("/api/2.0/mlflow/experiments/create", "name"): "experiment_name",
    ("/api/3.0/mlflow/users/permissions/grant", "resource_id"): "experiment_id",
    ("/api/3.0/mlflow/users/permissions/revoke", "resource_id"): "experiment_id",
    ("/api/3.0/mlflow/users/permissions/get", "resource_id"): "experiment_id",
    ("/v1/traces", "x-mlflow-experiment-id"): "experiment_id",
}
"""Fields that name something else than fields of their name do."""
FREE = {("/api/2.0/mlflow/logged-models", "name"), ("/api/2.0/mlflow/runs/log-inputs", "name")}
"""Fields that only say what something of one's own shall be called."""
STORE = "/api/2.0/mlproj/store/"
"""Where whole runs are kept: those that have ended."""
IN_STORE = {"run_id": "closed_id", "run_ids": "closed_id", "reference": "closed_id", "what": "digest"}
OF_MODELS = {"what": "model_id", "identifier": "model_id"}
ALONE = {("/api/2.0/mlflow/model-versions/create", "model_id")}
"""Fields that say the same as another one does: sent where they are what the request is about."""
IN_PLACE = re.compile(r"/mpu/(?:create|complete|abort)/")
"""Where the field `path` is the name of a file in a folder that is named beside it."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A route. `where` tells where each field is sent: in the path, the query, the headers or the body."""

    method: str
    path: str
    where: Mapping[str, str]
    body: Mapping[str, Any] | None
    schemas: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def ids(self) -> tuple[str, ...]:
        """The fields by which something can be named, wherever they are."""
        found = {name for name in (*self.where, *_names(self.body or {}, self.schemas)) if name in IDS}
        return tuple(sorted(name for name in found if self.meant(name)))

    def meant(self, field: str) -> str | None:
        """The name by which a world knows what the field is for; None where it is the caller's to choose."""
        if (self.path, field) in FREE or (field == "path" and self._names_file):
            return None
        if field == "source" and not self.path.endswith("/model-versions/create"):
            return None
        if field == "path" and not self.path.endswith("/artifacts"):
            return None
        if field in ("digest", "runs") and not self.path.startswith(STORE):
            return None
        if field == "identifier" or self.path.startswith(STORE):
            if "/contents/model" in self.path or "/contents/versions" in self.path:
                return OF_MODELS.get(field, field)
            named = "experiment_id" if field == "identifier" else MANY.get(field, field)
            return IN_STORE.get(field, named)
        return OTHERWISE.get((self.path, field), MANY.get(field, field))

    @property
    def _names_file(self) -> bool:
        return IN_PLACE.search(self.path) is not None

    def _value(self, field: str, worlds: Mapping[str, World], own: World) -> Any:
        """What a field holds; None where it is not sent."""
        meant, world = self.meant(field), worlds.get(field, own)
        if meant is None:
            return _file(worlds.get("upload_id", own)) if field == "path" and self._names_file else None
        if field not in worlds and self._says_it_twice(field, worlds):
            return None
        if field == "artifact_path" and not self._names_file:
            name = _file(world) if "/mpu/" in self.path else f"{world.mark}.txt"
            return f"{world.known[field]}/{name}"
        if field == "new_name":
            return f"{own.mark} is new"
        found = world.known.get(meant, SENT.get(field))
        return [found] if field in MANY else found

    def _says_it_twice(self, field: str, worlds: Mapping[str, World]) -> bool:
        other = "run_uuid" in worlds if field == "run_id" else field == "run_uuid"
        return other or (self.path, field) in ALONE

    def sent(self, caller: Caller, worlds: Mapping[str, World], own: World) -> tuple[int, bytes]:
        """What is answered where each of the fields in `worlds` names something of that world."""

        def value(field: str) -> Any:
            return self._value(field, worlds, own)

        path, query, headers = self.path, {}, {"content-type": "application/json"}
        for field, place in self.where.items():
            found = value(field)
            if place == "path":
                path = path.replace(f"{{{field}}}", quote(str(found)))
            elif place == "query" and found is not None:
                query[field] = found
            elif place == "header":
                headers[field] = str(found)
        body: Any = None
        if self.path == "/v1/traces":
            body = _spans(worlds.get("trace_id", own))
        elif self.body is not None and self.body.get("format") == "binary":
            body = b"theirs"
        elif self.body is not None:
            body = json.dumps(_filled(self.body, self.schemas, value, self.where))
        return caller.raw(
            self.method.upper(), f"{path}?{urlencode(query, doseq=True)}" if query else path, body, headers
        )


def operations(document: Mapping[str, Any]) -> list[Operation]:
    """All that an OpenAPI description holds."""
    schemas = document["components"]["schemas"]
    return [
        Operation(
            method=method,
            path=path,
            where={each["name"]: each["in"] for each in described.get("parameters", ())},
            body=_body(described),
            schemas=schemas,
        )
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    ]


def _body(described: Mapping[str, Any]) -> Mapping[str, Any] | None:
    content = described.get("requestBody", {}).get("content", {})
    for kind in ("application/json", "application/octet-stream"):
        if kind in content:
            found: Mapping[str, Any] = content[kind]["schema"]
            return found
    return None


def _file(world: World) -> str:
    """What is being uploaded there."""
    return f"{world.mark}.bin"


def _spans(world: World) -> str:
    span = {"trace_id": world.known["trace_id"].removeprefix("tr-"), "span_id": "c" * 16, "name": "theirs"}
    return json.dumps({"resource_spans": [{"scope_spans": [{"spans": [span]}]}]})


def _resolved(schema: Mapping[str, Any] | bool, schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a schema says, wherever that is written; nothing for one that lets everything or nothing be."""
    if isinstance(schema, bool):
        return {}
    if "$ref" in schema:
        return _resolved(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in schema:
        return _resolved(next(each for each in schema["anyOf"] if each.get("type") != "null"), schemas)
    return schema


def _names(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int = 0) -> set[str]:
    schema = _resolved(schema, schemas)
    if depth > 5:
        return set()
    if schema.get("type") == "array":
        return _names(schema.get("items", {}), schemas, depth + 1)
    inner = schema.get("properties", {})
    return set(inner) | {name for each in inner.values() for name in _names(each, schemas, depth + 1)}


def _filled(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], value: Value, skipped: Mapping[str, str]
) -> dict[str, Any]:
    """An object with what has to be in it, and what names something."""
    schema = _resolved(schema, schemas)
    made = {}
    for name, inner in schema.get("properties", {}).items():
        if name in skipped:
            continue
        wanted = name in schema.get("required", ()) or name in SENT or bool(_names(inner, schemas) & IDS)
        found = value(name) if name in IDS or name in SENT else None
        if found is not None:
            made[name] = found
        elif wanted and name not in SENT:
            made[name] = _example(name, inner, schemas, value)
    return made


def _example(name: str, schema: Mapping[str, Any], schemas: Mapping[str, Any], value: Value) -> Any:
    schema = _resolved(schema, schemas)
    match schema.get("type"):
        case "array":
            items = schema.get("items", {})
            return [_example(name, items, schemas, value)] if _names(items, schemas) else []
        case "object":
            return _filled(schema, schemas, value, {}) if "properties" in schema else {}
        case "integer" | "number":
            return 1
        case "boolean":
            return False
        case _:
            return value(name) or "mine"
