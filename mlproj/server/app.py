"""The application: MLflow's REST API over the ports of tracking, with every route in one table.

A request is read and answered on the event loop, and the port is called in a thread. Calling it on the loop
would save a tenth of a millisecond (0.2 ms against 0.3 ms for a point that goes nowhere), but one search
through many runs, or a wait for another process that writes, would hold up everybody, and the run's end too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from mlproj.errors import MlprojError
from mlproj.ports import RunStore
from mlproj.server import again, description, limits, streams
from mlproj.server.access import GRANT, PREFIX, Grant
from mlproj.server.desk import Desk
from mlproj.server.failures import INTERNAL, NO_ENDPOINT, Failure, encoded, invalid, told
from mlproj.server.otlp import spans_by_trace, unpacked
from mlproj.server.ranges import Unsatisfiable
from mlproj.server.reading import from_body, from_body_and_path, from_query
from mlproj.server.route import TRACKING, Route
from mlproj.server.routes import (
    artifacts,
    assessments,
    experiments,
    logged_models,
    metrics,
    registry,
    runs,
    traces,
    traces_v2,
    uploads,
    versions,
)
from mlproj.tracking_ports import Artifacts, Tracking
from mlproj.version import __version__

SPOKEN = "3.17.2"
"""The version of MLflow whose protocol this is; clients choose by it what they send."""

ROUTES: tuple[Route, ...] = (
    *runs.ROUTES,
    *metrics.ROUTES,
    *experiments.ROUTES,
    *artifacts.ROUTES,
    *uploads.ROUTES,
    *logged_models.ROUTES,
    *registry.ROUTES,
    *versions.ROUTES,
    *traces.ROUTES,
    *traces_v2.ROUTES,
    *assessments.ROUTES,
)

Handler = Callable[[Request], Awaitable[Response]]
Streamed = Callable[[Desk, Request], Awaitable[Response]]

_PREFIXES = ("/api", "/ajax-api")
_OLD = "/api/2.0/preview/mlflow"
"""Where clients before MLflow 2 look for the registry."""
_FILE = f"{uploads.PROXY}/artifacts/{{artifact_path:path}}"
_STREAMED: tuple[tuple[str, str, Streamed], ...] = (
    ("GET", _FILE, streams.download),
    ("PUT", _FILE, streams.upload),
    ("DELETE", _FILE, streams.remove),
    ("PUT", uploads.PART, streams.upload_part),
)
_ALL = Grant()
_JSON = "application/json"
_TEXT = "text/plain"
_BYTES = "application/octet-stream"
_PROTOBUF = "application/x-protobuf"
_SERVER_INFO = {
    "store_type": "SqlStore",
    "workspaces_enabled": False,
    "trace_archival_enabled": False,
    # Clients send parts where they are told to by their own settings: to one machine, one stream is faster.
    "multipart_uploads_enabled": False,
    "multipart_downloads_enabled": False,
    "presigned_upload_run_id_supported": False,
    "presigned_upload_model_id_supported": False,
    "features_enabled": {"gateway": False},
}


def create_app(
    tracking: Tracking,
    files: Artifacts,
    *,
    proxied: bool = False,
    store: RunStore | None = None,
    unexpected: Callable[[Exception], None] = lambda error: None,
) -> FastAPI:
    """The application over one store. With `proxied`, clients are told to send artifacts through it; with
    `store`, it also keeps whole runs.

    `unexpected` hears of bugs, which clients only learn the kind of.
    """
    app = FastAPI(title="mlproj tracking", version=__version__, docs_url=None, redoc_url=None)
    maker = _Maker(tracking, files, proxied, store)
    schemas = description.components(ROUTES)
    for route in ROUTES:
        for prefix in _PREFIXES:
            app.add_api_route(
                f"{prefix}/{route.path}",
                maker.handler(route),
                methods=[route.method],
                responses=description.responses(route),
                summary=route.path,
                openapi_extra=description.operation(route, schemas),
                include_in_schema=prefix == _PREFIXES[0],
            )
    for route in ROUTES:
        if route.path.startswith(f"{TRACKING}/"):
            path = f"{_OLD}{route.path.removeprefix(TRACKING)}"
            app.add_api_route(path, maker.handler(route), methods=[route.method], include_in_schema=False)
    for prefix in _PREFIXES:
        for method, path, act in _STREAMED:
            app.add_api_route(
                f"{prefix}/{path}",
                maker.streamed(act),
                methods=[method],
                responses=description.answers(_BYTES if method == "GET" else _JSON),
                response_class=Response,
                summary=f"{method} {path}",
                openapi_extra=description.streamed(method, path),
                include_in_schema=prefix == _PREFIXES[0],
            )
    _add_pages(app, maker)
    _add_failures(app, unexpected)
    _describe(app, schemas)
    return app


class _Maker:
    """Makes handlers that take the request alone: FastAPI has nothing to work out for them."""

    def __init__(self, tracking: Tracking, files: Artifacts, proxied: bool, store: RunStore | None) -> None:
        self._tracking = tracking
        self._files = files
        self._proxied = proxied
        self._store = store

    def desk(self, request: Request) -> Desk:
        return Desk(
            tracking=self._tracking,
            artifacts=self._files,
            grant=_grant(request),
            address=partial(_address, request),
            proxied=self._proxied,
            store=self._store,
        )

    def handler(self, route: Route) -> Handler:
        async def handle(request: Request) -> Response:
            asked = await _asked(request, route)
            answer = await run_in_threadpool(again.act, route.act, self.desk(request), asked)
            return Response(msgspec.json.encode(answer), media_type=_JSON)

        return handle

    def streamed(self, act: Streamed) -> Handler:
        async def handle(request: Request) -> Response:
            return await act(self.desk(request), request)

        return handle


async def _asked(request: Request, route: Route) -> msgspec.Struct:
    """What the request says, in its path, its query and its body."""
    in_path = request.path_params
    if request.method == "GET" and (request.scope["query_string"] or in_path):
        return from_query([*in_path.items(), *request.query_params.multi_items()], route.asked)
    body = await _body(request)
    return from_body_and_path(body, in_path, route.asked) if in_path else from_body(body, route.asked)


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size > limits.BODY:
            raise invalid(f"the request is larger than {limits.BODY} bytes")
    return _grant(request).cleaned(b"".join(parts))


def _grant(request: Request) -> Grant:
    grant: Grant = request.scope.get(GRANT, _ALL)
    return grant


def _address(request: Request) -> str:
    """Where the caller reaches this server: by the name that it called, which has been looked at."""
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get(PREFIX, '')}"


def _add_pages(app: FastAPI, maker: _Maker) -> None:
    """What is no JSON of MLflow's, or asks nothing."""

    async def health(request: Request) -> Response:
        return Response(b"OK", media_type=_TEXT)

    async def version(request: Request) -> Response:
        return Response(SPOKEN.encode(), media_type=_TEXT)

    async def server_info(request: Request) -> Response:
        return Response(msgspec.json.encode(_SERVER_INFO), media_type=_JSON)

    async def spans(request: Request) -> Response:
        headers = request.headers
        kind = headers.get("content-type", "").partition(";")[0].strip()
        if kind not in (_PROTOBUF, _JSON):
            raise invalid(f"Invalid Content-Type: {kind}. Expected: {_PROTOBUF} or {_JSON}")
        experiment_id = headers.get("x-mlflow-experiment-id")
        if not experiment_id:
            raise invalid("Missing value for required header 'x-mlflow-experiment-id'.")
        body = unpacked(await _body(request), headers.get("content-encoding", "").lower())
        found = spans_by_trace(_grant(request).cleaned(body), as_json=kind == _JSON)
        await run_in_threadpool(again.act, traces.add_spans, maker.desk(request), experiment_id, found)
        return Response(b"", media_type=_PROTOBUF)

    for path, page in (("/health", health), ("/version", version)):
        app.add_api_route(path, page, responses=description.answers(_TEXT), response_class=Response)
    app.add_api_route(
        "/v1/traces",
        spans,
        methods=["POST"],
        responses=description.answers(_PROTOBUF),
        response_class=Response,
        openapi_extra=description.spans(),
    )
    for prefix in _PREFIXES:
        path = f"{prefix}/3.0/mlflow/server-info"
        app.add_api_route(
            path, server_info, responses=description.answers(_JSON), include_in_schema=prefix == "/api"
        )


def _add_failures(app: FastAPI, unexpected: Callable[[Exception], None]) -> None:
    def answer(failure: Failure) -> Response:
        status, body = encoded(failure)
        headers = failure.headers if isinstance(failure, Unsatisfiable) else None
        return Response(body, status_code=status, media_type=_JSON, headers=headers)

    async def failed(request: Request, error: Exception) -> Response:
        assert isinstance(error, Failure)
        return answer(error)

    async def expected(request: Request, error: Exception) -> Response:
        assert isinstance(error, MlprojError)
        return answer(told(error))

    async def no_route(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        where = f"{request.method} {request.url.path}"
        return answer(Failure(NO_ENDPOINT, f"No API found for '{where}'"))

    async def bug(request: Request, error: Exception) -> Response:
        unexpected(error)
        return answer(Failure(INTERNAL, f"internal error: {type(error).__name__}"))

    async def cut(request: Request, error: Exception) -> Response:
        return answer(invalid(str(error)))

    app.add_exception_handler(Failure, failed)
    app.add_exception_handler(MlprojError, expected)
    app.add_exception_handler(HTTPException, no_route)
    app.add_exception_handler(streams.Cut, cut)
    app.add_exception_handler(Exception, bug)


def _describe(app: FastAPI, schemas: dict[str, Any]) -> None:
    """Adds the structs' schemas to the description that FastAPI makes of the routes."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        document = made()
        document.setdefault("components", {}).setdefault("schemas", {}).update(schemas)
        return document

    # FastAPI's own way of extending a description is to replace the method.
    setattr(app, "openapi", openapi)  # noqa: B010
