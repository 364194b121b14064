"""Further runs that a script began at a configured server: each is a child of the script's run here.

They are like those that a script begins at a run's own endpoint: of the same plan, and sealed with what they
logged. They are read once their parent's script has ended, and begun and sealed here one by one.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from mlproj.errors import Interrupted, MlprojError, RunNotFound
from mlproj.model.moment import milliseconds, moment_of
from mlproj.model.names import run_name
from mlproj.model.run import LEFT_OPEN, Outcome, Run, Usage
from mlproj.model.tracking import TrackedRun
from mlproj.services.mirror import RUN_TAG, STATUSES, Ending
from mlproj.services.readback import ReadBack, Reader, read_back
from mlproj.store_ports import RunStore

_STATUSES = {there: here for here, there in STATUSES.items()}


class Further(msgspec.Struct, frozen=True, kw_only=True):
    """A run that a script began at the server, which calls it `there`, as it is here; `known` where it is
    in the store already."""

    there: TrackedRun
    child: Run
    known: bool


def further_runs(reader: Reader, store: RunStore, parent: Run) -> Iterator[Further]:
    """The runs that the script of `parent` began at its server, but for those that were hidden or removed
    here. Raises StoreError."""
    assert parent.job is not None and parent.job.server is not None, "a run at a server has a job"
    uri = parent.job.server.uri
    children = {child.run_id: child for child in store.children(parent.run_id)}
    experiments: dict[str, str] = {}
    for there in reader.server.begun_in(parent.job.server.run_id, apart=RUN_TAG):
        run_id = _id_here(there, uri)
        if run_id in children:
            yield Further(there=there, child=children[run_id], known=True)
        elif not _is_known(store, run_id):
            number = there.experiment_id
            if number not in experiments:
                experiments[number] = reader.server.experiment(experiment_id=number).name
            child = _child(parent, there, run_id, experiments[number])
            yield Further(there=there, child=child, known=False)


def bring_in(reader: Reader, store: RunStore, further: Further, ending: Ending) -> MlprojError | None:
    """Begins and seals the run here, and returns why not all of it could be read, if so. One that its script
    left open is ended there as that script's own run, of which `ending` tells. Raises StoreError."""
    child, there = further.child, further.there
    with store.begin(child):
        try:
            if there.status not in _STATUSES:
                ending.tell(reader.server, there.run_id)
            read = read_back(reader, there, child)
        except MlprojError as error:
            read = ReadBack(failure=error)
        except Interrupted:
            store.seal(_ended(further, ReadBack(), ending, whole=False))
            raise
        store.seal(_ended(further, read, ending, whole=read.failure is None))
    return read.failure


def _id_here(there: TrackedRun, uri: str) -> str:
    """The server's id of a run, where it is of our form: so that it is found by what the script prints."""
    if re.fullmatch("[0-9a-f]{32}", there.run_id):
        return there.run_id
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{uri}#{there.run_id}").hex


def _is_known(store: RunStore, run_id: str) -> bool:
    try:
        store.index(run_id)
    except RunNotFound:
        return False
    return True


def _child(parent: Run, there: TrackedRun, run_id: str, experiment: str) -> Run:
    assert parent.job is not None and parent.job.server is not None, "a run at a server has a job"
    server = replace(parent.job.server, run_id=there.run_id, experiment_id=there.experiment_id)
    job = parent.job.below(parent.run_id, experiment=experiment, user=there.user, server=server)
    return Run(
        run_id=run_id,
        name=there.name or run_name(run_id),
        created=moment_of(there.started, parent.created),
        plan=parent.plan,
        job=job,
    )


def _ended(further: Further, read: ReadBack, ending: Ending, *, whole: bool) -> Run:
    there, child = further.there, further.child
    status = _STATUSES.get(there.status)
    ended = ending.ended if status is None else moment_of(there.ended, ending.ended)
    ended = max(child.created, ended)
    wall = (milliseconds(ended) or 0) - (milliseconds(child.created) or 0)
    outcome = Outcome(
        status=status or ending.status,
        exit_code=None,
        reason=LEFT_OPEN if status is None else None,
        started=child.created,
        ended=ended,
        usage=Usage(wall_s=0.0 if status is None else wall / 1000, cpu_s=0.0, peak_rss_bytes=0),
        outputs=read.outputs,
        server_read=whole,
    )
    return replace(child, outcome=outcome, status=outcome.status)
