"""Holds the runs that a script began against those that it began when it was done again: a pipeline's results
are those of its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from mlproj.compare.verdict import Grade, Item
from mlproj.model.record import was_brought
from mlproj.model.run import Run
from mlproj.model.tolerance import Allowed
from mlproj.services.verdicts import items_of
from mlproj.store_ports import RunStore

_DEEPEST = 20
"""So many runs within runs are followed: a record may come from anybody."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A step in the recorded run and when that was done again; None where it was not begun."""

    name: str
    before: Run | None
    after: Run | None


def items_with_steps(original: Run, again: Run, store: RunStore, allowed: Allowed) -> tuple[Item, ...]:
    """As `items_of`, followed by the items of each step under its name. Raises Altered likewise."""
    steps = (item for step in steps_of(original, again, store) for item in _items(step, store, allowed))
    return (*items_of(original, again, store.blobs, allowed), *steps)


def are_unknown(original: Run, store: RunStore) -> bool:
    """Whether nobody here knows which runs the script began: a bundle does not bring them along."""
    return was_brought(original) and not store.children(original.run_id)


def steps_of(original: Run, again: Run, store: RunStore, above: str = "") -> Iterator[Step]:
    """The steps of both, each followed by its own."""
    if are_unknown(original, store):
        return
    children = (store.children(original.run_id), store.children(again.run_id))
    for number, (before, after) in enumerate(_paired(*children), start=1):
        step = Step(name=f"{above}step {number}", before=before, after=after)
        yield step
        if before is not None and after is not None and step.name.count("/") < _DEEPEST:
            yield from steps_of(before, after, store, f"{step.name}/")


def _items(step: Step, store: RunStore, allowed: Allowed) -> Iterator[Item]:
    before, after = step.before, step.after
    if before is not None and after is not None:
        for item in items_of(before, after, store.blobs, allowed):
            yield replace(item, name=f"{step.name}/{item.name}")
        return
    told = [None if run is None else _called(run) for run in (before, after)]
    why = "it is new" if before is None else "it was not begun"
    yield Item(kind="step", name=step.name, grade=Grade.DIFFERENT, before=told[0], after=told[1], why=why)


def _called(run: Run) -> str:
    return run.name if run.plan is None else run.plan.entry_point


_ALIKE: tuple[Callable[[Run], object], ...] = (
    lambda run: (_identity(run), run.name),
    lambda run: _identity(run),
    _called,
)
"""What two runs have in common that are the same step, the surest first: steps begin in any order."""


def _identity(run: Run) -> object:
    identity = None if run.plan is None else run.plan.identity
    return run.run_id if identity is None else identity


def _paired(before: Sequence[Run], after: Iterable[Run]) -> Iterator[tuple[Run | None, Run | None]]:
    """The runs of `before` in their order, each with its like; then those that have none."""
    waiting = list(after)
    found: dict[str, Run] = {}
    for alike in _ALIKE:
        for run in before:
            like = next((one for one in waiting if alike(one) == alike(run)), None)
            if run.run_id not in found and like is not None:
                found[run.run_id] = like
                waiting.remove(like)
    yield from ((run, found.get(run.run_id)) for run in before)
    yield from ((None, run) for run in waiting)
