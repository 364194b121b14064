"""What runs left beside the files that were logged to them: at its own path, below the run's artifacts too.

MLflow's clients know of artifacts alone: `runs:/<id>/model.joblib` is, to them, that file below the artifacts
of the run. What a project declares to be an output has its address so, where nothing was logged under it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mlproj.artifact_ports import Artifacts, Uploads
from mlproj.errors import Altered, NotFound, RunNotFound, UsageError
from mlproj.model.arrivals import is_address
from mlproj.model.digest import Digest, find_in_manifest, read_manifest, readable
from mlproj.model.run import ARTIFACTS, MODELS, Output, Run
from mlproj.server.held import lost_of
from mlproj.store_ports import ReadableBlobs, RunStore

_PIECE = 1024 * 1024


def outputs_of(run: Run | None) -> tuple[Output, ...]:
    """What the record of a run has beside what was logged to it."""
    outputs = () if run is None or run.outcome is None else run.outcome.outputs
    return tuple(each for each in outputs if not each.path.startswith((ARTIFACTS, MODELS)))


def output_digest(run: Run, blobs: ReadableBlobs, path: str) -> Digest:
    """The content of an output, or of a file in a folder that is one, as far as the record holds it and does
    not only name it. Raises NotFound."""
    for output, held in _held(run):
        if output.path == path and output.kind != "folder":
            return held
        if output.kind == "folder" and path.startswith(f"{output.path}/"):
            found = _inside(held, blobs, path.removeprefix(f"{output.path}/"))
            if found is not None and found not in lost_of(run):
                return found
    raise NotFound(f"run `{run.name}` left no file `{path}`")


def _held(run: Run) -> Iterator[tuple[Output, Digest]]:
    """The outputs whose content a record holds."""
    lost = lost_of(run)
    for output in () if run.outcome is None else run.outcome.outputs:
        if output.digest is not None and output.state == "written" and output.digest not in lost:
            yield output, output.digest


def _inside(manifest: Digest, blobs: ReadableBlobs, path: str) -> Digest | None:
    if manifest not in blobs:
        return None
    with contextlib.suppress(ValueError):
        content = blobs.path(manifest).read_bytes()
        found = find_in_manifest(content, path.encode(errors="surrogateescape"))
        if found is not None or "\\x" not in path:
            return found
    # A name that is no text is addressed in another spelling.
    return next((digest for name, digest in _listed(manifest, blobs) if name == path), None)


def _listed(manifest: Digest, blobs: ReadableBlobs) -> Iterator[tuple[str, Digest]]:
    """The files in a folder; none where its list is not to be had."""
    if manifest in blobs:
        with contextlib.suppress(ValueError):
            for name, _, digest in read_manifest(blobs.path(manifest).read_bytes()):
                yield readable(name), digest


def pieces_of(file: Path, first: int = 0, count: int | None = None) -> Iterator[bytes]:
    """What is in a file from its byte `first` on, to its end where no `count` is asked for."""
    with file.open("rb") as content:
        content.seek(first)
        left = count
        while piece := content.read(_PIECE if left is None else min(_PIECE, left)):
            yield piece
            if left is not None:
                left -= len(piece)


class WithOutputs:
    """The `Artifacts` of a store that holds whole runs."""

    def __init__(self, logged: Artifacts, store: RunStore) -> None:
        self._logged = logged
        self._store = store

    @property
    def uploads(self) -> Uploads:
        return _WithoutSettled(self._logged.uploads, self._refuse_settled)

    def list(self, path: str) -> Sequence[tuple[str, bool, int]]:
        logged = self._logged.list(path)
        names = {name for name, _, _ in logged}
        return sorted((*logged, *(each for each in self._beside(path) if each[0] not in names)))

    def read(self, path: str, first: int = 0, count: int | None = None) -> Iterator[bytes]:
        try:
            return self._logged.read(path, first, count)
        except NotFound:
            return pieces_of(self._file(path), first, count)

    def size(self, path: str) -> int:
        try:
            return self._logged.size(path)
        except NotFound:
            return self._file(path).stat().st_size

    def write(self, path: str, pieces: Iterator[bytes]) -> None:
        self._refuse_settled(path)
        self._logged.write(path, pieces)

    def delete(self, path: str) -> None:
        self._refuse_settled(path)
        self._logged.delete(path)

    def reach(self) -> None:
        self._logged.reach()

    def _refuse_settled(self, path: str) -> None:
        why = self._store.reception.why_settled(path)
        if why is not None:
            raise UsageError(why, hint="log it under another name, or to a run of its own")

    def _file(self, path: str) -> Path:
        """Where the content of an output lies. Raises NotFound for what is none."""
        run, wanted = self._run_of(path)
        missing = NotFound(f"No such artifact: '{path}'")
        if run is None or wanted.startswith((ARTIFACTS, MODELS)):
            raise missing
        try:
            digest = output_digest(run, self._store.blobs, wanted)
        except NotFound as error:
            raise missing from error
        if digest not in self._store.blobs:
            raise missing
        return self._store.blobs.path(digest)

    def _beside(self, path: str) -> Iterator[tuple[str, bool, int]]:
        """What of the outputs lies right in a folder."""
        run, folder = self._run_of(path)
        below = f"{folder}/" if folder else ""
        files: dict[str, Digest] = {}
        folders: set[str] = set()
        for name, digest in self._near(run, folder):
            if not is_address(name):
                continue
            first, inside, _ = name.removeprefix(below).partition("/")
            if inside or digest is None:
                folders.add(first)
            else:
                files.setdefault(first, digest)
        sizes = self._store.blobs.sizes(list(files.values()))
        for name, digest in files.items():
            if digest in sizes and name not in folders:
                yield f"{path}/{name}", False, sizes[digest]
        yield from ((f"{path}/{name}", True, 0) for name in folders)

    def _near(self, run: Run | None, folder: str) -> Iterator[tuple[str, Digest | None]]:
        """The paths of outputs below a folder, with their contents, None for one that is a folder itself; of
        one that the folder is, or lies in, the files."""
        if run is None:
            return
        lost = lost_of(run)
        for output, held in _held(run):
            if output.path.startswith((ARTIFACTS, MODELS)):
                continue
            if output.kind != "folder" or not f"{folder}/".startswith(f"{output.path}/"):
                if output.path.startswith(f"{folder}/" if folder else ""):
                    yield output.path, None if output.kind == "folder" else held
                continue
            for name, digest in _listed(held, self._store.blobs):
                path = f"{output.path}/{name}"
                if path.startswith(f"{folder}/") and digest not in lost:
                    yield path, digest

    def _run_of(self, path: str) -> tuple[Run | None, str]:
        """The run that an artifact's path is of, and the rest of it; None where no record tells of it."""
        kind, _, rest = path.partition("/")
        run_id, _, rest = rest.partition("/")
        if kind != "runs" or rest.partition("/")[0] != "artifacts":
            return None, ""
        with contextlib.suppress(RunNotFound, Altered):
            run = self._store.find(run_id)
            if run.run_id == run_id:
                return run, rest.partition("/")[2]
        return None, ""


class _WithoutSettled:
    """The `Uploads` of such a store."""

    def __init__(self, inner: Uploads, refuse: Callable[[str], None]) -> None:
        self._inner = inner
        self._refuse = refuse

    def begin(self, path: str, parts: int) -> str:
        self._refuse(path)
        return self._inner.begin(path, parts)

    def add(self, path: str, upload: str, part: int, pieces: Iterator[bytes]) -> str:
        return self._inner.add(path, upload, part, pieces)

    def complete(self, path: str, upload: str, parts: Sequence[tuple[int, str]]) -> None:
        self._refuse(path)
        self._inner.complete(path, upload, parts)

    def abort(self, path: str, upload: str) -> None:
        self._inner.abort(path, upload)
