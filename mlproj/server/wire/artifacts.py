"""Artifacts on the wire, as far as JSON speaks of them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from mlproj.server.wire.runs import RunRequest
from mlproj.server.wire.values import Answer, Int32, Named, Request


class ListArtifacts(RunRequest, frozen=True, kw_only=True):
    path: str | None = None
    page_token: str | None = None


class ListProxied(Request, frozen=True, kw_only=True):
    path: str = ""


class PresignedUrl(Request, frozen=True, kw_only=True):
    run_id: str | None = None
    model_id: str | None = None
    path: str | None = None


class ProxiedFile(Request, frozen=True, kw_only=True):
    artifact_path: str


class UploadRequest(Request, frozen=True, kw_only=True):
    """`artifact_path` is the folder; the file's name is the last part of `path`, which is of the client."""

    artifact_path: str
    path: Named


class CreateUpload(UploadRequest, frozen=True, kw_only=True):
    num_parts: Annotated[int, Meta(ge=1, le=2**31 - 1)] = 1


class UploadedPart(Request, frozen=True, kw_only=True):
    part_number: Int32
    etag: Named


class CompleteUpload(UploadRequest, frozen=True, kw_only=True):
    upload_id: Named
    parts: Annotated[tuple[UploadedPart, ...], Meta(min_length=1)]


class AbortUpload(UploadRequest, frozen=True, kw_only=True):
    upload_id: Named


class PartCredential(Answer, frozen=True, kw_only=True):
    """Where a part goes."""

    url: str
    part_number: int


class UploadCreated(Answer, frozen=True, kw_only=True):
    upload_id: str
    credentials: tuple[PartCredential, ...]


class DownloadAddress(Answer, frozen=True, kw_only=True):
    """Where a file is read from, by parts if wanted."""

    url: str
    headers: dict[str, str]
    file_size: int
