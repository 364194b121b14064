"""Artifacts that go up in parts, and down in parts: what clients ask before the bytes, and after them."""

from __future__ import annotations

import posixpath

from mlproj.server import limits, places
from mlproj.server.desk import Desk
from mlproj.server.failures import invalid
from mlproj.server.route import Route, get, post
from mlproj.server.wire.artifacts import (
    AbortUpload,
    CompleteUpload,
    CreateUpload,
    DownloadAddress,
    PartCredential,
    ProxiedFile,
    UploadCreated,
    UploadRequest,
)
from mlproj.server.wire.values import Empty

PROXY = "2.0/mlflow-artifacts"
PART = f"{PROXY}/mpu/part/{{upload_id}}/{{part_number}}/{{artifact_path:path}}"


def create(desk: Desk, asked: CreateUpload) -> UploadCreated:
    """Every part has an address of this server's own."""
    place = _place(desk, asked)
    if asked.num_parts > limits.PARTS_OF_UPLOAD:
        # Clients look for the beginning of this sentence, and send the file in one piece then.
        raise invalid(
            "Multipart upload is not supported for the current artifact repository with more than "
            f"{limits.PARTS_OF_UPLOAD} parts"
        )
    upload = desk.artifacts.uploads.begin(place.stored, asked.num_parts)
    below, path = f"/api/{PROXY}/mpu/part/{upload}", _path(asked)
    credentials = (
        PartCredential(url=desk.link("PUT", f"{below}/{each}/{path}"), part_number=each)
        for each in range(1, asked.num_parts + 1)
    )
    return UploadCreated(upload_id=upload, credentials=tuple(credentials))


def complete(desk: Desk, asked: CompleteUpload) -> Empty:
    parts = [(part.part_number, part.etag.strip('"')) for part in asked.parts]
    desk.artifacts.uploads.complete(_place(desk, asked).stored, asked.upload_id, parts)
    return Empty()


def abort(desk: Desk, asked: AbortUpload) -> Empty:
    desk.artifacts.uploads.abort(_place(desk, asked).stored, asked.upload_id)
    return Empty()


def download(desk: Desk, asked: ProxiedFile) -> DownloadAddress:
    """The file's own address, of which any range can be asked for."""
    size = desk.artifacts.size(places.place(asked.artifact_path).stored)
    url = desk.link("GET", f"/api/{PROXY}/artifacts/{asked.artifact_path}")
    return DownloadAddress(url=url, headers={}, file_size=size)


def _place(desk: Desk, asked: UploadRequest) -> places.Place:
    return desk.writable(places.place(_path(asked)))


def _path(asked: UploadRequest) -> str:
    name = posixpath.basename(asked.path)
    if not name:
        raise invalid("Invalid path")
    return f"{asked.artifact_path.rstrip('/')}/{name}"


ROUTES: tuple[Route, ...] = (
    post("mpu/create/{artifact_path:path}", CreateUpload, UploadCreated, create, below=PROXY),
    post("mpu/complete/{artifact_path:path}", CompleteUpload, Empty, complete, below=PROXY),
    post("mpu/abort/{artifact_path:path}", AbortUpload, Empty, abort, below=PROXY),
    get("presigned/{artifact_path:path}", ProxiedFile, DownloadAddress, download, below=PROXY),
)
