"""What nothing in a store names any more: found without holding anybody up, and removed after a second look.

Finding reads every record, because only the records say what they name. Meanwhile runs go on: so what was
found is looked at again, with nobody adding, right before it is removed.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from mlproj.errors import Altered
from mlproj.files import locked_now
from mlproj.housekeeping_ports import GRACE_S, Garbage
from mlproj.model.bundle import ATTACHED
from mlproj.model.digest import Digest, read_manifest
from mlproj.model.entries import read_amendment
from mlproj.model.record import (
    ATTESTED,
    BlobReference,
    EntryKind,
    blobs_added,
    blobs_of,
    read_document,
    read_import,
)
from mlproj.model.run import Amendment
from mlproj.store.artifact_rows import drop_unowned, named_among, named_contents
from mlproj.store.connection import Connection
from mlproj.store.contained import KeptBlobs
from mlproj.store.copying import COPY
from mlproj.store.leases import Leased, read_leases
from mlproj.store.needless import Spared, needless_models
from mlproj.store.sizes import size_of
from mlproj.store.uploads import UPLOADS

_AT_ONCE = 200
"""How many blobs are removed before those who want to add some have their turn."""
_RUNS = (
    "SELECT run_id, kind, payload FROM entries WHERE sequence > ? AND (kind IN (?, ?)"
    " OR (kind = ? AND (instr(payload, ?) > 0 OR instr(payload, ?) > 0))) AND payload IS NOT NULL"
)
_ADDING = tuple(f'"kind":"{kind}"'.encode() for kind in (ATTACHED, ATTESTED))
"""What canonical JSON has in it of an amendment that names content; of others they are not read."""
_WITH_FILES = {"models": "SELECT model_id FROM logged_models", "traces": "SELECT trace_id FROM traces"}
"""Folders whose folders belong to something that is in the database."""
_NAMING = (EntryKind.RUN.value, EntryKind.IMPORT.value)
_OPENINGS = "SELECT run_id, '', opening FROM runs WHERE sequence IS NULL"


def find_garbage(
    connection: Connection,
    root: Path,
    blobs: KeptBlobs,
    *,
    without: Collection[str],
    grace_s: float,
) -> Garbage:
    """What could be removed now, and what will be later, were the runs `without` forgotten.

    Content that only those runs name goes at once, other content that nothing names after `grace_s` seconds.
    Raises Altered where a record cannot be read: it might name anything.
    """
    began = time.time()
    (seen,) = connection.execute("SELECT coalesce(max(sequence), 0) FROM entries").fetchone()
    leased = read_leases(root / "locks")
    named, freed = _Named(blobs), _Named(blobs, going=True)
    for run_id, kind, payload in _documents(connection, 0):
        (freed if run_id in without else named).add(run_id, kind, payload)
    named.add_manifests(leased.manifests)
    stay, go = named_contents(connection, without, began - grace_s)
    named.digests |= stay
    freed.digests |= go
    removable: dict[Digest, int] = {}
    young, size, young_size = 0, 0, 0
    for digest, state in blobs.states():
        if digest in named.digests:
            continue
        old = digest in freed.digests or state.used < began - grace_s
        if old and not leased.keeps(state.used):
            removable[digest] = state.used_ns
            size += state.taken
        else:
            young += 1
            young_size += state.taken
    leftovers = tuple(_leftovers(connection, root, blobs, without, leased, began - grace_s))
    return Garbage(
        blobs=removable,
        leftovers=leftovers,
        size=size + sum(size_of(path) for path in leftovers),
        young=young,
        young_size=young_size,
        seen=seen,
    )


def remove_garbage(connection: Connection, root: Path, blobs: KeptBlobs, garbage: Garbage) -> tuple[int, int]:
    """Removes what was found, but for what somebody came to want meanwhile. How many files went, and how many
    bytes. An interruption leaves a store that is whole, and the rest for the next time."""
    before = time.time() - GRACE_S
    drop_unowned(connection, before)
    count, size = 0, 0
    rest = iter(garbage.blobs.items())
    while some := tuple(itertools.islice(rest, _AT_ONCE)):
        with blobs.removing():
            wanted = _wanted_since(connection, root, blobs, garbage)
            wanted.digests |= named_among(connection, [digest for digest, _ in some])
            for digest, used in some:
                state = blobs.state(digest)
                if (
                    state is not None
                    and state.used_ns == used
                    and digest not in wanted.digests
                    and not wanted.leased.keeps(state.used)
                ):
                    blobs.remove(digest)
                    count += 1
                    size += state.taken
    swept = blobs.sweep(before)
    count, size = count + swept[0], size + swept[1]
    spared = Spared(connection, root, models=True)
    for path in itertools.chain.from_iterable(map(spared.beside, garbage.leftovers)):
        taken = size_of(path)
        if _remove_leftover(path):
            count += 1
            size += taken
    return count, size


class _Named:
    """The digests that documents name, and those that the manifests among them list.

    Of runs that are `going` a manifest may have been altered: what it listed has its grace then.
    """

    def __init__(self, blobs: KeptBlobs, leased: Leased | None = None, *, going: bool = False) -> None:
        self.digests: set[Digest] = set()
        self.leased = leased or Leased(since=None, manifests=frozenset())
        self._blobs = blobs
        self._going = going
        self._read: set[Digest] = set()

    def add(self, run_id: str, kind: str, payload: bytes | None) -> None:
        try:
            references = _references(kind, payload or b"")
        except ValueError as error:
            raise Altered(
                f"the record of run `{run_id}` cannot be read, and may name anything: {error}",
                hint="`mlproj verify` tells what was altered",
            ) from error
        for reference in references:
            self.digests.add(reference.digest)
        self.add_manifests(reference.digest for reference in references if reference.manifest)

    def add_manifests(self, manifests: Iterable[Digest]) -> None:
        """Adds manifests with what they list; one that is not there, or is none, lists nothing.

        Raises Altered for one that is not what it was: it might have listed anything.
        """
        for manifest in manifests:
            self.digests.add(manifest)
            if manifest not in self._read and manifest in self._blobs:
                self._read.add(manifest)
                content = self._blobs.path(manifest).read_bytes()
                if Digest.of(content) != manifest and not self._going:
                    raise Altered(
                        f"the list of files `{manifest}` was altered, and may have named anything",
                        hint="`mlproj verify` tells of which runs: hide them, or bring it back from a copy",
                    )
                with contextlib.suppress(ValueError):
                    self.digests.update(digest for _, _, digest in read_manifest(content))


def _references(kind: str, payload: bytes) -> tuple[BlobReference, ...]:
    if kind == EntryKind.AMENDMENT.value:
        added = read_amendment(payload)
        return tuple(blobs_added([Amendment(sequence=0, time="", kind=added.kind, content=added.content)]))
    reader = read_import if kind == EntryKind.IMPORT.value else read_document
    return blobs_of(reader(payload, name=""))


def _documents(connection: Connection, after: int) -> Iterator[tuple[str, str, bytes | None]]:
    """Run, kind and document of every record after a place in the chain, and of every run that goes on."""
    yield from connection.execute(_RUNS, (after, *_NAMING, EntryKind.AMENDMENT.value, *_ADDING))
    yield from connection.execute(_OPENINGS)


def _wanted_since(connection: Connection, root: Path, blobs: KeptBlobs, garbage: Garbage) -> _Named:
    """What came to be named, or held, since the garbage was found. A run has a lease or is named here."""
    leased = read_leases(root / "locks")
    named = _Named(blobs, leased)
    for document in _documents(connection, garbage.seen):
        named.add(*document)
    named.add_manifests(leased.manifests)
    return named


def _leftovers(
    connection: Connection,
    root: Path,
    blobs: KeptBlobs,
    without: Collection[str],
    leased: Leased,
    before: float,
) -> Iterator[Path]:
    """What killed writers left aside, and the folders and locks of runs that no longer go on."""

    def is_old(path: Path) -> bool:
        with contextlib.suppress(FileNotFoundError):
            used = path.lstat().st_mtime
            return used < before and not leased.keeps(used)
        return False

    yield from filter(is_old, blobs.incoming())
    yield from filter(is_old, sorted(root.glob(f"{COPY}*")))
    yield from filter(is_old, _listed(root / UPLOADS))
    rows = connection.execute("SELECT run_id, sequence IS NOT NULL, forgotten FROM runs")
    kept = {run_id: sealed for run_id, sealed, forgotten in rows if not forgotten and run_id not in without}
    spared = Spared(connection, root)
    for path in _listed(root / "runs"):
        if path.name not in kept and (path.name in without or is_old(path)):
            yield from spared.beside(path)
        elif kept.get(path.name) and (path / "logs").is_dir() and is_old(path / "logs"):
            yield path / "logs"
    needless = needless_models(connection, without)
    for folder, query in _WITH_FILES.items():
        known = {name for (name,) in connection.execute(query)} - needless
        for path in _listed(root / folder):
            if path.name not in known and (path.name in needless or is_old(path)):
                yield from spared.beside(path)
    for path in _listed(root / "locks"):
        if len(path.name) == 32 and (path.name not in kept or kept[path.name]) and is_old(path):
            yield path


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


def _remove_leftover(path: Path) -> bool:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
        return not path.exists()
    if path.parent.name == "locks":
        with locked_now(path) as free:
            if free:
                path.unlink(missing_ok=True)
            return free
    path.unlink(missing_ok=True)
    return True
