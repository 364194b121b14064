"""Passes sealed runs on from one store to another, byte for byte, with all that their records name.

What is there already is not brought again, so that it can be done over and over, and go on where it was cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from mlproj.errors import Altered, StoreError
from mlproj.model.digest import Digest, folder_manifest, read_manifest
from mlproj.model.entries import UNDER, AmendmentDocument
from mlproj.model.events import Ended, Note, Progress, Report, Started, silent
from mlproj.model.index import index_of, inputs_of
from mlproj.model.record import BlobReference, EntryKind, blobs_of, encode
from mlproj.model.run import Run
from mlproj.services.interrupts import interruptible
from mlproj.store_ports import RunStore

_AT_ONCE = 500
"""So many contents are brought together."""


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is in the other store; not `new` where its record was there already. So many `files` and
    `bytes` came with it, and so many things that were added to it since (`amendments`)."""

    run: Run
    new: bool
    files: int
    bytes: int
    amendments: int


def pass_on(
    references: Sequence[str],
    source: RunStore,
    target: RunStore,
    report: Report = silent,
    *,
    experiment: str | None = None,
) -> tuple[Passed, ...]:
    """Has the runs that are named, and those that their scripts began, in the store `target`, too: under the
    experiment of that name, else under the one that each is under already.

    Raises StoreError for one that goes on, or has no record of its own; Altered where something is not what
    was recorded, or the other store has another record of that run.
    """
    with interruptible(), target.lease():
        wanted = {run.run_id: run for each in references for run in _family(source, source.find(each))}
        known = {row.run_id for row in target.listing() if not row.forgotten}
        report(Started(stage="pass"))
        passed = []
        for done, run in enumerate(wanted.values()):
            if run.run_id in known:
                passed.append(_add(run, source, target, report))
                _tell_under(passed[-1].run, experiment, report)
            else:
                passed.append(_pass(run, source, target, experiment))
            report(Progress(stage="pass", done=done + 1, total=len(wanted), unit="runs"))
        report(Ended(stage="pass"))
        return tuple(passed)


def _family(store: RunStore, run: Run) -> Iterator[Run]:
    yield run
    for child in store.children(run.run_id):
        yield from _family(store, child)


def _pass(run: Run, source: RunStore, target: RunStore, experiment: str | None) -> Passed:
    payload, amendments = _entries(run, source)
    if experiment not in (None, index_of(run).experiment):
        under = AmendmentDocument(run_id=run.run_id, kind=UNDER, content={"experiment": str(experiment)})
        amendments = (*amendments, encode(under))
    files, size = _bring_contents(run, source, target)
    _tell_folders(run, source, target)
    brought = target.bring(run, payload, amendments)
    return Passed(run=brought, new=True, files=files, bytes=size, amendments=len(amendments))


def _tell_folders(run: Run, source: RunStore, target: RunStore) -> None:
    """Has the data in folders that the run read found there, too, by the content of its files."""
    read = {state.digest for state in inputs_of(run) if state.kind == "folder" and state.digest is not None}
    for folder in sorted(read):
        manifest = folder_manifest(source.contents.files(folder))
        if Digest.of(manifest) == folder:
            target.contents.add_folder(manifest)


def _add(run: Run, source: RunStore, target: RunStore, report: Report) -> Passed:
    """Passes on what was added to a run that is there already."""
    _entries(run, source)
    there = target.find(run.run_id)
    if there.record != run.record:
        told = "is still running" if there.record is None else f"has another record: {there.record}"
        raise Altered(f"the other store has a run `{run.run_id}` already, which {told}")
    files, size = _bring_contents(run, source, target)
    added = _amend(run, there, target, report)
    return Passed(run=there, new=False, files=files, bytes=size, amendments=added)


def _entries(run: Run, source: RunStore) -> tuple[bytes, tuple[bytes, ...]]:
    """The bytes of a run's record and of what was added to it."""
    if run.record is None:
        raise StoreError(f"the run `{run.run_id}` has no record yet", hint="wait until it has ended")
    entries = tuple(source.entries(run_id=run.run_id))
    sealed = [entry.payload for entry in entries if entry.kind is EntryKind.RUN and entry.payload is not None]
    if not sealed:
        raise StoreError(f"the run `{run.run_id}` was brought in from another tool, and has no record")
    added = tuple(
        entry.payload for entry in entries if entry.kind is EntryKind.AMENDMENT and entry.payload is not None
    )
    if Digest.of(sealed[0]) != run.record:
        raise Altered(f"the record of run `{run.run_id}` has been altered")
    return sealed[0], added


def _tell_under(there: Run, experiment: str | None, report: Report) -> None:
    under = index_of(there).experiment
    if experiment not in (None, under):
        report(Note(message=f"run `{there.name}` is there already and stays under `{under}`"))


def _bring_contents(run: Run, source: RunStore, target: RunStore) -> tuple[int, int]:
    """Puts what the run names into the other store; how many files came, and bytes."""
    lost = set() if run.outcome is None else set(run.outcome.lost)
    references = [reference for reference in blobs_of(run) if reference.digest not in lost]
    source.blobs.bring([reference.digest for reference in references])
    named = dict.fromkeys(_named(references, source))
    held = set(named) - set(source.blobs.missing(named)) - lost
    lacking = iter(target.blobs.missing([digest for digest in named if digest in held]))
    files, size = 0, 0
    while some := tuple(islice(lacking, _AT_ONCE)):
        source.blobs.bring(some)
        paths = {source.blobs.path(digest): digest for digest in some}
        changed = target.blobs.add_files(paths.items())
        if changed:
            raise Altered(f"the content `{paths[changed[0]]}` of run `{run.run_id}` has been altered")
        files += len(some)
        size += sum(path.stat().st_size for path in paths)
    return files, size


def _named(references: Sequence[BlobReference], source: RunStore) -> Iterator[Digest]:
    for reference in references:
        yield reference.digest
        if reference.manifest and reference.digest in source.blobs:
            listed = read_manifest(source.blobs.path(reference.digest).read_bytes())
            yield from (digest for _, _, digest in listed)


def _amend(run: Run, there: Run, target: RunStore, report: Report) -> int:
    """Adds what was added to the run since it was passed on; what cannot be so is noted."""
    known = [(item.kind, item.content) for item in there.amendments]
    added = 0
    for item in run.amendments:
        if item.kind == UNDER:  # where it is there is not for us to say
            continue
        if (item.kind, item.content) in known:
            known.remove((item.kind, item.content))
            continue
        try:
            target.amend(run.run_id, item.kind, item.content)
            added += 1
        except StoreError as error:
            report(Note(message=f"what was added to run `{run.run_id}` is not passed on: {error.message}"))
    return added
