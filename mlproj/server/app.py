"""The application: MLflow's REST API over the ports of tracking, with every route in one table.

A request is read and answered on the event loop, and the port is called in a thread. Calling it on the loop
would save a tenth of a millisecond (0.2 ms against 0.3 ms for a point that goes nowhere), but one search
through many runs, or a wait for another process that writes, would hold up everybody, and the run's end too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache, partial
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from mlproj.artifact_ports import Artifacts
from mlproj.errors import MlprojError
from mlproj.server import again, description, limits, streams
from mlproj.server.access import GRANT, LINK, PREFIX, ROOT, USERS, VIEW, Grant
from mlproj.server.bodies import Room
from mlproj.server.callers import CALLER, Anybody
from mlproj.server.described import Described, Handler
from mlproj.server.desk import Desk
from mlproj.server.failures import INTERNAL, NO_ENDPOINT, Failure, encoded, invalid, told
from mlproj.server.otlp import MOST, Span, spans_by_trace, unpacked
from mlproj.server.outputs import WithOutputs
from mlproj.server.ranges import Unsatisfiable
from mlproj.server.reading import from_body, from_body_and_path, from_query
from mlproj.server.route import TRACKING, Route
from mlproj.server.routes import (
    artifacts,
    assessments,
    experiments,
    logged_models,
    metrics,
    permissions,
    promotion,
    registry,
    runs,
    traces,
    traces_v2,
    uploads,
    users,
    versions,
    webhooks,
)
from mlproj.server.store_app import add_store_routes
from mlproj.store_ports import RunStore
from mlproj.tracking_ports import Tracking
from mlproj.version import __version__
from mlproj.webhook_ports import Webhooks

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
    *promotion.ROUTES,
    *traces.ROUTES,
    *traces_v2.ROUTES,
    *assessments.ROUTES,
    *users.ROUTES,
    *permissions.ROUTES,
    *webhooks.ROUTES,
)

Streamed = Callable[[Desk, Request], Awaitable[Response]]

_API, _AJAX = "/api", "/ajax-api"
_OLD = "/api/2.0/preview/mlflow"
"""Where clients before MLflow 2 look for the registry."""
_INFO = "3.0/mlflow/server-info"
_FILE = f"{uploads.PROXY}/artifacts/{{artifact_path:path}}"
_STREAMED: tuple[tuple[str, str, Streamed], ...] = (
    ("GET", _FILE, streams.download),
    ("PUT", _FILE, streams.upload),
    ("DELETE", _FILE, streams.remove),
    ("PUT", uploads.PART, streams.upload_part),
)
_QUICK = 32 * 1024
"""Bytes of a body that are read about as fast as another thread could be asked to: in whatever form they are,
nobody else waits for long."""
_ALL = Grant()
_ANYBODY = Anybody()
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
    hooks: Webhooks | None = None,
    user: str = "",
    unexpected: Callable[[Exception], None] = lambda error: None,
) -> Described:
    """The application over one store. With `proxied`, clients are told to send artifacts through it; with
    `store`, it also keeps whole runs; `hooks` are those whom it tells of what happens. `user` is who calls,
    where nobody has to say that.

    `unexpected` hears of bugs, which clients only learn the kind of.
    """
    app = Described("mlproj tracking", __version__)
    app.add_schemas(_schemas)
    maker = _Maker(tracking, files, proxied, store, hooks, user)
    # Pages are added to an application by whoever wants them, and work at the same desk.
    app.state.desk = maker.desk
    for route in ROUTES:
        handler = maker.handler(route)
        app.add(f"{_API}/{route.path}", handler, [route.method], partial(_described, route))
        app.add(f"{_AJAX}/{route.path}", handler, [route.method])
    for route in ROUTES:
        if route.path.startswith(f"{TRACKING}/"):
            path = f"{_OLD}{route.path.removeprefix(TRACKING)}"
            app.add(path, maker.handler(route), [route.method])
    for method, path, act in _STREAMED:
        handler = maker.streamed(act)
        app.add(f"{_API}/{path}", handler, [method], partial(_described_stream, method, path))
        app.add(f"{_AJAX}/{path}", handler, [method])
    if store is not None:
        add_store_routes(app, maker.desk, maker.room)
    _add_pages(app, maker)
    _add_failures(app, unexpected)
    return app


@cache
def _schemas() -> dict[str, Any]:
    return description.components(ROUTES)


def _described(route: Route) -> dict[str, Any]:
    return {
        "responses": description.responses(route),
        "summary": route.path,
        "openapi_extra": description.operation(route, _schemas()),
    }


def _described_stream(method: str, path: str) -> dict[str, Any]:
    return {
        "responses": description.answers(_BYTES if method == "GET" else _JSON),
        "response_class": Response,
        "summary": f"{method} {path}",
        "openapi_extra": description.streamed(method, path),
    }


def _described_page(kind: str, **extra: Any) -> dict[str, Any]:
    return {"responses": description.answers(kind), "response_class": Response, **extra}


class _Maker:
    """Makes handlers that take the request alone."""

    def __init__(
        self,
        tracking: Tracking,
        files: Artifacts,
        proxied: bool,
        store: RunStore | None,
        hooks: Webhooks | None,
        user: str,
    ) -> None:
        self._tracking = tracking
        self._files = files if store is None else WithOutputs(files, store)
        self._proxied = proxied
        self._store = store
        self._hooks = hooks
        self._user = user
        self.room = Room()

    def desk(self, request: Request) -> Desk:
        view, scope = request.scope.get(VIEW), request.scope
        tracking, files = (self._tracking, self._files) if view is None else view(self._tracking, self._files)
        return Desk(
            tracking=tracking,
            artifacts=files,
            grant=_grant(request),
            link=partial(_link, request),
            address=_address(request),
            proxied=self._proxied,
            store=self._store,
            caller=scope.get(CALLER, _ANYBODY),
            users=scope.get(USERS),
            webhooks=self._hooks,
            user=self._user,
        )

    def handler(self, route: Route) -> Handler:
        async def handle(request: Request) -> Response:
            asked = await _asked(request, route, self.room)
            answer = await run_in_threadpool(again.act, route.act, self.desk(request), asked)
            return Response(msgspec.json.encode(answer), media_type=_JSON)

        return handle

    def streamed(self, act: Streamed) -> Handler:
        async def handle(request: Request) -> Response:
            return await act(self.desk(request), request)

        return handle


async def _asked(request: Request, route: Route, room: Room) -> msgspec.Struct:
    """What the request says, in its path, its query and its body."""
    in_path = request.path_params
    if request.method == "GET" and (request.scope["query_string"] or in_path):
        return from_query([*in_path.items(), *request.query_params.multi_items()], route.asked)
    async with room.body(request, limits.BODY) as sent:
        body = _grant(request).cleaned(sent)
        read = partial(from_body_and_path, body, in_path) if in_path else partial(from_body, body)
        return read(route.asked) if len(body) <= _QUICK else await run_in_threadpool(read, route.asked)


def _grant(request: Request) -> Grant:
    grant: Grant = request.scope.get(GRANT, _ALL)
    return grant


def _link(request: Request, method: str, path: str) -> str:
    """What the caller reaches a path of this server by: the name that it called, which has been looked at,
    and what lets it in."""
    signed = request.scope.get(LINK)
    way = f"{request.scope.get(PREFIX, '')}{quote(path)}" if signed is None else signed(method, path)
    return f"{_address(request)}{way}"


def _address(request: Request) -> str:
    """Where the caller reaches this server: by the name that it called, which has been looked at."""
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get(ROOT, '')}"


def _add_pages(app: Described, maker: _Maker) -> None:
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
        encoding = headers.get("content-encoding", "").lower()

        def read(body: bytes) -> dict[str, list[Span]]:
            content = unpacked(_grant(request).cleaned(body), encoding)
            return spans_by_trace(_grant(request).cleaned(content), as_json=kind == _JSON)

        further = MOST if encoding else 0
        async with maker.room.body(request, limits.BODY, further=further) as body:
            # On the loop a small body could hold up everybody: it may be much once it is unpacked.
            found = await run_in_threadpool(read, body)
        await run_in_threadpool(again.act, traces.add_spans, maker.desk(request), experiment_id, found)
        return Response(b"", media_type=_PROTOBUF)

    for path, page in (("/health", health), ("/version", version)):
        app.add(path, page, described=lambda: _described_page(_TEXT))
    app.add(
        "/v1/traces",
        spans,
        ["POST"],
        lambda: _described_page(_PROTOBUF, openapi_extra=description.spans()),
    )
    app.add(f"{_API}/{_INFO}", server_info, described=lambda: _described_page(_JSON))
    app.add(f"{_AJAX}/{_INFO}", server_info)


def _add_failures(app: Described, unexpected: Callable[[Exception], None]) -> None:
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

    async def gone(request: Request, error: Exception) -> Response:
        return answer(invalid("the client went away"))

    app.add_exception_handler(Failure, failed)
    app.add_exception_handler(MlprojError, expected)
    app.add_exception_handler(HTTPException, no_route)
    app.add_exception_handler(streams.Cut, cut)
    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(Exception, bug)
