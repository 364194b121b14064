"""What came of doing runs again, and which run was of the same commit, as far as the caller may see them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mlproj.model.run import Run
from mlproj.server.pages.visit import Visit
from mlproj.store_ports import Condition, RunQuery

VERDICT = "reproduction"
"""The kind of the amendment in which a run's record keeps to which other run it is a reproduction."""

_MOST = 50


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What came of doing a run again: the run that did, the one it is of, and the grade if one was given."""

    run_id: str
    name: str
    of: str
    grade: str | None
    time: str


def verdicts(visit: Visit, record: Run) -> Sequence[Verdict]:
    """What is known of how this run was done again, and of what it is itself a reproduction."""
    assert visit.desk.store is not None
    query = RunQuery(
        conditions=(Condition(field="reproduces", operator="=", value=record.run_id),), limit=_MOST
    )
    again = [each for each in visit.desk.store.search(query) if visit.seen(each.run_id) is not None]
    found = [verdict for each in (record, *again) for verdict in _told(each)]
    return [verdict for verdict in found if visit.seen(verdict.of) is not None]


def clean(visit: Visit, record: Run) -> Run | None:
    """The last run of the commit that this one's source was changed from, as it had been committed: the two
    compared are the patch. None where the source is as its commit, or nobody ran that."""
    assert visit.desk.store is not None
    source = None if record.job is None else record.job.source
    if source is None or source.commit is None or not source.dirty:
        return None
    of_commit = Condition(field="commit", operator="=", value=source.commit)
    as_committed = Condition(field="dirty", operator="=", value="false")
    found = visit.desk.store.search(RunQuery(conditions=(of_commit, as_committed), limit=_MOST))
    return next((each for each in found if visit.seen(each.run_id) is not None), None)


def _told(run: Run) -> Sequence[Verdict]:
    graded = [
        Verdict(
            run_id=run.run_id,
            name=run.name,
            of=item.content.get("of", ""),
            grade=item.content.get("verdict"),
            time=item.time,
        )
        for item in run.amendments
        if item.kind == VERDICT
    ]
    if graded or run.reproduces is None:
        return graded
    return [Verdict(run_id=run.run_id, name=run.name, of=run.reproduces, grade=None, time=run.created)]
