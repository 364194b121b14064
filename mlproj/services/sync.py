"""Completes the records of runs whose server was away at their end, each by amendments."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import msgspec

from mlproj.errors import MlprojError, UsageError
from mlproj.model.events import Report, Started
from mlproj.model.moment import milliseconds
from mlproj.model.run import Output, Run
from mlproj.model.tracking import RunStatus, TrackedRun
from mlproj.ports import RunQuery, RunStore
from mlproj.services.mirror import STATUSES
from mlproj.services.readback import read_back
from mlproj.settings import Limits
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
        return tuple(_synced(store, tracking, run, offices, report) for run in runs)


def _refuse(run: Run) -> None:
    if run.job is None or run.job.server is None:
        raise UsageError(f"the run `{run.name}` was at no server: its record is all that there is")
    if run.outcome is None:
        raise UsageError(f"the run `{run.name}` has not ended", hint="it is read back at its end")


def _synced(store: RunStore, tracking: Tracking, run: Run, offices: Offices, report: Report) -> Synced:
    assert run.job is not None and run.job.server is not None, "see above"
    at = run.job.server
    report(Started(stage="sync", detail=f"{run.name} from {at.uri}"))
    try:
        server = offices.server(at.uri)
        there = _ended(server, run)
    except MlprojError as error:
        return Synced(run=run, added=0, failure=error)
    read = read_back(server, there, tracking, run, offices.limits)
    known = store.index(run.run_id)["outputs"]
    for output in read.outputs:
        if not _is_known(output, known):
            store.amend(run.run_id, "output", _content(output))
    if read.failure is None and not is_complete(run):
        store.amend(run.run_id, SYNCED, {"server": at.uri, "run_id": at.run_id})
    amended = store.find(run.run_id)
    added = len(amended.amendments) - len(run.amendments)
    return Synced(run=amended, added=added, failure=read.failure)


def _ended(server: Server, run: Run) -> TrackedRun:
    """What the server says of the run. It is told that the run ended, if it does not know yet."""
    assert run.job is not None and run.job.server is not None and run.outcome is not None, "see above"
    there = server.run(run.job.server.run_id)
    status = STATUSES.get(run.outcome.status, RunStatus.FAILED)
    if there.status is not status or not there.ended:
        server.update(there.run_id, status=status, ended=milliseconds(run.outcome.ended))
    return there


def _is_known(output: Output, known: object) -> bool:
    assert isinstance(known, frozenset), "the index has a set of outputs"
    return any(path == output.path and digest in (output.digest, None) for path, _, digest, _ in known)


def _content(output: Output) -> dict[str, str]:
    digest = {} if output.digest is None else {"digest": str(output.digest)}
    return {"path": output.path, "state": output.state, "size": str(output.size), **digest}
