"""What a project offers, wherever it comes from."""

from __future__ import annotations

from mlproj.model.events import Report
from mlproj.model.project import Project
from mlproj.services.request import RunRequest, Tools
from mlproj.spec import read_project


def describe(request: RunRequest, tools: Tools, report: Report) -> Project:
    """The project at the request's URI and revision, read. Raises ProjectError."""
    with tools.sources(request.uri).fetch(request.uri, request.revision, report) as checkout:
        return read_project(checkout.directory)
