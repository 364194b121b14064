"""`mlproj export`: a recorded run as one file that can be checked, read and brought in anywhere."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec

from mlproj.errors import Altered, DataError, StoreError, UsageError
from mlproj.exports.container import PIECE, Writer
from mlproj.exports.rocrate import Held, crate
from mlproj.files import put_atomically
from mlproj.model import bundle
from mlproj.model.bundle import ATTACHED, BUNDLE_SCHEMA, BundleDocument, LeftOut, Place
from mlproj.model.digest import Digest, canonical, folder_manifest
from mlproj.model.entries import read_amendment
from mlproj.model.events import Ended, Progress, Report, Started
from mlproj.model.record import Entry, EntryKind, encode
from mlproj.model.run import Run
from mlproj.services.bundle_beside import Suppliers, Supplies, supply
from mlproj.services.bundle_layout import Layout, data_path, layout
from mlproj.services.interrupts import interruptible
from mlproj.store_ports import RunStore

_MOST_NAMED = 1000
"""So many files of one folder are named in the crate one by one."""


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle that was written: its size in bytes, how many files are in it, and what is not."""

    run_id: str
    path: Path
    size: int
    files: int
    parts: tuple[str, ...]
    left_out: tuple[LeftOut, ...]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Where a bundle is to be, and what of PARTS in it. Without `replacing` no file may be there."""

    path: Path
    parts: tuple[str, ...] = ()
    replacing: bool = False


def export_run(store: RunStore, run: Run, wanted: Wanted, suppliers: Suppliers, report: Report) -> Exported:
    """Writes the bundle of a sealed run; at the end it is there whole, or not at all.

    Raises UsageError where something is in its way or the run cannot be handed over, DataError and
    EnvironmentFailed for what cannot be had, and Altered where the store's content is not what was recorded.
    """
    _refuse(run, wanted)
    payload, chain = _sealed(store, run)
    with (
        interruptible() as interrupts,
        interrupts.held(),  # so that nothing is left that was not finished
        tempfile.TemporaryDirectory(prefix=".mlproj-", dir=wanted.path.parent) as folder,
    ):
        with interrupts.allowed():
            supplies = supply(run, store.blobs, wanted.parts, suppliers, Path(folder), report)
            laid = _laid_out(run, supplies, wanted.parts)
            pieces = _documents(run, wanted.parts, laid, payload, chain) | {
                place.path: _Piece(place, supplies) for place in laid.places
            }
            pieces = _complete(run, laid, pieces)
            total = sum(piece.size for piece in pieces.values())
            report(Started(stage="export", detail=wanted.path.name))
        with put_atomically(wanted.path, replacing=wanted.replacing) as file, interrupts.allowed():
            _write(file, pieces, lambda done: report(_progress(done, total)))
        report(Ended(stage="export"))
    return Exported(
        run_id=run.run_id,
        path=wanted.path,
        size=wanted.path.stat().st_size,
        files=len(pieces),
        parts=wanted.parts,
        left_out=laid.left_out,
    )


def _refuse(run: Run, wanted: Wanted) -> None:
    if run.imported is not None or run.job is None:
        raise UsageError(
            f"run `{run.name}` is one that mlproj did not start: it has no source and no plan to export"
        )
    if run.outcome is None:
        raise UsageError(f"run `{run.name}` has not ended", hint="wait until it has")
    if not wanted.path.parent.is_dir():
        raise UsageError(f"there is no folder `{wanted.path.parent}`")
    if os.path.lexists(wanted.path) and not wanted.replacing:
        raise UsageError(f"`{wanted.path}` is there already", hint="`--force` replaces it")


def _sealed(store: RunStore, run: Run) -> tuple[bytes, tuple[Entry, ...]]:
    """The bytes of the record, and the run's links in the chain."""
    entries = tuple(store.entries(run_id=run.run_id))
    payload = next((entry.payload for entry in entries if entry.kind is EntryKind.RUN), None)
    if payload is None:
        raise StoreError(f"the store holds no record of run `{run.name}`")
    return payload, tuple(entry for entry in entries if _is_handed_over(entry))


def _is_handed_over(entry: Entry) -> bool:
    """What a bundle brought says something of this store alone."""
    if entry.kind is not EntryKind.AMENDMENT or entry.payload is None:
        return entry.kind is EntryKind.RUN
    return read_amendment(entry.payload).kind != ATTACHED


def _laid_out(run: Run, supplies: Supplies, parts: tuple[str, ...]) -> Layout:
    try:
        return layout(run, supplies.read, data=bundle.DATA in parts, beside=supplies.beside)
    except ValueError as error:
        raise Altered(f"a list of files of run `{run.name}` is not what was recorded: {error}") from error


class _Bytes:
    """A document that is made for the bundle."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.size = len(content)
        self.digest = Digest.of(content)
        self.executable = False

    def __iter__(self) -> Iterator[bytes]:
        yield self.content


class _Hasher(Protocol):
    def update(self, data: bytes, /) -> None: ...


class _Piece:
    """A file that is copied, and is looked at meanwhile: what is not what was recorded goes nowhere."""

    def __init__(self, place: Place, supplies: Supplies) -> None:
        self.digest = place.digest
        self.executable = place.executable
        self._place = place
        self._source, self._from_store = supplies.find(place)
        self.size = self._source.stat().st_size

    def __iter__(self) -> Iterator[bytes]:
        hasher = hashlib.sha256()
        with self._source.open("rb", buffering=0) as file:
            yield from _hashed(file, hasher) if self.size > PIECE else _hashed_here(file, hasher)
        if hasher.hexdigest() != self.digest.hex:
            told = f"`{self._place.path}` is not what was recorded: `{self._source}`"
            raise Altered(told) if self._from_store else DataError(told)


def _hashed_here(file: RawIOBase, hasher: _Hasher) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        hasher.update(piece)
        yield piece


def _hashed(file: RawIOBase, hasher: _Hasher) -> Iterator[bytes]:
    """What is in a file, which goes through `hasher` on another core while the last piece is written."""
    with ThreadPoolExecutor(1) as pool:
        update = pool.submit(lambda: None)
        while piece := file.read(PIECE):
            update.result()
            update = pool.submit(hasher.update, piece)
            yield piece
        update.result()


_Pieces = dict[str, "_Bytes | _Piece"]


def _documents(
    run: Run, parts: tuple[str, ...], laid: Layout, payload: bytes, chain: tuple[Entry, ...]
) -> _Pieces:
    document = BundleDocument(
        schema=BUNDLE_SCHEMA,
        run_id=run.run_id,
        name=run.name,
        record=Digest.of(payload),
        links=tuple(entry.link for entry in chain),
        parts=parts,
        elsewhere=laid.elsewhere,
        left_out=laid.left_out,
    )
    found = {bundle.DOCUMENT: encode(document), bundle.RECORD: payload}
    if run.plan is not None:
        found[bundle.PLAN] = canonical(run.plan.document())
    for entry in chain:
        found[f"{bundle.CHAIN}/{entry.sequence}.json"] = canonical(entry.document)
        if entry.kind is EntryKind.AMENDMENT and entry.payload is not None:
            found[f"{bundle.AMENDMENTS}/{entry.sequence}.json"] = entry.payload
    return {path: _Bytes(content) for path, content in found.items()}


def _complete(run: Run, laid: Layout, pieces: _Pieces) -> _Pieces:
    """All pieces in the order in which they are written, with the crate and the list of them all."""
    described = {bundle.CRATE: _Bytes(crate(run, _held(run, laid, pieces))), **pieces}
    listed = folder_manifest((path.encode(), piece.digest) for path, piece in described.items())
    first: _Pieces = {
        bundle.DOCUMENT: described.pop(bundle.DOCUMENT),
        bundle.MANIFEST: _Bytes(listed),
        bundle.CRATE: described.pop(bundle.CRATE),
    }
    return first | {path: described[path] for path in sorted(described, key=str.encode)}


def _held(run: Run, laid: Layout, pieces: _Pieces) -> Held:
    """What the crate names: every file, but for those in a folder that holds very many."""
    assert run.job is not None, "an exported run has a job"
    counts = Counter(place.path.split("/")[0] for place in laid.places)
    few = [place for place in laid.places if counts[place.path.split("/")[0]] <= _MOST_NAMED]
    there = {place.path for place in few}
    data = {}
    for state in run.job.inputs:
        path = data_path(state)
        path = laid.elsewhere.get(path, path)
        data[state.name] = tuple(each for each in there if each == path or each.startswith(f"{path}/"))
    return Held(
        files={place: pieces[place.path].size for place in few},
        data={name: tuple(sorted(paths)) for name, paths in data.items()},
    )


def _write(file: BinaryIO, pieces: Mapping[str, _Bytes | _Piece], tell: Callable[[int], None]) -> None:
    writer, done = Writer(file), 0

    def told(piece: _Bytes | _Piece) -> Iterator[bytes]:
        nonlocal done
        for some in piece:
            yield some
            done += len(some)
            tell(done)

    for path, piece in pieces.items():
        try:
            writer.add(path, piece.size, told(piece), executable=piece.executable)
        except ValueError as error:
            raise DataError(f"a file changed while it was copied: {error}") from error
    writer.finish()


def _progress(done: int, total: int) -> Progress:
    return Progress(stage="export", done=done, total=total, unit="bytes")
