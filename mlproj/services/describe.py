"""What a project offers and what is wrong with it, wherever it comes from."""

from __future__ import annotations

import msgspec

from mlproj.errors import SpecError
from mlproj.model.events import Report
from mlproj.model.project import Finding, Project
from mlproj.services.check import check
from mlproj.services.request import RunRequest, Tools
from mlproj.spec import read_project


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """A project as far as it could be read, None where its MLproject cannot be, and what was found."""

    project: Project | None
    findings: tuple[Finding, ...]


def describe(request: RunRequest, tools: Tools, report: Report) -> Project:
    """The project at the request's URI and revision, read. Raises ProjectError."""
    with tools.sources(request.uri).fetch(request.uri, request.revision, report) as checkout:
        return read_project(checkout.directory)


def examine(uri: str, revision: str | None, tools: Tools, report: Report) -> Examined:
    """The project at `uri` with everything about its files that a person should know.

    Raises SourceError where it cannot be fetched; what an author wrote raises nothing.
    """
    with tools.sources(uri).fetch(uri, revision, report) as checkout:
        findings = check(checkout.directory)
        try:
            return Examined(project=read_project(checkout.directory), findings=findings)
        except SpecError:
            return Examined(project=None, findings=findings)
