"""The routes of whole runs, added to an application: documents as values, contents in streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mlproj.model.digest import Digest
from mlproj.packing import packed, unpack
from mlproj.server import description
from mlproj.server.bodies import Room
from mlproj.server.described import Described
from mlproj.server.desk import Desk
from mlproj.server.failures import invalid
from mlproj.server.routes.store import ROUTES, StoreRoute
from mlproj.server.routes.store_uploads import add
from mlproj.server.store_view import View
from mlproj.server.streams import arriving, part_number, written
from mlproj.server.wire.store import JSON, answer_of, read_question, stated
from mlproj.store_wire import BELOW, FETCH, MESSAGEPACK, PART, SEND, Blobs, Question, schema_of

_LARGEST = 256 * 1024 * 1024
"""Bytes of a document: the largest records are of some tens of megabytes."""
_BYTES = "application/octet-stream"
_NAMES = "Store{name}"
"""What the parts of the description are called, so that none is taken for one of MLflow's."""
_REFERENCE = f"#/components/schemas/{_NAMES}"
_FETCH = Question(FETCH, Blobs, None)

MakeDesk = Callable[[Request], Desk]


def add_store_routes(app: Described, desk: MakeDesk, room: Room) -> None:
    """Adds them, with what describes them; documents take of the `room`."""
    app.add_schemas(_schemas)
    for route in ROUTES:
        _add(app, route.question, _handler(route, desk, room))
    _add(app, _FETCH, _fetching(desk, room))
    path = f"{BELOW}/{SEND}"
    app.add(f"/api/{path}", _sending(desk), ["PUT"], partial(_described_sending, path))
    part = f"{BELOW}/{PART}"
    app.add(f"/api/{part}", _adding(desk), ["PUT"], partial(_described_sending, part))


def _schemas() -> dict[str, Any]:
    """What the descriptions refer to."""
    kinds = sorted({route.question.asked for route in ROUTES} | {Blobs}, key=lambda kind: kind.__name__)
    _, found = msgspec.json.schema_components(kinds, schema_hook=schema_of, ref_template=_REFERENCE)
    return {_NAMES.format(name=name): schema for name, schema in found.items()}


def _add(app: Described, question: Question, handle: Callable[[Request], Any]) -> None:
    app.add(f"/api/{question.path}", handle, ["POST"], partial(_described, question))


def _described(question: Question) -> dict[str, Any]:
    schema = {"$ref": _REFERENCE.format(name=question.asked.__name__)}
    return {
        "responses": description.answers(JSON),
        "response_class": Response,
        "summary": question.path,
        "openapi_extra": {
            "operationId": f"post_{question.path}",
            "requestBody": {
                "required": True,
                "content": {JSON: {"schema": schema}, MESSAGEPACK: {"schema": {}}},
            },
        },
    }


def _described_sending(path: str) -> dict[str, Any]:
    return {
        "responses": description.answers(MESSAGEPACK),
        "response_class": Response,
        "summary": path,
        "openapi_extra": description.streamed("PUT", path),
    }


def _handler(route: StoreRoute, make_desk: MakeDesk, room: Room) -> Callable[[Request], Any]:
    async def handle(request: Request) -> Response:
        kind = _kind(request)
        async with room.body(request, _LARGEST) as body:
            content = await run_in_threadpool(_answer, route, make_desk(request), body, kind)
        return Response(content, media_type=kind)

    return handle


def _answer(route: StoreRoute, desk: Desk, body: bytes, kind: str) -> bytes:
    with _told(desk):
        asked = read_question(body, route.question, kind)
        try:
            return answer_of(route.act(View(desk), asked), kind)
        except OverflowError as error:
            raise invalid(f"a number is out of range: {error}") from error


def _fetching(make_desk: MakeDesk, room: Room) -> Callable[[Request], Any]:
    """Contents that a run names which the caller may read. Of others nothing comes."""

    async def handle(request: Request) -> Response:
        async with room.body(request, _LARGEST) as body:
            pieces = await run_in_threadpool(_pieces, make_desk(request), body, _kind(request))
        return StreamingResponse(pieces, media_type=_BYTES)

    return handle


def _pieces(desk: Desk, body: bytes, kind: str) -> Iterator[bytes]:
    with _told(desk):
        asked = read_question(body, _FETCH, kind)
        assert isinstance(asked, Blobs)
        view = View(desk)
        blobs = view.store.blobs
        known = view.knows(asked.digests, asked.runs)
        there = [digest for digest in dict.fromkeys(asked.digests) if digest in known and digest in blobs]
        return packed(blobs, there)


def _sending(make_desk: MakeDesk) -> Callable[[Request], Any]:
    async def handle(request: Request) -> Response:
        desk = make_desk(request)
        came = await written(desk, request, partial(_receive, desk, arriving(request)))
        return Response(answer_of(len(came), MESSAGEPACK), media_type=MESSAGEPACK)

    return handle


def _receive(desk: Desk, pieces: Iterator[bytes]) -> tuple[Digest, ...]:
    with _told(desk):
        view = View(desk)
        view.send()
        try:
            came = unpack(pieces, view.store.blobs, view.store.root / "uploads")
        except ValueError as error:
            raise invalid(f"what was sent cannot be kept: {error}") from error
        view.note_sent(came)
        return came


def _adding(make_desk: MakeDesk) -> Callable[[Request], Any]:
    """A part of a content that is too large for one request."""

    async def handle(request: Request) -> Response:
        desk = make_desk(request)
        tag = await written(desk, request, partial(_add_part, desk, request.path_params, arriving(request)))
        return Response(answer_of(tag, MESSAGEPACK), media_type=MESSAGEPACK)

    return handle


def _add_part(desk: Desk, told: Mapping[str, str], pieces: Iterator[bytes]) -> str:
    with _told(desk):
        return add(View(desk), told["digest"], told["upload"], part_number(told["number"]), pieces)


def _told(desk: Desk) -> Any:
    return stated("" if desk.store is None else str(desk.store.root), desk.address)


def _kind(request: Request) -> str:
    asked = request.headers.get("content-type", "").partition(";")[0].strip()
    return MESSAGEPACK if asked == MESSAGEPACK else JSON
