"""Who read or left which content, looked up by its digest: what lineage and reuse ask a store.

Runs are told with those that began last first, which the number of their row says and no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from mlproj.errors import NotTaken
from mlproj.lineage_ports import Use, Uses
from mlproj.model.digest import Digest, readable
from mlproj.model.registry import ModelVersion
from mlproj.model.run import Run, Status
from mlproj.model.tracking import LoggedModel
from mlproj.store import folders, models
from mlproj.store.connection import Connection
from mlproj.store.database import transaction
from mlproj.store.machine import Machine
from mlproj.store.reading import read_runs
from mlproj.store.references import ids

_FEW = 10
_EMPTY = Digest.of(b"")
"""Of an empty file, or folder, nobody can say who made it."""
_READ, _LEFT = "inputs", "outputs"
_KNOWN = " JOIN runs r ON r.run_id = u.run_id AND NOT r.forgotten"
_HELD = {_READ: "", _LEFT: " AND u.state IN ('written', 'served')"}
_LISTED = "status = ? AND NOT deleted AND NOT forgotten AND sequence IS NOT NULL"

Held = Callable[[], AbstractContextManager[None]]


class FolderContents:
    """Implements `Contents` for a store in a folder."""

    def __init__(
        self, connection: Connection, root: Path, machine: Machine, *, looking: Held, changing: Held
    ) -> None:
        self._connection = connection
        self._root = root
        self._machine = machine
        self._looking = looking
        self._changing = changing

    def makers(self, digest: Digest, most: int) -> Uses:
        return self._uses(_LEFT, digest, most)

    def readers(self, digest: Digest, most: int) -> Uses:
        return self._uses(_READ, digest, most)

    def beginning(self, digits: str) -> tuple[Digest, ...]:
        columns = (("inputs", "digest"), ("outputs", "digest"), ("folder_files", "digest"))
        found = " UNION ".join(
            f"SELECT {column} FROM {table} WHERE {column} >= ?1 AND {column} < ?2"
            for table, column in columns
        )
        bounds = (f"sha256:{digits}", f"sha256:{digits}g")
        with self._looking():
            rows = self._connection.execute(f"{found} LIMIT {_FEW}", bounds).fetchall()
        return tuple(Digest(digest) for (digest,) in rows)

    def files(self, folder: Digest) -> tuple[tuple[bytes, Digest], ...]:
        with self._looking():
            return folders.read_files(self._connection, folder)

    def add_folder(self, manifest: bytes) -> None:
        try:
            with self._changing(), transaction(self._connection):
                folders.note_folder(self._connection, manifest)
        except ValueError as error:
            raise NotTaken(f"the list of the files in a folder cannot be noted: {error}") from error

    def folders(self) -> Iterator[tuple[Digest, bytes]]:
        with self._looking():
            yield from folders.read_folders(self._connection)

    def runs(self, run_ids: Collection[str]) -> tuple[Run, ...]:
        with self._looking():
            known = [run_id for run_id in run_ids if ids(self._connection, "run_id = ?", run_id)]
            return read_runs(self._connection, known, self._machine)

    def planned(self, plan: Digest) -> tuple[str, ...]:
        where = f'"plan" = ? AND {_LISTED} ORDER BY number DESC'
        with self._looking():
            return tuple(ids(self._connection, where, plan, Status.FINISHED.value))

    def like(self, project: str, entry_point: str, most: int) -> tuple[str, ...]:
        where = f"project = ? AND entry_point = ? AND {_LISTED} ORDER BY number DESC LIMIT ?"
        values = (project, entry_point, Status.FINISHED.value, most)
        with self._looking():
            return tuple(ids(self._connection, where, *values))

    def model(self, model_id: str) -> LoggedModel | None:
        with self._looking():
            return models.read_model(self._connection, self._root, model_id)

    def version(self, name: str, version: str) -> ModelVersion | None:
        with self._looking():
            return models.read_version(self._connection, self._root, name, version)

    def versions(self, model_id: str) -> tuple[ModelVersion, ...]:
        with self._looking():
            return models.read_versions_of(self._connection, self._root, model_id)

    def model_readers(self, model_id: str, most: int) -> Uses:
        used = f"FROM run_models u{_KNOWN} WHERE u.model_id = ?1 AND u.direction = 'input'"
        return self._listed("u.model_id, NULL, NULL", used, model_id, most)

    def dataset_readers(self, digest: str, most: int) -> Uses:
        used = f"FROM dataset_inputs u{_KNOWN} JOIN datasets d ON d.id = u.dataset_id WHERE d.digest = ?1"
        return self._listed("d.name, NULL, NULL", used, digest, most)

    def _uses(self, table: str, digest: Digest, most: int) -> Uses:
        """What names the content itself, or a folder that it lies in."""
        if digest == _EMPTY:
            return Uses()
        whole = (
            f"SELECT u.run_id, r.number, u.path, NULL AS inside, NULL AS folder FROM {table} u{_KNOWN}"
            f" WHERE u.digest = ?1{_HELD[table]}"
        )
        within = (
            "SELECT u.run_id, r.number, u.path, p.path AS inside, f.digest AS folder FROM folder_files p"
            f" JOIN folders f ON f.id = p.folder JOIN {table} u ON u.digest = f.digest{_KNOWN}"
            f" WHERE p.digest = ?1{_HELD[table]}"
        )
        found = f"FROM ({whole} UNION ALL {within}) u JOIN runs r ON r.run_id = u.run_id WHERE 1 = 1"
        return self._listed("u.path, u.inside, u.folder", found, digest, most)

    def _of_runs(self, columns: str, found: str, value: str, chosen: Sequence[int]) -> list[tuple[Any, ...]]:
        """The uses by the runs with these numbers, which begin at the greatest."""
        marks = ", ".join(f"?{place}" for place in range(2, len(chosen) + 2))
        query = f"SELECT r.number, u.run_id, {columns} {found} AND r.number IN ({marks})"
        rows = self._connection.execute(query, (value, *chosen)).fetchall()
        # Databases put what is NULL at different ends.
        in_order = sorted(rows, key=lambda row: (-row[0], row[2], row[3] is not None, row[3] or b""))
        return [tuple(row[1:]) for row in in_order]

    def _listed(self, columns: str, found: str, value: str, most: int) -> Uses:
        """The uses by the `most` runs that began last, and how many more runs there are."""
        newest = f"SELECT r.number {found} GROUP BY r.number ORDER BY r.number DESC LIMIT {most}"
        with self._looking():
            chosen = [number for (number,) in self._connection.execute(newest, (value,))]
            rows = self._of_runs(columns, found, value, chosen) if chosen else []
            count = told = len(chosen)
            if told == most:
                counting = f"SELECT count(DISTINCT u.run_id) {found}"
                (count,) = self._connection.execute(counting, (value,)).fetchone()
        uses = tuple(
            Use(
                run_id=run_id,
                path=path if inside is None else f"{path.rstrip('/')}/{readable(inside)}",
                folder=None if folder is None else Digest(folder),
            )
            for run_id, path, inside, folder in rows
        )
        return Uses(uses=uses, more=count - told)
