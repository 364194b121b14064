"""A run that somebody names by the beginning of its id or by its name, as `mlproj show` takes it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import quote

from mlproj.model.search import AnyOf, Comparison, Expression, Key, Kind, Operator, Search
from mlproj.model.tracking import Page as Part
from mlproj.model.tracking import TrackedRun
from mlproj.server.pages.runs import experiments_of
from mlproj.server.pages.visit import Answer, GoTo, Shown, Visit

_MOST = 20
_WHOLE = 32
"""Characters of an id."""
_BEGINNING = re.compile(r"[0-9a-f]{4,31}")


def meant(visit: Visit, reference: str) -> Answer:
    """Goes on to the run where there is one alone; else what there is, and what to do."""
    found = _found(visit, reference)
    if len(found) == 1:
        return GoTo(path=f"/runs/{quote(found[0].run_id, safe='')}")
    values = {"reference": reference, "found": found, "most": _MOST}
    return Shown(template="meant.html", values=values, status=404)


def names_of_runs(visit: Visit, experiment_id: str, run_ids: Collection[str | None]) -> Mapping[str, str]:
    """What the runs of an experiment are called, by their ids: as far as they are there to be seen."""
    wanted = sorted(run_id for run_id in run_ids if run_id)
    if not wanted:
        return {}
    where = _compared("run_id", Operator.IN, *wanted)
    found, _ = visit.desk.tracking.runs.search((experiment_id,), Search(where=where), Part(limit=len(wanted)))
    return {run.run_id: run.name for run in found}


def _found(visit: Visit, reference: str) -> Sequence[TrackedRun]:
    named: Expression = _compared("run_name", Operator.EQUAL, reference)
    if _BEGINNING.fullmatch(reference):
        named = AnyOf((named, _compared("run_id", Operator.LIKE, f"{reference}%")))
    elif len(reference) == _WHOLE or not reference:
        return ()
    ids = [each.experiment_id for each in experiments_of(visit)]
    # What is deleted can be restored from its page.
    found, _ = visit.desk.tracking.runs.search(ids, Search(where=named), Part(limit=_MOST), lifecycle=None)
    return found


def _compared(name: str, operator: Operator, *values: str) -> Comparison:
    return Comparison(key=Key(kind=Kind.ATTRIBUTE, name=name), operator=operator, values=values)
