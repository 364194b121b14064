"""Artifacts on the wire, as far as JSON speaks of them."""

from __future__ import annotations

from mlproj.server.wire.runs import RunRequest
from mlproj.server.wire.values import Request


class ListArtifacts(RunRequest, frozen=True, kw_only=True):
    path: str | None = None
    page_token: str | None = None


class ListProxied(Request, frozen=True, kw_only=True):
    path: str = ""


class PresignedUrl(Request, frozen=True, kw_only=True):
    run_id: str | None = None
    model_id: str | None = None
    path: str | None = None
