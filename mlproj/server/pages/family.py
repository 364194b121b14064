"""Runs below the runs that began them, as a tree is told in rows: by how deep each lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from mlproj.model.search import Comparison, Key, Kind, Operator, Order, Search
from mlproj.model.tracking import PARENT, Lifecycle, Page, TrackedRun
from mlproj.server.pages.visit import Visit

DEEPEST = 6
"""So many generations are shown below the first."""

_MOST_OF_ONE = 10
"""So many of the runs that one began are shown below it where it is one among others."""
_MOST = 200
"""So many are looked for in a generation."""
_BELOW = Key(kind=Kind.TAG, name=PARENT)


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A run, how deep it lies below the first, by what run it was begun, and how many more that one began
    after which it is the last that is shown."""

    run: TrackedRun
    level: int
    parent: TrackedRun | None = None
    more: int = 0


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """With `cut`, there were too many to look at all of them."""

    members: tuple[Member, ...]
    cut: bool = False


def among(
    visit: Visit,
    experiment_ids: Sequence[str],
    tops: Sequence[TrackedRun],
    *,
    order: tuple[Order, ...] = (),
    lifecycle: Lifecycle = Lifecycle.ACTIVE,
) -> Family:
    """These runs, each followed by those that it began, which are in the experiments and sorted alike."""
    below: dict[str, list[TrackedRun]] = {}
    seen = {run.run_id for run in tops}
    generation, cut = list(tops), False
    for _ in range(DEEPEST):
        if not generation:
            break
        found, token = visit.desk.tracking.runs.search(
            experiment_ids,
            Search(where=begun_by([run.run_id for run in generation]), order=order),
            Page(limit=_MOST),
            lifecycle=lifecycle,
        )
        cut = cut or token is not None
        # Tags may lead in a circle.
        generation = [run for run in found if run.run_id not in seen]
        seen |= {run.run_id for run in generation}
        for run in generation:
            below.setdefault(parent_of(run), []).append(run)
    shown = _MOST_OF_ONE if len(tops) > 1 else _MOST
    members = tuple(member for run in tops for member in _members(run, below, shown))
    return Family(members=members, cut=cut)


def begun_by(run_ids: Sequence[str]) -> Comparison:
    """That a run was begun by one of these."""
    return Comparison(key=_BELOW, operator=Operator.IN, values=tuple(run_ids))


def parents(
    visit: Visit, experiment_ids: Sequence[str], runs: Sequence[TrackedRun]
) -> Mapping[str, TrackedRun]:
    """Of runs the ones that began them, by their ids: as far as they are there to be seen."""
    known = {run.run_id: run for run in runs}
    wanted = sorted({parent_of(run) for run in runs} - set(known) - {""})
    if wanted:
        key = Key(kind=Kind.ATTRIBUTE, name="run_id")
        where = Comparison(key=key, operator=Operator.IN, values=tuple(wanted))
        found, _ = visit.desk.tracking.runs.search(
            experiment_ids, Search(where=where), Page(limit=len(wanted))
        )
        known |= {run.run_id: run for run in found}
    return known


def ancestors(visit: Visit, run: TrackedRun) -> Sequence[TrackedRun]:
    """The run that began it, before that the one that began that one, and so on."""
    found: list[TrackedRun] = []
    seen = {run.run_id}
    above = visit.seen(parent_of(run))
    while above is not None and above.run_id not in seen and len(found) < DEEPEST:
        found.insert(0, above)
        seen.add(above.run_id)
        above = visit.seen(parent_of(above))
    return found


def parent_of(run: TrackedRun) -> str:
    """The id of the run that began it, as it says; empty where none did."""
    return dict(run.tags).get(PARENT, "")


def _members(top: TrackedRun, below: Mapping[str, Sequence[TrackedRun]], most: int) -> Iterator[Member]:
    waiting = [Member(run=top, level=0)]
    while waiting:
        member = waiting.pop()
        yield member
        own = below.get(member.run.run_id, ())
        shown = own[:most]
        for place, run in reversed(list(enumerate(shown, 1))):
            more = len(own) - most if place == most else 0
            waiting.append(Member(run=run, level=member.level + 1, parent=member.run, more=max(0, more)))
