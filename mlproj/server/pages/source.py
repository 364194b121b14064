"""The source of a run as it ran, file by file, and the lock of its environment."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from mlproj.errors import Altered, NotFound
from mlproj.model.digest import Digest, read_manifest, readable
from mlproj.model.run import Job
from mlproj.server.held import HeldBlobs
from mlproj.server.pages.files import preview_of
from mlproj.server.pages.previews import LARGEST, Preview
from mlproj.server.pages.visit import Answer, Page, Shown, Visit
from mlproj.store_ports import ReadableBlobs

_MOST = 5000
"""So many files are listed."""


def show_files(visit: Visit) -> Answer:
    """Which files there were; those that made it another state than its commit are marked."""
    job, blobs, values = _job(visit)
    files = _files(blobs, job)
    values |= {
        "source": job.source,
        "files": [(path, f"{mode:o}", digest, digest in blobs) for path, mode, digest in files[:_MOST]],
        "count": len(files),
        "changed": frozenset(job.source.changes),
    }
    return Shown(template="source.html", values=values)


def show_file(visit: Visit) -> Answer:
    job, blobs, values = _job(visit)
    wanted = visit.path["path"]
    for path, _, digest in _files(blobs, job):
        if path == wanted:
            shown, size = _look(blobs, digest, path)
            values |= {"path": path, "size": size, "digest": digest, "shown": shown, "raw": None}
            values |= {"parents": [("source", f"{values['page']}/source")]}
            return Shown(template="file.html", values=values)
    raise NotFound(f"there was no file `{wanted[:200]}` in the source of this run")


def show_lock(visit: Visit) -> Answer:
    """The packages of the environment, and the file that locked them."""
    job, blobs, values = _job(visit)
    environment = job.environment
    if environment.lock_file is None or environment.lock_file not in blobs:
        raise NotFound(
            "no lock file of this run's environment was kept", hint="its digest is on the run's page"
        )
    content = blobs.path(environment.lock_file).read_bytes()
    # It takes as long to load as everything else of the pages, for one of them.
    locks = importlib.import_module("mlproj.spec.locks")
    try:
        packages = locks.packages_in(content, environment.lock_format)
    except locks.Unreadable:
        packages = ()
    text = content[:LARGEST].decode(errors="replace")
    values |= {"environment": environment, "packages": packages, "text": text, "cut": len(content) > LARGEST}
    return Shown(template="lock.html", values=values)


def _job(visit: Visit) -> tuple[Job, ReadableBlobs, dict[str, object]]:
    record = visit.record(visit.path["run_id"])
    if record is None or record.job is None or visit.desk.store is None:
        raise NotFound("this run was not started by mlproj: nothing is known of its source")
    values: dict[str, object] = {"title": record.name, "page": f"/runs/{record.run_id}"}
    return record.job, HeldBlobs(visit.desk.store.blobs, record), values


def _files(blobs: ReadableBlobs, job: Job) -> Sequence[tuple[str, int, Digest]]:
    snapshot = job.source.snapshot
    if snapshot not in blobs:
        raise NotFound("the list of this run's source files is not in the store any more")
    try:
        listed = read_manifest(blobs.path(snapshot).read_bytes())
    except ValueError as error:
        raise Altered("the list of this run's source files is not what was recorded") from error
    return [(readable(path), mode, digest) for path, mode, digest in listed]


def _look(blobs: ReadableBlobs, digest: Digest, path: str) -> tuple[Preview, int]:
    if digest not in blobs:
        raise NotFound(f"the content of `{path}` was not kept: the snapshot names it by its digest alone")
    shown, size = preview_of(blobs.path(digest), path)
    # A picture among the source has no address of its own.
    return (Preview(kind="none") if shown.kind == "image" else shown), size


PAGES = (
    Page(path="/runs/{run_id}/source", act=show_files),
    Page(path="/runs/{run_id}/source/{path:path}", act=show_file),
    Page(path="/runs/{run_id}/lock", act=show_lock),
)
