"""An application of routes that describes itself, in OpenAPI's terms, once somebody asks.

FastAPI writes the description. Served by it, too, every route would be slower, and every start of a server by
the third of a second that it takes to load; what it adds to Starlette besides, no route of ours uses.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Handler = Callable[[Request], Awaitable[Response]]


class Described(Starlette):
    """Routes are added with what FastAPI takes to describe them. `/openapi.json` tells all of it."""

    def __init__(self, title: str, version: str) -> None:
        super().__init__()
        self._about = {"title": title, "version": version}
        self._schemas: list[Callable[[], dict[str, Any]]] = []
        self._told: list[tuple[str, Handler, Callable[[], dict[str, Any]]]] = []
        self._document: dict[str, Any] | None = None
        self.routes.append(Route("/openapi.json", self._answer, include_in_schema=False))

    def add(
        self,
        path: str,
        handler: Handler,
        methods: Sequence[str] = ("GET",),
        described: Callable[[], dict[str, Any]] | None = None,
    ) -> None:
        """Adds a route; without `described`, which is called at most once, it is in no description."""
        route = Route(path, handler, methods=methods)
        # Starlette has every GET answer HEAD as well.
        route.methods = {*methods}
        self.routes.append(route)
        if described is not None:
            self._told.append((path, handler, lambda: {"methods": methods, **described()}))

    def add_schemas(self, schemas: Callable[[], dict[str, Any]]) -> None:
        """Adds what descriptions refer to; called when the description is made."""
        self._schemas.append(schemas)

    def openapi(self) -> dict[str, Any]:
        """The description."""
        if self._document is None:
            app: Any = importlib.import_module("fastapi").FastAPI(**self._about)
            for path, handler, described in self._told:
                app.add_api_route(path, handler, **described())
            document: dict[str, Any] = app.openapi()
            referred_to = document.setdefault("components", {}).setdefault("schemas", {})
            for schemas in self._schemas:
                referred_to.update(schemas())
            self._document = document
        return self._document

    async def _answer(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self.openapi))
