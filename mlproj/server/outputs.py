"""What runs left beside the files that were logged to them: at its own path, below the run's artifacts too.

MLflow's clients know of artifacts alone: `runs:/<id>/model.joblib` is, to them, that file below the artifacts
of the run. What a project declares to be an output has its address so, where nothing was logged under it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mlproj.artifact_ports import Artifacts, Uploads
from mlproj.errors import Altered, NotFound, RunNotFound
from mlproj.model.arrivals import is_address
from mlproj.model.digest import Digest, read_manifest, readable
from mlproj.model.run import Output, Run
from mlproj.server.held import HeldBlobs
from mlproj.store_ports import ReadableBlobs, RunStore

LOGGED = "artifacts/"
"""Begins, on the record, the paths of files that were logged to a run."""
MODELS = "models/"
"""Begins, on the record, the paths of the files of logged models."""

_PIECE = 1024 * 1024


def outputs_of(run: Run | None) -> tuple[Output, ...]:
    """What the record of a run has beside what was logged to it."""
    outputs = () if run is None or run.outcome is None else run.outcome.outputs
    return tuple(each for each in outputs if not each.path.startswith((LOGGED, MODELS)))


def files_of(outputs: Iterable[Output], blobs: ReadableBlobs, near: str) -> Iterator[tuple[str, Digest]]:
    """The paths and contents of the outputs that are the file `near` or lie below that folder, and of the
    files in such as are folders: of two with one path the first, and none that nobody could ask for."""
    found: set[str] = set()
    for name, digest in _files_of(outputs, blobs, near):
        if name not in found and is_address(name):
            found.add(name)
            yield name, digest


def _files_of(outputs: Iterable[Output], blobs: ReadableBlobs, near: str) -> Iterator[tuple[str, Digest]]:
    for output in outputs:
        apart = not output.path.startswith(near) and not near.startswith(output.path)
        if output.digest is None or apart:
            continue
        if output.kind != "folder":
            yield output.path, output.digest
        elif output.digest in blobs:
            with contextlib.suppress(ValueError):
                for name, _, digest in read_manifest(blobs.path(output.digest).read_bytes()):
                    yield f"{output.path}/{readable(name)}", digest


def output_digest(run: Run, blobs: ReadableBlobs, path: str) -> Digest:
    """The content of an output, or of a file in a folder that is one. Raises NotFound."""
    outputs = () if run.outcome is None else run.outcome.outputs
    for name, digest in files_of(outputs, blobs, path):
        if name == path:
            return digest
    raise NotFound(f"run `{run.name}` left no file `{path}`")


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
        return self._logged.uploads

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
        self._logged.write(path, pieces)

    def delete(self, path: str) -> None:
        """An output is on a sealed record, and stays."""
        self._logged.delete(path)

    def reach(self) -> None:
        self._logged.reach()

    def _file(self, path: str) -> Path:
        """Where the content of an output lies. Raises NotFound for what is none."""
        run, wanted = self._run_of(path)
        for name, digest in self._files(run, wanted):
            if name == wanted:
                return self._store.blobs.path(digest)
        raise NotFound(f"No such artifact: '{path}'")

    def _beside(self, path: str) -> Iterator[tuple[str, bool, int]]:
        """What of the outputs lies right in a folder."""
        run, folder = self._run_of(path)
        below = f"{folder}/" if folder else ""
        inside = {
            name.removeprefix(below): digest
            for name, digest in self._files(run, folder)
            if name.startswith(below)
        }
        sizes = self._store.blobs.sizes([digest for name, digest in inside.items() if "/" not in name])
        for name in {name.partition("/")[0] for name in inside}:
            size = sizes.get(inside[name], 0) if name in inside else 0
            yield f"{path}/{name}", name not in inside, size

    def _files(self, run: Run | None, near: str) -> Iterator[tuple[str, Digest]]:
        outputs = outputs_of(run)
        if run is None or not outputs:
            return
        blobs = HeldBlobs(self._store.blobs, run)
        for name, digest in files_of(outputs, blobs, near):
            if digest in blobs:
                yield name, digest

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
