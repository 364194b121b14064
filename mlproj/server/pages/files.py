"""The files of a run, of a logged model, and what the record holds of outputs: listed, looked at, taken."""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from mlproj.errors import NotFound, UsageError
from mlproj.model.digest import Digest
from mlproj.model.run import ARTIFACTS, Run
from mlproj.server import places
from mlproj.server.outputs import output_digest, pieces_of
from mlproj.server.pages.model_files import model_card
from mlproj.server.pages.previews import LARGEST, Preview, media_type, preview
from mlproj.server.pages.visit import Answer, Page, Sent, Shown, Visit


class Root(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of files that belongs to something: what it is called, its page, and where it lies."""

    title: str
    page: str
    address: str
    place: places.Place
    of: str


def show_of_run(visit: Visit) -> Answer:
    return _show(visit, _of_run(visit))


def send_of_run(visit: Visit) -> Answer:
    return _send(visit, _of_run(visit))


def show_of_model(visit: Visit) -> Answer:
    return _show(visit, _of_model(visit))


def send_of_model(visit: Visit) -> Answer:
    return _send(visit, _of_model(visit))


def show_output(visit: Visit) -> Answer:
    """An output as the record has it, or a file in one."""
    run, path, digest, found = _output(visit)
    shown, size = preview_of(found, path)
    values: dict[str, object] = {
        "title": run.name,
        "page": f"/runs/{run.run_id}",
        "path": path,
        "parents": (),
    }
    values |= {"size": size, "digest": digest, "shown": shown, "raw": f"/runs/{run.run_id}/output-raw"}
    return Shown(template="file.html", values=values)


def send_output(visit: Visit) -> Answer:
    _, path, _, found = _output(visit)
    name = posixpath.basename(path)
    return Sent(pieces=pieces_of(found), name=name, media_type=media_type(name), size=found.stat().st_size)


def listed(visit: Visit, place: places.Place) -> Sequence[tuple[str, bool, int]]:
    """What lies in a folder of files, by the names in it."""
    below = visit.desk.artifacts.list(place.stored)
    return [(posixpath.basename(path), is_folder, size) for path, is_folder, size in below]


def is_file(visit: Visit, place: places.Place) -> bool:
    try:
        visit.desk.artifacts.size(place.stored)
    except (NotFound, UsageError):
        return False
    return True


def preview_of(found: Path, name: str) -> tuple[Preview, int]:
    """The look of a file of the store, and its size."""
    size = found.stat().st_size
    with found.open("rb") as file:
        return preview(name, file.read(LARGEST), cut=size > LARGEST), size


def _output(visit: Visit) -> tuple[Run, str, Digest, Path]:
    """The run, the output's path, its content and where that lies. Raises NotFound."""
    run, path = visit.record(visit.path["run_id"]), visit.path["path"]
    if run is None or visit.desk.store is None:
        raise NotFound(f"this server holds no record of the run, and no output `{path}` of it")
    blobs = visit.desk.store.blobs
    digest = output_digest(run, blobs, path)
    if digest not in blobs:
        raise NotFound(f"the content of `{path}` is not in the store any more")
    return run, path, digest, blobs.path(digest)


def _of_run(visit: Visit) -> Root:
    run = visit.run(visit.path["run_id"])
    return Root(
        title=run.name,
        page=f"/runs/{run.run_id}",
        address=f"/runs/{run.run_id}/",
        place=places.Place(kind="runs", name=run.run_id, path=visit.path["path"].strip("/")),
        of="run",
    )


def _of_model(visit: Visit) -> Root:
    model = visit.desk.tracking.models.get(visit.path["model_id"])
    return Root(
        title=model.name,
        page=f"/logged-models/{model.model_id}",
        address=f"/logged-models/{model.model_id}/",
        place=places.Place(kind="models", name=model.model_id, path=visit.path["path"].strip("/")),
        of="model",
    )


def _show(visit: Visit, root: Root) -> Answer:
    path = root.place.path
    values: dict[str, object] = {"title": root.title, "page": root.page, "path": path}
    values |= {"parents": _parents(root, path), "raw": f"{root.address}raw"}
    try:
        size = visit.desk.artifacts.size(root.place.stored)
    except NotFound:
        found = listed(visit, root.place)
        if not found:
            raise NotFound(f"there is no file `{path}` of the {root.of} `{root.title}`") from None
        values |= {"files": found, "address": f"{root.address}files"}
        values |= {"card": model_card(visit, root.place.stored)}
        return Shown(template="folder.html", values=values)
    beginning = b"".join(visit.desk.artifacts.read(root.place.stored, 0, LARGEST))
    recorded = _digest(visit, root)
    altered = recorded is not None and size <= LARGEST and Digest.of(beginning) != recorded
    values |= {
        "size": size,
        "digest": None if altered else recorded,
        "altered": altered,
        "shown": preview(path, beginning, cut=size > LARGEST),
    }
    return Shown(template="file.html", values=values)


def _digest(visit: Visit, root: Root) -> Digest | None:
    """What the record says of a file of a run."""
    record = visit.record(root.place.name) if root.place.kind == "runs" else None
    if record is None or visit.desk.store is None:
        return None
    for path in (f"{ARTIFACTS}{root.place.path}", root.place.path):
        with contextlib.suppress(NotFound):
            return output_digest(record, visit.desk.store.blobs, path)
    return None


def _parents(root: Root, path: str) -> Sequence[tuple[str, str]]:
    """The folders that something lies in, with their addresses."""
    parts = path.split("/")[:-1]
    return [(part, f"{root.address}files/{'/'.join(parts[: at + 1])}") for at, part in enumerate(parts)]


def _send(visit: Visit, root: Root) -> Answer:
    stored, name = root.place.stored, posixpath.basename(root.place.path)
    size = visit.desk.artifacts.size(stored)
    pieces = visit.desk.artifacts.read(stored)
    return Sent(pieces=pieces, name=name, media_type=media_type(name), size=size)


def _pages(prefix: str, show: Callable[[Visit], Answer], send: Callable[[Visit], Answer]) -> tuple[Page, ...]:
    return (
        Page(path=f"{prefix}/files/{{path:path}}", act=show),
        Page(path=f"{prefix}/raw/{{path:path}}", act=send),
    )


PAGES = (
    *_pages("/runs/{run_id}", show_of_run, send_of_run),
    *_pages("/logged-models/{model_id}", show_of_model, send_of_model),
    Page(path="/runs/{run_id}/output/{path:path}", act=show_output),
    Page(path="/runs/{run_id}/output-raw/{path:path}", act=send_output),
)
