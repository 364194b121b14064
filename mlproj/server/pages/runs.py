"""The table of an experiment's runs, or of all: filtered, sorted, paged, with chosen columns."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from mlproj.errors import UsageError
from mlproj.model.search import Search
from mlproj.model.tracking import Experiment, RunStatus, TrackedRun
from mlproj.model.tracking import Page as Part
from mlproj.server.pages.columns import Column, column, details, offered, order, usual
from mlproj.server.pages.experiments import NOTE, lifecycle
from mlproj.server.pages.visit import Answer, Page, Shown, Visit
from mlproj.spec.filters import read_search
from mlproj.spec.searchable import Subject

_SIZES = (25, 50, 100, 200)
_MOST_EXPERIMENTS = 1000


def show_experiment(visit: Visit) -> Answer:
    experiment = visit.desk.tracking.experiments.get(visit.path["experiment_id"])
    return _table(visit, (experiment,), experiment)


def show_all(visit: Visit) -> Answer:
    found, _ = visit.desk.tracking.experiments.search(Search(), Part(limit=_MOST_EXPERIMENTS))
    return _table(visit, found, None)


def _table(visit: Visit, among: Sequence[Experiment], experiment: Experiment | None) -> Answer:
    found, token, fault = _found(visit, among)
    rows = tuple(map(details, found))
    possible = offered(rows)
    chosen = _chosen(visit, possible)
    values = {
        "experiment": experiment,
        "note": "" if experiment is None else dict(experiment.tags).get(NOTE, ""),
        "names": {each.experiment_id: each.name for each in among},
        "rows": tuple(zip(found, rows, strict=True)),
        "next": token,
        "fault": fault,
        "possible": (*possible, *(each for each in chosen if each not in possible)),
        "chosen": chosen,
        "going": any(run.status is RunStatus.RUNNING for run in found),
        "kept": _kept(visit),
        "sizes": _SIZES,
        "limit": _limit(visit),
        "state": lifecycle(visit).value,
    }
    return Shown(template="runs.html", values=values, status=400 if fault else 200)


def _found(
    visit: Visit, among: Sequence[Experiment]
) -> tuple[Sequence[TrackedRun], str | None, UsageError | None]:
    """The runs, the token of the next ones, and what is wrong with the filter."""
    try:
        search = read_search(Subject.RUNS, visit.one("filter"))
        by = order(visit.one("sort"), descending=visit.one("down") == "1")
        found, token = visit.desk.tracking.runs.search(
            [each.experiment_id for each in among],
            replace(search, order=by),
            Part(limit=_limit(visit), token=visit.one("page") or None),
            lifecycle=lifecycle(visit),
        )
    except UsageError as error:
        return (), None, error
    return found, token, None


def _limit(visit: Visit) -> int:
    limit = visit.whole("limit", _SIZES[1], _SIZES[-1])
    return limit if limit in _SIZES else _SIZES[1]


def _chosen(visit: Visit, possible: Sequence[Column]) -> tuple[Column, ...]:
    named = tuple(each for name in visit.several("column") if (each := column(name)) is not None)
    return named or usual(possible)


def _kept(visit: Visit) -> tuple[tuple[str, str], ...]:
    """What of the query stays where another page or order is asked for."""
    return tuple(
        (name, value)
        for name, value in visit.query
        if value and name in ("filter", "column", "limit", "state", "sort", "down")
    )


PAGES = (
    Page(path="/experiments/{experiment_id}", act=show_experiment),
    Page(path="/runs", act=show_all),
)
