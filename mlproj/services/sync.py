"""Completes the records of runs whose server was away at their end, each by amendments."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import msgspec

from mlproj.errors import MlprojError, UsageError
from mlproj.model.events import Note, Report, Started
from mlproj.model.run import Output, Run
from mlproj.model.tracking import RunStatus, TrackedRun
from mlproj.services.further import Further, bring_in, further_runs
from mlproj.services.mirror import STATUSES, Ending, show_metrics
from mlproj.services.readback import Reader, is_ours, read_back
from mlproj.settings import Limits
from mlproj.store_ports import RunQuery, RunStore
from mlproj.tracking_ports import Server, Tracking

SYNCED = "synced"
"""The kind of the amendment that says: what the server held is in the record now."""


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """A run after it, how many amendments came, and why the record is not complete, if so."""

    run: Run
    added: int
    failure: MlprojError | None = None


class Offices(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes: the server at an address without credentials, and what the store tracks."""

    server: Callable[[str], Server]
    tracking: Callable[[RunStore], Tracking]
    limits: Limits = Limits()


def is_complete(run: Run) -> bool:
    """Whether the record holds all that a server holds of the run, as far as anybody knows."""
    if run.job is None or run.job.server is None or run.outcome is None:
        return True
    return bool(run.outcome.server_read) or any(item.kind == SYNCED for item in run.amendments)


def sync(store: RunStore, references: Sequence[str], offices: Offices, report: Report) -> tuple[Synced, ...]:
    """Reads the named runs back once more; without names, all whose records are not complete."""
    if references:
        runs = tuple(map(store.find, references))
        for run in runs:
            _refuse(run)
    else:
        runs = tuple(run for run in store.search(RunQuery(limit=None)) if not is_complete(run))
    if not runs:
        return ()
    with contextlib.closing(offices.tracking(store)) as tracking:
        return tuple(
            _synced(store, tracking, run, offices, report)
            for run in map(_now(store), reversed(runs))
            # What a run's script began is completed with it.
            if references or not is_complete(run)
        )


def _now(store: RunStore) -> Callable[[Run], Run]:
    return lambda run: store.find(run.run_id)


def _refuse(run: Run) -> None:
    if run.job is None or run.job.server is None:
        raise UsageError(f"the run `{run.name}` was at no server: its record is all that there is")
    if run.outcome is None:
        raise UsageError(f"the run `{run.name}` has not ended", hint="it is read back at its end")


def _synced(store: RunStore, tracking: Tracking, run: Run, offices: Offices, report: Report) -> Synced:
    assert run.job is not None and run.job.server is not None and run.outcome is not None, "see above"
    report(Started(stage="sync", detail=f"{run.name} from {run.job.server.uri}"))
    added, failure = 0, None
    try:
        reader = Reader(server=offices.server(run.job.server.uri), tracking=tracking, limits=offices.limits)
        there, ending = reader.server.run(run.job.server.run_id), Ending.of(run.outcome)
        if not is_complete(run):
            show_metrics(reader.server, there, ending, lambda message: report(Note(message=message)))
        _tell_end(reader.server, run, there, ending)
        added, failure = _completed(reader, store, run, there)
        if is_ours(there, run):
            for further in further_runs(reader, store, run):
                more, problem = _brought(reader, store, further, ending)
                added, failure = added + more, failure or problem
        if failure is None and not is_complete(run):
            store.amend(run.run_id, SYNCED, _place(run))
            added += 1
    except MlprojError as error:
        return Synced(run=store.find(run.run_id), added=added, failure=error)
    return Synced(run=store.find(run.run_id), added=added, failure=failure)


def _brought(
    reader: Reader, store: RunStore, further: Further, ending: Ending
) -> tuple[int, MlprojError | None]:
    """How many amendments and records came of a run that the script began, and why not all of them, if so."""
    if not further.known:
        return 1, bring_in(reader, store, further, ending)
    child = further.child
    added, failure = _completed(reader, store, child, further.there)
    if failure is None and not is_complete(child):
        store.amend(child.run_id, SYNCED, _place(child))
        added += 1
    return added, failure


def _completed(
    reader: Reader, store: RunStore, run: Run, there: TrackedRun
) -> tuple[int, MlprojError | None]:
    """Amends a record by what its server holds; says how many amendments that took, and why not all came."""
    assert run.outcome is not None, "see above"
    read = read_back(reader, there, run, Ending.of(run.outcome))
    known = store.index(run.run_id)["outputs"]
    for output in read.outputs:
        if not _is_known(output, known):
            store.amend(run.run_id, "output", _content(output))
    return len(store.find(run.run_id).amendments) - len(run.amendments), read.failure


def _tell_end(server: Server, run: Run, there: TrackedRun, ending: Ending) -> None:
    """Has the server say how the run ended, if it does not know yet; how one that a script began ended, the
    script has said, unless it left it open."""
    says = there.status is STATUSES.get(ending.status, RunStatus.FAILED) and bool(there.ended)
    if not says and (is_ours(there, run) or there.status not in STATUSES.values()):
        ending.tell(server, there.run_id)


def _place(run: Run) -> dict[str, str]:
    assert run.job is not None and run.job.server is not None, "see above"
    return {"server": run.job.server.uri, "run_id": run.job.server.run_id}


def _is_known(output: Output, known: object) -> bool:
    assert isinstance(known, frozenset), "the index has a set of outputs"
    return any(path == output.path and digest in (output.digest, None) for path, _, digest, _ in known)


def _content(output: Output) -> dict[str, str]:
    digest = {} if output.digest is None else {"digest": str(output.digest)}
    return {"path": output.path, "state": output.state, "size": str(output.size), **digest}
