"""Whole runs over HTTP: begun, sealed, found, changed; and the chain that holds them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from mlproj import store_wire as wire
from mlproj.errors import NotTaken, StoreError
from mlproj.exports.dsse import read_envelope
from mlproj.exports.intoto import PAYLOAD_TYPE, says_the_same
from mlproj.model.access import Level
from mlproj.model.bundle import ATTACHED
from mlproj.model.digest import Digest
from mlproj.model.entries import read_amendment
from mlproj.model.index import index_of
from mlproj.model.record import ATTESTED, Entry, blobs_added, blobs_of, read_document
from mlproj.model.registry import RunModels, Standing
from mlproj.model.run import Amendment, Run, Status
from mlproj.server.failures import invalid
from mlproj.server.routes import store_contents, store_garbage, store_uploads
from mlproj.server.seen_contents import SeenContents
from mlproj.server.store_view import View
from mlproj.store_ports import Listed
from mlproj.store_wire import Question

_AT_ONCE = 200
_CONDITIONS = 200
_NAMING = (ATTACHED, ATTESTED)
"""Kinds of amendments that name content which the store is to hold."""
_LEAVING = "output"
"""The kind that names what need not be here."""


class StoreRoute(msgspec.Struct, frozen=True):
    """What is asked, and the function that answers. Types are erased: one table holds many."""

    question: Question
    act: Callable[[View, Any], Any]


def begin(view: View, asked: wire.Begin) -> wire.Begun:
    run = _bare(asked.run)
    view.enter(_experiment(run))
    view.caller.note("run", run.run_id, changes=True)
    # Only with its seal comes what it can show.
    experiment_id = view.store.reception.open(run, SeenContents(view).not_shown(run, _named(run)))
    users = view.desk.users
    token = users.run_token(run.run_id, view.caller.name) if asked.logs and users is not None else None
    return wire.Begun(experiment_id=experiment_id, token=token)


def seal(view: View, asked: wire.Seal) -> Run:
    run, reception = _bare(asked.run), view.store.reception
    if run.outcome is None:
        raise NotTaken(f"run `{run.run_id}` cannot be recorded: a run without an outcome cannot be sealed")
    view.write(run.run_id)
    if not reception.is_open(run.run_id):
        raise NotTaken(f"the run `{run.run_id}` is sealed already")
    if not _is_same(view.store.find(run.run_id), run):
        raise NotTaken(f"run `{run.run_id}` cannot be sealed: it is not the one that was begun")
    view.refuse_unknown(run, blobs_of(run))
    named, shown = _named(run), {Digest.of(folder) for folder in asked.folders}
    silent = SeenContents(view).not_shown(run, named - shown)
    reception.note_unshown(run.run_id, silent, named - silent)
    for folder in asked.folders:
        view.store.contents.add_folder(folder)
    sealed = reception.seal(run)
    if view.desk.users is not None:
        view.desk.users.end_run_tokens(run.run_id)
    if asked.lease is not None:
        reception.let_go(asked.lease)
    return sealed


def _bare(run: Run) -> Run:
    """What a runner tells of its run, without what a store alone says of one."""
    status = Status.RUNNING if run.outcome is None else run.outcome.status
    return replace(
        run, status=status, deleted=False, record=None, sequence=None, amendments=(), imported=None
    )


def _is_same(begun: Run, run: Run) -> bool:
    """Whether a run is what it was begun as, as far as that says whose it is."""
    return begun.run_id == run.run_id and _experiment(replace(begun, amendments=())) == _experiment(run)


def _experiment(run: Run) -> str:
    """The experiment that a run says it is of. Raises StoreError for one that nobody could find again."""
    try:
        return index_of(run).experiment
    except (ValueError, OverflowError) as error:
        raise NotTaken(f"run `{run.run_id}` cannot be recorded: {error}") from error


def _named(run: Run) -> frozenset[Digest]:
    """What a run says that it read or left, be it held or not."""
    index = index_of(run)
    return frozenset(Digest(row[2]) for row in (*index.inputs, *index.outputs) if row[2] is not None)


def alive(view: View, asked: wire.Alive) -> None:
    if asked.run_id is not None:
        view.write(asked.run_id)
        view.store.reception.hear(asked.run_id)
    if asked.lease is not None:
        view.send()
        view.store.reception.keep(asked.lease)


def has_source(view: View, asked: wire.Source) -> bool:
    view.send()
    known = asked.source.snapshot in view.knows((asked.source.snapshot,), ())
    return view.store.reception.keep(asked.lease, asked.source if known else None)


def find(view: View, asked: wire.Reference) -> Run:
    return view.store.find(asked.reference, view.within)


def search(view: View, asked: wire.Search) -> tuple[Run, ...]:
    if len(asked.query.conditions) > _CONDITIONS:
        raise invalid(f"at most {_CONDITIONS} conditions are asked for at once")
    return view.store.search(replace(asked.query, within=view.within))


def children(view: View, asked: wire.OfRun) -> tuple[Run, ...]:
    return view.seen_runs(view.store.children(asked.run_id)) if view.sees(asked.run_id) else ()


def models(view: View, asked: wire.OfRun) -> RunModels:
    if not view.sees(asked.run_id):
        return RunModels()
    found, seen = view.store.models(asked.run_id), SeenContents(view)
    used = tuple(use for use in found.used if seen.sees_model(use.model))
    versions = tuple(version for version in found.versions if seen.sees_version(version))
    return RunModels(used=used, versions=versions)


def listing(view: View, asked: wire.Asked) -> tuple[Listed, ...]:
    return tuple(row for row in view.store.listing() if view.sees(row.run_id))


def indexes(view: View, asked: wire.OfRuns) -> dict[str, Any]:
    return dict(view.store.indexes(view.seen(asked.run_ids)))


def experiment_of(view: View, asked: wire.OfRun) -> str:
    view.read(asked.run_id)
    return view.store.experiment_of(asked.run_id)


def experiment(view: View, asked: wire.Numbered) -> str:
    if view.within is not None and asked.identifier not in view.within:
        raise StoreError(
            f"there is no experiment with the id `{asked.identifier}`",
            hint="name it with `--experiment-name`, which makes it if need be",
        )
    return view.store.experiment(asked.identifier)


def hide(view: View, asked: wire.Hide) -> None:
    for run_id in asked.run_ids:
        view.write(run_id, Level.MANAGE)
    view.store.hide(*asked.run_ids, hidden=asked.hidden)


def rename(view: View, asked: wire.Rename) -> None:
    view.write(asked.run_id)
    view.store.rename(asked.run_id, asked.name)


def amend(view: View, asked: wire.Amend) -> None:
    view.write(asked.run_id)
    if asked.kind in _NAMING:
        added = Amendment(sequence=0, time="", kind=asked.kind, content=asked.content)
        try:
            references = tuple(blobs_added((added,)))
        except ValueError as error:
            raise NotTaken(
                f"the run `{asked.run_id}` cannot be amended with that {asked.kind}: {error}"
            ) from error
        run = view.store.find(asked.run_id)
        view.refuse_unknown(run, references)
        _refuse_odd_statements(view, run, (added,))
    elif asked.kind == _LEAVING and "digest" in asked.content:
        named = (store_contents.digest_in(asked.content["digest"]),)
        silent = SeenContents(view).not_shown(view.store.find(asked.run_id), named)
        view.store.reception.note_unshown(asked.run_id, silent)
    view.store.amend(asked.run_id, asked.kind, asked.content)


def _refuse_odd_statements(view: View, run: Run, amendments: Sequence[Amendment]) -> None:
    """Raises NotTaken for an attestation that does not say what the record says: whoever verifies the store
    would take it for an altered one."""
    for amendment in amendments:
        if amendment.kind != ATTESTED:
            continue
        try:
            envelope = read_envelope(
                view.store.blobs.path(Digest(amendment.content["envelope"])).read_bytes()
            )
        except (KeyError, ValueError, OSError) as error:
            raise NotTaken(f"the attestation of run `{run.run_id}` cannot be read: {error}") from error
        if envelope.payload_type != PAYLOAD_TYPE or not says_the_same(run, envelope.payload):
            raise NotTaken(f"the attestation of run `{run.run_id}` does not say what its record says")


def bring(view: View, asked: wire.Bring) -> Run:
    """What the record itself says counts, and not what is said of it."""
    try:
        run = read_document(asked.payload, name=asked.run.name)
        amendments = tuple(map(_amendment, asked.amendments))
        added = tuple(blobs_added(amendments))
        experiment = _experiment(replace(run, amendments=amendments))
    except (KeyError, ValueError) as error:
        raise NotTaken(f"run `{asked.run.run_id}` cannot be recorded: {error}") from error
    view.enter(experiment)
    view.caller.note("run", run.run_id, changes=True)
    view.refuse_unknown(run, (*blobs_of(run), *added))
    _refuse_odd_statements(view, replace(run, record=Digest.of(asked.payload)), amendments)
    named = SeenContents(view).not_shown(run, _named(replace(run, amendments=amendments)))
    return view.store.reception.bring(run, asked.payload, asked.amendments, named)


def _amendment(content: bytes) -> Amendment:
    document = read_amendment(content)
    return Amendment(sequence=0, time="", kind=document.kind, content=document.content)


def entries(view: View, asked: wire.Chain) -> tuple[Entry, ...]:
    """A stretch of the chain. Whoever may not read every run has no use for it: it could not be checked."""
    if asked.run_id is None:
        view.refuse_others("the whole chain")
    elif not view.sees(asked.run_id):
        return ()
    found = view.store.entries(*asked.kinds, after=asked.after, run_id=asked.run_id)
    return tuple(itertools.islice(found, _AT_ONCE))


def head(view: View, asked: wire.Asked) -> tuple[int, str]:
    """As the whole chain, whose length it tells."""
    view.refuse_others("the whole chain")
    return view.store.head()


def faults(view: View, asked: wire.Asked) -> tuple[str, ...]:
    view.refuse_others("a look at the database")
    return view.store.faults()


def registry(view: View, asked: wire.Asked) -> tuple[Standing, ...]:
    view.refuse_others("how all registered models stand")
    return view.store.registry()


ROUTES: tuple[StoreRoute, ...] = (
    StoreRoute(wire.BEGIN, begin),
    StoreRoute(wire.SEAL, seal),
    StoreRoute(wire.ALIVE, alive),
    StoreRoute(wire.HAS_SOURCE, has_source),
    StoreRoute(wire.FIND, find),
    StoreRoute(wire.SEARCH, search),
    StoreRoute(wire.CHILDREN, children),
    StoreRoute(wire.MODELS, models),
    StoreRoute(wire.LISTING, listing),
    StoreRoute(wire.INDEXES, indexes),
    StoreRoute(wire.EXPERIMENT_OF, experiment_of),
    StoreRoute(wire.EXPERIMENT, experiment),
    StoreRoute(wire.HIDE, hide),
    StoreRoute(wire.RENAME, rename),
    StoreRoute(wire.AMEND, amend),
    StoreRoute(wire.BRING, bring),
    StoreRoute(wire.ENTRIES, entries),
    StoreRoute(wire.HEAD, head),
    StoreRoute(wire.FAULTS, faults),
    StoreRoute(wire.REGISTRY, registry),
    *(StoreRoute(question, act) for question, act in store_contents.ANSWERS),
    *(StoreRoute(question, act) for question, act in store_uploads.ANSWERS),
    *(StoreRoute(question, act) for question, act in store_garbage.ANSWERS),
)
