"""Puts the pages into the application that serves MLflow's API, with how they fail."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mlproj.errors import MlprojError, unreachable
from mlproj.server.access import PREFIX, ROOT
from mlproj.server.described import Described
from mlproj.server.desk import Desk
from mlproj.server.failures import INTERNAL, NO_ENDPOINT, Failure, told
from mlproj.server.pages import (
    changes,
    compare,
    curves,
    experiments,
    files,
    lineage,
    output,
    registering,
    registry,
    run,
    runs,
    source,
    traces,
)
from mlproj.server.pages.assets import asset
from mlproj.server.pages.safety import (
    FILE_HEADERS,
    HEADERS,
    StrangeForm,
    check_form,
    keep_token,
    read_form,
    token_of,
)
from mlproj.server.pages.visit import Answer, GoTo, Page, Sent, Shown, Told, Verbs, Visit

PAGES: tuple[Page, ...] = (
    *experiments.PAGES,
    *runs.PAGES,
    *run.PAGES,
    *output.PAGES,
    *files.PAGES,
    *source.PAGES,
    *traces.PAGES,
    *registering.PAGES,
    *curves.PAGES,
    *compare.PAGES,
    *lineage.PAGES,
    *registry.PAGES,
    *changes.PAGES,
)

Handler = Callable[[Request], Awaitable[Response]]
DeskOf = Callable[[Request], Desk]

_OF_PROGRAMS = ("/api/", "/ajax-api/", "/v1/", "/static/")


def add(app: Described, verbs: Verbs) -> None:
    """Has an application of `create_app` show pages as well, from `/` on."""
    desk_of: DeskOf = app.state.desk
    for page in PAGES:
        app.add(page.path, _handler(page, desk_of, verbs), [page.method])
    app.add("/static/{digest}/{name}", asset)
    _add_failures(app, desk_of, verbs)


def _handler(page: Page, desk_of: DeskOf, verbs: Verbs) -> Handler:
    async def handle(request: Request) -> Response:
        visit = _visit(request, desk_of, verbs)
        try:
            if page.method == "POST":
                form = await read_form(request)
                check_form(request, form)
                visit = msgspec.structs.replace(visit, form=form)
            return await run_in_threadpool(lambda: _response(request, visit, page.act(visit)))
        except MlprojError as error:
            return _failed(request, visit, told(error))
        except Failure as failure:
            return _failed(request, visit, failure)
        except Exception as error:
            # Whoever is to hear of bugs hears of this one, and the person sees a page.
            await _answered(request.app.exception_handlers[Exception], request, error)
            return _failed(request, visit, Failure(INTERNAL, f"internal error: {type(error).__name__}"))

    return handle


def _visit(request: Request, desk_of: DeskOf, verbs: Verbs) -> Visit:
    return Visit(
        desk=desk_of(request),
        verbs=verbs,
        here=f"{request.scope.get(ROOT, '')}{request.scope.get(PREFIX, '')}",
        token=token_of(request),
        path=request.path_params,
        query=request.query_params.multi_items(),
    )


def _response(request: Request, visit: Visit, answer: Answer) -> Response:
    response: Response
    match answer:
        case Shown():
            # Loaded for the first page: a server whose clients are programs has no use for templates.
            text = importlib.import_module("mlproj.server.pages.rendering").rendered(answer, visit)
            response = Response(text, answer.status, media_type="text/html; charset=utf-8", headers=HEADERS)
            # What stands there is for this caller, and may be another in a moment.
            response.headers["cache-control"] = "no-store"
        case GoTo(path=path):
            response = Response(status_code=303, headers={**HEADERS, "location": f"{visit.here}{path}"})
        case Told(value=value):
            response = Response(msgspec.json.encode(value), media_type="application/json", headers=HEADERS)
            response.headers["cache-control"] = "no-store"
        case Sent():
            response = _file(answer)
        case _:
            unreachable(answer)
    keep_token(request, response, visit.token)
    return response


def _file(sent: Sent) -> Response:
    headers = {
        **FILE_HEADERS,
        "content-disposition": f"attachment; filename*=UTF-8''{quote(sent.name)}",
        "cache-control": "private, no-cache",
    }
    if sent.size is not None:
        headers["content-length"] = str(sent.size)
    return StreamingResponse(sent.pieces, headers=headers, media_type=sent.media_type)


def _failed(request: Request, visit: Visit, failure: Failure) -> Response:
    values = {
        "status": failure.status,
        "message": failure.message,
        "path": request.url.path,
        "back": changes.way_back(visit.form),
        "strange": isinstance(failure, StrangeForm),
    }
    return _response(request, visit, Shown(template="failed.html", values=values, status=failure.status))


async def _answered(handler: Any, request: Request, error: Exception) -> Response:
    """What a handler of Starlette's makes of an error: it may be a coroutine, or not."""
    answer: Response | Awaitable[Response] = handler(request, error)
    return await answer if isinstance(answer, Awaitable) else answer


def _add_failures(app: Described, desk_of: DeskOf, verbs: Verbs) -> None:
    """A person who asks for what is not there sees a page; programs have the answer that they had."""
    before = app.exception_handlers[HTTPException]

    async def no_page(request: Request, error: Exception) -> Response:
        path: str = request.scope["path"]
        if "text/html" in request.headers.get("accept", "") and not path.startswith(_OF_PROGRAMS):
            failure = Failure(NO_ENDPOINT, f"there is no page `{path[:200]}`")
            visit = _visit(request, desk_of, verbs)
            return await run_in_threadpool(partial(_failed, request, visit, failure))
        return await _answered(before, request, error)

    app.add_exception_handler(HTTPException, no_page)
