"""The table of an experiment's runs, or of all: filtered, sorted, paged, with chosen columns, and with runs
below those that began them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from mlproj.errors import UsageError
from mlproj.model.search import Order, Search
from mlproj.model.tracking import Experiment, RunStatus, TrackedRun
from mlproj.model.tracking import Page as Part
from mlproj.server.pages.columns import Column, column, details, offered, order, usual
from mlproj.server.pages.experiments import NOTE, lifecycle
from mlproj.server.pages.family import Family, Member, among, parent_of, parents
from mlproj.server.pages.visit import Answer, Page, Shown, Visit
from mlproj.spec.filters import read_search
from mlproj.spec.searchable import Subject

KEPT = ("filter", "column", "limit", "state", "nested", "sort", "down")
"""What of a query stays where another page or order is asked for."""

_FLAT = "no"
_SIZES = (25, 50, 100, 200)
_MOST_EXPERIMENTS = 1000


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """The rows, the token of the next ones, and what is wrong with the filter."""

    family: Family = Family(members=())
    next: str | None = None
    fault: UsageError | None = None


def show_experiment(visit: Visit) -> Answer:
    experiment = visit.desk.tracking.experiments.get(visit.path["experiment_id"])
    return _table(visit, (experiment,), experiment)


def show_all(visit: Visit) -> Answer:
    return _table(visit, experiments_of(visit), None)


def experiments_of(visit: Visit) -> Sequence[Experiment]:
    """Those that runs are looked for in where none is named."""
    return visit.desk.tracking.experiments.search(Search(), Part(limit=_MOST_EXPERIMENTS))[0]


def _table(visit: Visit, those: Sequence[Experiment], experiment: Experiment | None) -> Answer:
    nested = _is_nested(visit)
    found = _found(visit, those, nested=nested)
    members = found.family.members
    rows = [details(member.run) for member in members]
    possible = offered(rows)
    chosen = _chosen(visit, possible)
    values = {
        "experiment": experiment,
        "note": "" if experiment is None else dict(experiment.tags).get(NOTE, ""),
        "names": {each.experiment_id: each.name for each in those},
        "rows": tuple(zip(members, rows, strict=True)),
        "nested": nested,
        "cut": found.family.cut,
        "above": _above(visit, those, [member.run for member in members if member.parent is None]),
        "next": found.next,
        "fault": found.fault,
        "possible": (*possible, *(each for each in chosen if each not in possible)),
        "chosen": chosen,
        "going": any(member.run.status is RunStatus.RUNNING for member in members),
        "kept": kept(visit, KEPT),
        "sizes": _SIZES,
        "limit": _limit(visit),
        "state": lifecycle(visit).value,
    }
    return Shown(template="runs.html", values=values, status=400 if found.fault else 200)


def _is_nested(visit: Visit) -> bool:
    """Whether runs stand below those that began them: what a filter finds, stands by itself."""
    return not visit.one("filter") and visit.one("nested") != _FLAT


def _found(visit: Visit, those: Sequence[Experiment], *, nested: bool) -> _Found:
    ids, by = [each.experiment_id for each in those], _order(visit)
    try:
        search = read_search(Subject.RUNS, visit.one("filter"))
        found, token = visit.desk.tracking.runs.search(
            ids,
            replace(search, order=by),
            Part(limit=_limit(visit), token=visit.one("page") or None),
            lifecycle=lifecycle(visit),
            on_top=nested,
        )
    except UsageError as error:
        return _Found(fault=error)
    if nested:
        family = among(visit, ids, found, order=by, lifecycle=lifecycle(visit))
    else:
        family = Family(members=tuple(Member(run=run, level=0) for run in found))
    return _Found(family=family, next=token)


def _above(visit: Visit, those: Sequence[Experiment], runs: Sequence[TrackedRun]) -> Mapping[str, TrackedRun]:
    """The runs that began these, in whatever experiment, by the ids of these."""
    if not any(map(parent_of, runs)):
        return {}
    anywhere = those if len(those) > 1 else experiments_of(visit)
    known = parents(visit, [each.experiment_id for each in anywhere], runs)
    return {run.run_id: known[parent_of(run)] for run in runs if parent_of(run) in known}


def _order(visit: Visit) -> tuple[Order, ...]:
    return order(visit.one("sort"), descending=visit.one("down") == "1")


def _limit(visit: Visit) -> int:
    limit = visit.whole("limit", _SIZES[1], _SIZES[-1])
    return limit if limit in _SIZES else _SIZES[1]


def _chosen(visit: Visit, possible: Sequence[Column]) -> tuple[Column, ...]:
    named = tuple(each for name in visit.several("column") if (each := column(name)) is not None)
    return named or usual(possible)


def kept(visit: Visit, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """What of the query has these names, and a value."""
    return tuple((name, value) for name, value in visit.query if value and name in names)


PAGES = (
    Page(path="/experiments/{experiment_id}", act=show_experiment),
    Page(path="/runs", act=show_all),
)
