"""`mlproj import`: a run out of a bundle becomes one of this store, byte for byte as it was sealed."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from mlproj.errors import Altered, StoreError
from mlproj.files import digest_of
from mlproj.model.bundle import ATTACHED, KNOWN, NEW, RECORD, Place
from mlproj.model.digest import Digest, folder_manifest, read_manifest, readable
from mlproj.model.events import Ended, Progress, Report, Started, silent
from mlproj.model.record import blobs_added
from mlproj.model.run import Run
from mlproj.services.bundle_verification import Bundle, open_bundle
from mlproj.services.interrupts import interruptible
from mlproj.settings import Limits
from mlproj.store_ports import RunStore

_SMALL = 1 << 20
_AT_ONCE = 64 << 20
"""Small files are put into the store so many bytes at once."""
_FEW = 1000
_ATTEMPTS = 100


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """A run that was brought in; not `new` where the same record was there already."""

    run: Run
    new: bool
    files: int
    attached: int


def import_bundle(path: Path, store: RunStore, report: Report = silent, limits: Limits | None = None) -> Run:
    """As `bring_in`; returns the run alone."""
    return bring_in(path, lambda: store, limits or Limits(), report).run


def bring_in(
    path: Path, open_store: Callable[[], RunStore], limits: Limits, report: Report = silent
) -> Brought:
    """Checks the whole bundle, and only then opens the store and puts into it what the bundle holds.

    Raises Altered where anything in it is not as it was written, or the store holds another record of that
    run; UsageError where there is no such file.
    """
    with interruptible(), open_bundle(path, limits, report) as bundle:
        store = open_store()
        known = _known(store, bundle)
        with store.lease():
            files = _bring_contents(bundle, store, report)
            new = known is None and _brought_record(bundle, store)
            if new or bundle.meaning.layout.attached:
                _attach(bundle, store, path, KNOWN if known is not None else NEW)
        run = store.find(bundle.meaning.run.run_id)
        return Brought(run=run, new=new, files=files, attached=len(bundle.meaning.layout.attached))


def attached(store: RunStore, run: Run) -> Mapping[str, Digest]:
    """What bundles brought beside the record of a run, by its path in them."""
    found: dict[str, Digest] = {}
    for reference in blobs_added(run.amendments):
        if not reference.manifest:
            continue
        for path, _, digest in read_manifest(store.blobs.path(reference.digest).read_bytes()):
            found[readable(path)] = digest
    return found


def is_brought(run: Run) -> bool:
    """Whether the run came in a bundle: what its record says of this machine is a stranger's word."""
    return any(amendment.kind == ATTACHED for amendment in run.amendments)


def _known(store: RunStore, bundle: Bundle) -> Run | None:
    """The run as the store has it already. Raises Altered where that is another one."""
    run_id, record = bundle.meaning.run.run_id, bundle.contents.digests[RECORD]
    if run_id not in {row.run_id for row in store.listing()}:
        return None
    known = store.find(run_id)
    if known.record != record:
        told = "is still running" if known.record is None else f"has another record: {known.record}"
        raise Altered(f"the store has a run `{run_id}` already, which {told}")
    return known


def _brought_record(bundle: Bundle, store: RunStore) -> bool:
    """Appends the record; False where somebody else did so meanwhile."""
    payload = b"".join(bundle.contents.pieces(RECORD))
    try:
        store.bring(bundle.meaning.run, payload, bundle.meaning.amendments)
    except StoreError:
        if _known(store, bundle) is None:
            raise
        return False
    return True


def _bring_contents(bundle: Bundle, store: RunStore, report: Report) -> int:
    """Puts every file that the record or the bundle names into the store; how many were not there."""
    places = {place.digest: place for place in bundle.meaning.layout.places}
    missing = [place for digest, place in places.items() if digest not in store.blobs]
    total, done = sum(bundle.contents.size(place.path) for place in missing), 0
    report(Started(stage="import"))
    with _aside(store, bundle.meaning.run.run_id) as folder:
        for some in _batches(bundle, missing):
            _bring_some(bundle, store, folder, some)
            done += sum(bundle.contents.size(place.path) for place in some)
            report(Progress(stage="import", done=done, total=total, unit="bytes"))
    report(Ended(stage="import"))
    return len(missing)


@contextlib.contextmanager
def _aside(store: RunStore, run_id: str) -> Iterator[Path]:
    """A folder for the length of the `with`, in the run's. Others may be bringing the same run in, and take
    that away as they end: it is made again then."""
    for attempt in range(_ATTEMPTS):
        workspace = store.workspace(run_id)
        try:
            folder = Path(tempfile.mkdtemp(dir=workspace))
            break
        except FileNotFoundError:
            if attempt == _ATTEMPTS - 1:
                raise
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            workspace.rmdir()


def _batches(bundle: Bundle, places: list[Place]) -> Iterator[list[Place]]:
    some: list[Place] = []
    size = 0
    for place in places:
        some.append(place)
        size += bundle.contents.size(place.path)
        if size > _AT_ONCE or len(some) >= _FEW:
            yield some
            some, size = [], 0
    if some:
        yield some


def _bring_some(bundle: Bundle, store: RunStore, folder: Path, places: list[Place]) -> None:
    files = {folder / place.digest.hex: place.digest for place in places}
    for place in places:
        with (folder / place.digest.hex).open("wb") as file:
            for piece in bundle.contents.pieces(place.path):
                file.write(piece)
    small = {path: digest for path, digest in files.items() if path.stat().st_size <= _SMALL}
    changed = list(store.blobs.add_files(small.items()))
    changed += [
        path for path in files.keys() - small.keys() if store.blobs.adopt_file(path)[0] != files[path]
    ]
    if changed:
        raise Altered(f"the bundle changed while it was read: {files[changed[0]]}")
    for path in files:
        path.unlink()


def _attach(bundle: Bundle, store: RunStore, path: Path, record: str) -> None:
    """Notes, once, what came beside the record, in which file, and whether the record itself did."""
    run = store.find(bundle.meaning.run.run_id)
    listed = folder_manifest((place.path.encode(), place.digest) for place in bundle.meaning.layout.attached)
    manifest = store.blobs.add_bytes(listed)
    before = {amendment.content["manifest"] for amendment in run.amendments if amendment.kind == ATTACHED}
    if manifest not in before:
        content = {"manifest": str(manifest), "bundle": str(digest_of(path)[0]), "record": record}
        store.amend(run.run_id, ATTACHED, content)
