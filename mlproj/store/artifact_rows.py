"""Artifacts that are rows, read without the toolkit of tracking: for seals, and for who removes garbage."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import PurePosixPath

import msgspec

from mlproj.model.digest import Digest
from mlproj.store.connection import Connection
from mlproj.store.database import transaction
from mlproj.store.needless import needless_models, spared_places
from mlproj.store.traced import traces_of

_AT_ONCE = 200
_LONGEST_OWNER = 160
_ANY = "SELECT 1 FROM artifacts LIMIT 1"
_FILES = "SELECT path, digest, size FROM artifacts WHERE owner IN ({}) ORDER BY path"
_AMONG = "SELECT DISTINCT digest FROM artifacts WHERE digest IN ({})"
_ALL = "SELECT place, owner, path, digest, written_ms FROM artifacts"


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a run, model or trace, by its path in the store."""

    path: str
    digest: Digest
    size: int


def place_of(path: str) -> str:
    """The key of an artifact's row."""
    return hashlib.sha256(path.encode()).hexdigest()


def owner_of(path: str) -> str:
    """What an artifact belongs to, as its row has it."""
    owner = "/".join(path.split("/", 2)[:2])
    return owner if len(owner) <= _LONGEST_OWNER else place_of(owner)


def files_of(connection: Connection, owners: Sequence[str]) -> Iterator[StoredFile]:
    """The files of some runs, models or traces (each as `owner_of` has it), by their paths."""
    for start in range(0, len(owners), _AT_ONCE):
        some = owners[start : start + _AT_ONCE]
        for path, digest, size in connection.execute(_FILES.format(_marks(some)), tuple(some)).fetchall():
            yield StoredFile(path=path, digest=Digest(digest), size=size)


def named_among(connection: Connection, digests: Collection[Digest]) -> frozenset[Digest]:
    """Which of these contents (a few hundred at most) are those of artifacts."""
    rows = connection.execute(_AMONG.format(_marks(digests)), tuple(digests)).fetchall()
    return frozenset(Digest(digest) for (digest,) in rows)


def named_contents(
    connection: Connection, without: Collection[str], before: float
) -> tuple[set[Digest], set[Digest]]:
    """The contents of artifacts that stay, were the runs `without` forgotten, and of those that go with them.

    What belongs to nothing stays until it is older than `before` (seconds since the epoch).
    """
    stay: set[Digest] = set()
    go: set[Digest] = set()
    for _, digest, goes, is_old in _fates(connection, without, before):
        if goes:
            go.add(digest)
        elif not is_old:
            stay.add(digest)
    return stay, go


def drop_unowned(connection: Connection, before: float) -> None:
    """Takes away the artifacts of what was forgotten, and what belongs to nothing and is older than `before`,
    but for the files of versions of registered models."""
    doomed = [place for place, _, goes, is_old in _fates(connection, (), before) if goes or is_old]
    for start in range(0, len(doomed), _AT_ONCE):
        some = doomed[start : start + _AT_ONCE]
        with transaction(connection):
            connection.execute(f"DELETE FROM artifacts WHERE place IN ({_marks(some)})", tuple(some))


def _fates(
    connection: Connection, without: Collection[str], before: float
) -> Iterator[tuple[str, Digest, bool, bool]]:
    """Of every artifact its key and content, whether it goes with its owner, and whether it is old and has
    none."""
    if connection.execute(_ANY).fetchone() is None:
        return
    known, going = _owners(connection, without)
    spared = spared_places(connection)
    for place, owner, path, digest, written_ms in connection.execute(_ALL).fetchall():
        file = PurePosixPath(path)
        if spared and (file in spared or not spared.isdisjoint(file.parents)):
            goes = is_old = False
        else:
            goes = owner in going
            is_old = not goes and owner not in known and written_ms / 1000 < before
        yield place, Digest(digest), goes, is_old


def _owners(connection: Connection, without: Collection[str]) -> tuple[set[str], set[str]]:
    """The owners that stay, and those that go."""
    going = {f"models/{model_id}" for model_id in needless_models(connection, without)}
    known = {f"traces/{trace}" for (trace,) in connection.execute("SELECT trace_id FROM traces").fetchall()}
    for run_id in without:
        going.update(f"traces/{trace}" for trace in traces_of(connection, run_id))
    rows = connection.execute("SELECT model_id FROM logged_models").fetchall()
    known.update(f"models/{model_id}" for (model_id,) in rows)
    for run_id, forgotten in connection.execute("SELECT run_id, forgotten FROM runs").fetchall():
        (going if forgotten or run_id in without else known).add(f"runs/{run_id}")
    return known, going


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))
