"""Artifacts as somebody may see them: each file is of a run, a logged model or a trace, and goes with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlproj.artifact_ports import Artifacts, Uploads
from mlproj.errors import NotFound
from mlproj.model.access import Level
from mlproj.server.permitted.rights import Rights


class PermittedArtifacts:
    """The `Artifacts` of one caller."""

    def __init__(self, inner: Artifacts, rights: Rights) -> None:
        self._inner = inner
        self._rights = rights

    @property
    def uploads(self) -> Uploads:
        return PermittedUploads(self._inner.uploads, self._rights)

    def list(self, path: str) -> Sequence[tuple[str, bool, int]]:
        _hold(self._rights, Level.READ, path)
        return self._inner.list(path)

    def read(self, path: str, first: int = 0, count: int | None = None) -> Iterator[bytes]:
        _hold(self._rights, Level.READ, path)
        return self._inner.read(path, first, count)

    def size(self, path: str) -> int:
        _hold(self._rights, Level.READ, path)
        return self._inner.size(path)

    def write(self, path: str, pieces: Iterator[bytes]) -> None:
        _hold(self._rights, Level.EDIT, path)
        self._inner.write(path, pieces)

    def delete(self, path: str) -> None:
        _hold(self._rights, Level.MANAGE, path)
        self._inner.delete(path)

    def reach(self) -> None:
        self._inner.reach()


class PermittedUploads:
    """The `Uploads` of one caller."""

    def __init__(self, inner: Uploads, rights: Rights) -> None:
        self._inner = inner
        self._rights = rights

    def begin(self, path: str, parts: int) -> str:
        _hold(self._rights, Level.EDIT, path)
        return self._inner.begin(path, parts)

    def add(self, path: str, upload: str, part: int, pieces: Iterator[bytes]) -> str:
        _hold(self._rights, Level.EDIT, path)
        return self._inner.add(path, upload, part, pieces)

    def complete(self, path: str, upload: str, parts: Sequence[tuple[int, str]]) -> None:
        _hold(self._rights, Level.EDIT, path)
        self._inner.complete(path, upload, parts)

    def abort(self, path: str, upload: str) -> None:
        _hold(self._rights, Level.EDIT, path)
        self._inner.abort(path, upload)


def _hold(rights: Rights, level: Level, path: str) -> None:
    """Raises NotFound and Failure as `rights` does for what the file is of: `<kind>/<id>/artifacts/…`."""
    kind, _, rest = path.partition("/")
    name, _, rest = rest.partition("/")
    if rest.partition("/")[0] != "artifacts":
        raise NotFound(f"No such artifact: '{path}'")
    match kind:
        case "runs":
            rights.run(level, name)
        case "models":
            rights.logged_model(level, name)
        case "traces":
            rights.trace(level, name)
        case _:
            raise NotFound(f"No such artifact: '{path}'")
