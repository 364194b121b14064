"""Fetches what a person named, for the length of whatever is done with it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mlproj.model.events import Ended, Report, Started
from mlproj.model.source import Checkout
from mlproj.services.request import RunRequest, Tools


@contextlib.contextmanager
def fetched(request: RunRequest, tools: Tools, report: Report) -> Iterator[Checkout]:
    """The working tree of the request's source. Raises SourceError."""
    report(Started(stage="fetch", detail=request.uri))
    with tools.sources(request.uri).fetch(request.uri, request.revision, report) as checkout:
        report(Ended(stage="fetch"))
        yield checkout
