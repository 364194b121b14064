"""What is in artifact folders. Bytes go up and down in `streams`."""

from __future__ import annotations

from mlproj.server import places
from mlproj.server.desk import Desk
from mlproj.server.failures import invalid
from mlproj.server.route import Route, get, post
from mlproj.server.routes.runs import run_of
from mlproj.server.routes.uploads import PROXY
from mlproj.server.wire.artifacts import ListArtifacts, ListProxied, PresignedUrl
from mlproj.server.wire.models import Files
from mlproj.server.wire.values import Empty, FileInfo


def list_of_run(desk: Desk, asked: ListArtifacts) -> Files:
    run = desk.addressed(desk.tracking.runs.get(run_of(asked)))
    place = places.Place(kind="runs", name=run.run_id, path=asked.path or "")
    return Files(root_uri=run.artifact_uri, files=files_below(desk, place))


def list_proxied(desk: Desk, asked: ListProxied) -> Files:
    """Paths here are below the folder that is asked for."""
    place = places.place(asked.path)
    below = f"{place.path}/" if place.path else ""
    told = (
        FileInfo(path=each.path.removeprefix(below), is_dir=each.is_dir, file_size=each.file_size)
        for each in files_below(desk, place)
    )
    return Files(files=tuple(told))


def no_presigned(desk: Desk, asked: PresignedUrl) -> Empty:
    raise invalid("Presigned URLs are not supported: artifacts are not in a cloud's storage.")


def files_below(desk: Desk, place: places.Place) -> tuple[FileInfo, ...]:
    """The files and folders right in a folder, with their paths as seen from the run or model."""
    root = f"{places.Place(kind=place.kind, name=place.name).stored}/"
    return tuple(
        FileInfo(path=path.removeprefix(root), is_dir=is_folder, file_size=None if is_folder else size)
        for path, is_folder, size in desk.artifacts.list(place.stored)
    )


ROUTES: tuple[Route, ...] = (
    get("artifacts/list", ListArtifacts, Files, list_of_run),
    post("artifacts/presigned-upload-url", PresignedUrl, Empty, no_presigned),
    post("artifacts/presigned-download-url", PresignedUrl, Empty, no_presigned),
    get("artifacts", ListProxied, Files, list_proxied, below=PROXY),
)
