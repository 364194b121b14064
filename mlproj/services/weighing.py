"""The verdict on a run that was done again, with what was varied and what may have made it differ."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec
from msgspec.structs import replace

from mlproj.compare.causes import Cause, causes_of
from mlproj.compare.runs import compare_runs
from mlproj.compare.verdict import Failure, Grade, Item, Verdict, worst
from mlproj.model.run import Run
from mlproj.model.tolerance import Named, tolerance_of
from mlproj.services.diff import contents_of
from mlproj.services.rerunning import Wish
from mlproj.services.steps import are_unknown, items_with_steps, steps_of
from mlproj.services.verdicts import together
from mlproj.store_ports import RunStore

NOTHING = "the run wrote no outputs and logged no metrics: only how it ended was compared"


NO_STEPS = "the runs that its script began are not in this store, and were not compared"


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a wish: the runs that were carried out, and what kept it from going on, if anything."""

    wish: Wish
    runs: tuple[Run, ...]
    failure: Failure | None
    declared: tuple[Named, ...] = ()
    """The tolerances of the project."""


def weigh(found: Again, store: RunStore) -> Verdict:
    """The verdict. Raises Altered where what was recorded of either run is not what it was."""
    wish, original = found.wish, found.wish.run
    named = (*wish.tolerances, *found.declared)
    allowed = partial(tolerance_of, named=named)
    items, spread = together([items_with_steps(original, run, store, allowed) for run in found.runs])
    failure = found.failure or _ended(items)
    grade = Grade.FAILED if failure is not None else worst([item.grade for item in items])
    notes = (
        (NOTHING, not items[1:] and failure is None),
        (NO_STEPS, are_unknown(original, store) and any(store.children(run.run_id) for run in found.runs)),
    )
    return Verdict(
        original=original.run_id,
        record=original.record,
        runs=tuple(run.run_id for run in found.runs),
        grade=grade,
        times=wish.times,
        items=items,
        failure=failure,
        variations=tuple(sentence for _, sentence in variations(wish)),
        causes=tuple(_causes(found, spread, grade, store)),
        notes=(*_secrets(wish), *(note for note, is_so in notes if is_so)),
    )


def _secrets(wish: Wish) -> Iterator[str]:
    """What nobody can tell of parameters whose values are in no record."""
    plan = wish.run.plan
    for item in () if plan is None else plan.parameters:
        if item.text is None and item.name in wish.parameters:
            yield f"the secret parameter `{item.name}` was given anew: no record tells whether it is the same"


def variations(wish: Wish) -> Iterator[tuple[str, str]]:
    """What is to be another than was recorded: the part of the plan, and a sentence."""
    plan = wish.run.plan
    recorded = {} if plan is None else {item.name: item.text for item in plan.parameters}
    for name, text in wish.parameters.items():
        if name not in recorded or recorded[name] not in (None, text):
            yield "parameters", f"parameter `{name}`: {recorded.get(name) or 'not given'} -> {text}"
    for name, path in wish.override_data.items():
        yield "inputs", f"data `{name}`: taken from `{path}`"
    if wish.override_env is not None:
        yield "lock", f"environment: the lock in `{wish.override_env}`"
    if wish.from_git:
        yield "source", "source: fetched from the recorded repository, and found to be the recorded one"


def _ended(items: tuple[Item, ...]) -> Failure | None:
    status = next((item for item in items if item.kind == "status"), None)
    if status is None or status.grade is not Grade.FAILED:
        return None
    return Failure(stage="execution", reason=status.why or f"it ended as {status.after}")


def _between(before: Run, after: Run, store: RunStore) -> tuple[Cause, ...]:
    contents = (contents_of(store.blobs, before), contents_of(store.blobs, after))
    return causes_of(compare_runs(before, after, contents))


def _causes(found: Again, spread: tuple[str, ...], grade: Grade, store: RunStore) -> Iterator[Cause]:
    if not found.runs:
        return
    original, last = found.wish.run, found.runs[-1]
    yield from _between(original, last, store)
    for step in steps_of(original, last, store):
        if step.before is not None and step.after is not None:
            for cause in _between(step.before, step.after, store):
                yield replace(cause, details=tuple(f"{step.name}: {told}" for told in cause.details))
    if spread:
        names = tuple(f"`{name}` differs from run to run" for name in spread)
        yield Cause(kind="randomness", details=names)
    elif len(found.runs) == 1 and grade is Grade.DIFFERENT:
        yield Cause(
            kind="randomness",
            details=("not told apart yet: `--times 3` tells whether it differs from run to run",),
        )
