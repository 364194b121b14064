"""Artifacts as rows that name contents, wherever those lie: put in place, replaced and listed at once.

Two artifacts with the same content take the room of one, and a run's are content of the store already when it
is sealed: nothing is fetched or copied for that.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import accumulate
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from mlproj.artifact_ports import Artifacts
from mlproj.errors import AlreadyThere, UsageError
from mlproj.model.digest import Digest
from mlproj.store.artifact_paths import named, parts_of
from mlproj.store.artifact_rows import owner_of, place_of
from mlproj.store.contained import StreamedBlobs
from mlproj.store.server_tables import artifacts
from mlproj.store.tracking.engine import Database, storable
from mlproj.store.uploads import FolderUploads

_ATTEMPTS = 3


class StoredArtifacts:
    """The port `Artifacts` over rows of `database` and contents in `blobs`. Parts of uploads wait in `aside`.

    What scripts of this machine wrote into the store's folder themselves is `beside`: it is there too, unless
    a row has its name. While one is taken in a `lease` is held: its content is nobody's garbage before
    its row is there.
    """

    def __init__(
        self,
        database: Database,
        blobs: StreamedBlobs,
        lease: Callable[[], AbstractContextManager[object]],
        beside: Artifacts,
        aside: Path,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._lease = lease
        self._beside = beside
        self.uploads = FolderUploads(self._check, self.write, aside)
        weakref.finalize(self, database.close)

    def list(self, path: str) -> Sequence[tuple[str, bool, int]]:
        prefix = f"{path}/" if path else ""
        query = select(artifacts.c.path, artifacts.c.size).where(_below(path))
        found = {name: (is_folder, size) for name, is_folder, size in self._beside.list(path)}
        with self._database.reading() as connection:
            for file, size in connection.execute(query):
                name, inside, _ = file[len(prefix) :].partition("/")
                found[f"{prefix}{name}"] = (True, 0) if inside else (False, size)
        return sorted((name, *told) for name, told in found.items())

    def read(self, path: str, first: int = 0, count: int | None = None) -> Iterator[bytes]:
        row = self._row(path)
        if row is None:
            return self._beside.read(path, first, count)
        return self._blobs.read(Digest(row["digest"]), first, count)

    def size(self, path: str) -> int:
        row = self._row(path)
        return self._beside.size(path) if row is None else int(row["size"])

    def write(self, path: str, pieces: Iterator[bytes]) -> None:
        self._check(path)
        with self._lease():
            digest, size = self._blobs.add_stream(pieces)
            cells = {"digest": digest, "size": size, "written_ms": self._database.now_ms()}
            for _ in range(_ATTEMPTS):
                if self._put(path, cells):
                    return
        raise AlreadyThere(f"somebody else keeps writing `{path}`")

    def delete(self, path: str) -> None:
        """What is not there is deleted already, as it is for MLflow."""
        self._beside.delete(path)
        with self._database.writing() as connection:
            connection.execute(delete(artifacts).where(or_(_at(path), _below(path))))

    def reach(self) -> None:
        self._blobs.reach()

    def _put(self, path: str, cells: dict[str, object]) -> bool:
        """Puts a row in place; False where somebody did at the same moment."""
        try:
            with self._database.writing() as connection:
                _refuse_clash(connection, path)
                if not connection.execute(update(artifacts).where(_at(path)).values(cells)).rowcount:
                    new = {"place": place_of(path), "owner": owner_of(path), "path": path, **cells}
                    connection.execute(insert(artifacts).values(new))
        except IntegrityError:
            return False
        return True

    def _check(self, path: str) -> None:
        """Raises UsageError where nothing could be written."""
        named(path)
        storable(path)
        with self._database.reading() as connection:
            _refuse_clash(connection, path)

    def _row(self, path: str) -> RowMapping | None:
        parts_of(path)
        with self._database.reading() as connection:
            return connection.execute(select(artifacts).where(_at(path))).mappings().first()


def _refuse_clash(connection: Connection, path: str) -> None:
    """Raises UsageError for a file that is to be where a folder is, or in a file."""
    folders = list(accumulate(path.split("/")[:-1], lambda outer, name: f"{outer}/{name}"))
    above = artifacts.c.place.in_([place_of(folder) for folder in folders])
    if connection.execute(select(artifacts.c.path).where(above).limit(1)).first():
        raise UsageError(f"`{path}` cannot be an artifact: there is a file where its folder would be")
    if connection.execute(select(artifacts.c.path).where(_below(path)).limit(1)).first():
        raise UsageError(f"`{path}` cannot be an artifact: there is a folder of that name")


def _at(path: str) -> ColumnElement[bool]:
    return artifacts.c.place == place_of(path)


def _below(folder: str) -> ColumnElement[bool]:
    """Of everything in a folder, by whose it is where that says so: those are few."""
    prefix = f"{folder}/" if folder else ""
    inside = func.substr(artifacts.c.path, 1, len(prefix)) == prefix
    return and_(artifacts.c.owner == owner_of(folder), inside) if "/" in folder else inside
