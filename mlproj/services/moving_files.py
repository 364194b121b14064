"""Files of what moves in are put where those of our own runs, models and traces are, each once."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlproj.artifact_ports import Artifacts
from mlproj.errors import DataError, MlprojError, NotFound, UsageError
from mlproj.moving_ports import Files, History
from mlproj.services.moving_tally import Tally

_DEEPEST = 100
_ID = re.compile(r"[a-zA-Z0-9][\w\-]{0,63}", re.ASCII)


class FileMover:
    """Brings the files of one thing after another."""

    def __init__(self, history: History, artifacts: Artifacts, tally: Tally) -> None:
        self._history = history
        self._artifacts = artifacts
        self._tally = tally

    def bring(self, kind: str, name: str, uri: str) -> int:
        """Brings what is not here yet, or here in another size; how many files that were. What cannot be had
        is noted, and no reason to stop."""
        if not uri:
            return 0
        thing = f"{kind.removesuffix('s')} {name}"
        brought = 0
        try:
            files = self._history.files(kind, name, uri)
            root = f"{kind}/{name}/artifacts"
            here = dict(self._here(root, 0))
            for path, size in files.listed():
                place = f"{root}/{path}"
                if here.get(place) != size and self._fetch(files, path, place, thing):
                    brought += 1
        except DataError as error:
            self._tally.leave(f"files of {thing}", _why(error))
        return brought

    def _fetch(self, files: Files, path: str, place: str, thing: str) -> bool:
        try:
            with files.read(path) as pieces:
                self._artifacts.write(place, self._counted(pieces))
        except (DataError, UsageError, NotFound) as error:
            self._tally.leave(f"`{path}` of {thing}", _why(error))
            return False
        self._tally.files += 1
        return True

    def _counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._tally.size += len(piece)
            yield piece

    def _here(self, folder: str, depth: int) -> Iterator[tuple[str, int]]:
        for path, is_folder, size in self._artifacts.list(folder):
            if not is_folder:
                yield path, size
            elif depth < _DEEPEST:
                yield from self._here(path, depth + 1)


def _why(error: MlprojError) -> str:
    return error.message if error.hint is None else f"{error.message} ({error.hint})"


def refuse_impossible(identifier: str) -> None:
    """Raises DataError for an id that is no name of a folder."""
    if not _ID.fullmatch(identifier):
        raise DataError(f"`{identifier[:100]}` is no id that a store can have")
