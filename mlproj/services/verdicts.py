"""Holds runs that were done again against the one that they do again, and says what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from msgspec.structs import replace

from mlproj.compare.judgement import Likeness
from mlproj.compare.spread import spread_of
from mlproj.compare.verdict import Grade, Item, worst
from mlproj.model.logged import number_of
from mlproj.model.run import Output, Run, Status
from mlproj.model.tolerance import EXACT, Allowed, Tolerance
from mlproj.services.judging import judge_output
from mlproj.services.series import series
from mlproj.store_ports import BlobStore

ANYTHING = Tolerance(absolute=1e308)
"""Accepts every number."""

MODELS = "models"
"""The folder of the models that a script logged, among the outputs."""

OF_THE_MACHINE = "system/"
"""Begins the metrics in which MLflow's client tells of the machine: no two runs have the same."""


def items_of(original: Run, again: Run, blobs: BlobStore, allowed: Allowed) -> tuple[Item, ...]:
    """Everything that there is to compare of two runs: how they ended, their outputs, their metrics.

    Raises Altered where what was recorded is not what it was.
    """
    metrics = tuple(_metrics(original, again, blobs, allowed))
    files = () if original.plan is None else original.plan.metrics
    outputs = _outputs(original, again, blobs, lambda path: ANYTHING if path in files else allowed(path))
    return (
        _status(original, again),
        *(_as_metrics(item, metrics) if item.name in files else item for item in outputs),
        *metrics,
    )


def grade_of(original: Run, again: Run, blobs: BlobStore, allowed: Allowed) -> Grade:
    """What the results of a run are to those of an earlier one. Raises Altered."""
    return worst([item.grade for item in items_of(original, again, blobs, allowed)])


def together(runs: Sequence[tuple[Item, ...]]) -> tuple[tuple[Item, ...], tuple[str, ...]]:
    """The items of several runs as one list, each with its worst grade and what the runs together tell of it;
    and the names of those in which the runs differ among themselves."""
    if len(runs) < 2:
        return tuple(chain.from_iterable(runs)), ()
    found: dict[tuple[str, str], list[Item]] = {}
    for item in chain.from_iterable(runs):
        found.setdefault((item.kind, item.name), []).append(item)
    merged = tuple(_merged(alike) for alike in found.values())
    spread = tuple(items[0].name for items in found.values() if len({item.after for item in items}) > 1)
    return merged, spread


def _merged(items: list[Item]) -> Item:
    grade = worst([item.grade for item in items])
    chosen = next(item for item in items if item.grade is grade)
    values = tuple(dict.fromkeys(item.after for item in items))
    why = chosen.why
    if len(values) > 1:
        told = _spread(chosen, items) if chosen.kind == "metric" else None
        why = told or f"{len(values)} of {len(items)} runs differ among themselves: spread from run to run"
    elif not grade.is_reproduced:
        why = "; ".join(filter(None, (chosen.why, f"all {len(items)} runs came to the same: drift")))
    after = chosen.after if len(values) == 1 else " | ".join(value or "nothing" for value in values[:5])
    return Item(kind=chosen.kind, name=chosen.name, grade=grade, before=chosen.before, after=after, why=why)


def _spread(item: Item, items: list[Item]) -> str | None:
    """What the values of a metric in several runs say of the recorded one."""
    if item.before is None or any(one.after is None for one in items):
        return None
    spread = spread_of([number_of(one.after) for one in items if one.after is not None])
    if spread is None:
        return None
    values = f"{len(items)} runs came to {spread.lowest:.6g} to {spread.highest:.6g}"
    if spread.holds(number_of(item.before)):
        return f"{values}, and the recorded value is one that such runs come to: spread, not drift"
    return f"{values}, and the recorded value is none that such runs come to: drift beyond the spread"


def _status(original: Run, again: Run) -> Item:
    before, after = _ended(original), _ended(again)
    if before == after:
        grade = Grade.IDENTICAL
    elif original.status is Status.FINISHED:
        grade = Grade.FAILED
    else:
        grade = Grade.DIFFERENT
    why = None if before == after or again.outcome is None else again.outcome.reason
    return Item(kind="status", name="status", grade=grade, before=before, after=after, why=why)


def _ended(run: Run) -> str:
    code = None if run.outcome is None else run.outcome.exit_code
    return run.status.value if code in (None, 0) else f"{run.status.value} (exit code {code})"


def _outputs(original: Run, again: Run, blobs: BlobStore, allowed: Allowed) -> Iterator[Item]:
    before, after = _by_path(original), _by_path(again)
    for path in dict.fromkeys((*before, *after)):
        item = _output(path, before.get(path), after.get(path), blobs, allowed)
        if item is not None:
            yield item


def _as_metrics(item: Item, metrics: Sequence[Item]) -> Item:
    """A file of metrics, of which only numbers differ, is as good as the metrics are, each of which has a
    tolerance of its own."""
    if item.grade is not Grade.EQUIVALENT:
        return item
    grade = worst([Grade.EQUIVALENT, *(metric.grade for metric in metrics)])
    return replace(item, grade=grade, why="its numbers are judged as the metrics that they are")


def _by_path(run: Run) -> Mapping[str, Output]:
    """The outputs, those of a logged model by its number: each run gives it an id of its own."""
    if run.outcome is None:
        return {}
    logged = () if run.outcome.logged is None else run.outcome.logged.models
    made = dict.fromkeys(use.model_id for use in logged if use.direction == "output")
    numbers = {model_id: f"{MODELS}/{number}" for number, model_id in enumerate(made, start=1)}
    return {_numbered(output.path, numbers): output for output in run.outcome.outputs}


def _numbered(path: str, numbers: Mapping[str, str]) -> str:
    folder, _, rest = path.partition("/")
    model_id, slash, name = rest.partition("/")
    return f"{numbers[model_id]}{slash}{name}" if folder == MODELS and model_id in numbers else path


def _output(
    path: str, before: Output | None, after: Output | None, blobs: BlobStore, allowed: Allowed
) -> Item | None:
    digests = [None if output is None else output.digest for output in (before, after)]
    shown = [None if digest is None else str(digest) for digest in digests]

    def item(grade: Grade, why: str | None = None) -> Item:
        return Item(kind="output", name=path, grade=grade, before=shown[0], after=shown[1], why=why)

    if before is None or before.digest is None:
        if after is None or after.digest is None:
            return None
        told = "it is new" if before is None else f"it was {before.state} in the recorded run"
        return item(Grade.DIFFERENT if before is None else Grade.NOT_COMPARABLE, told)
    if after is None or after.digest is None:
        return item(Grade.DIFFERENT, "it was not written")
    if before.digest == after.digest:
        return item(Grade.IDENTICAL)
    if before.kind != after.kind:
        return item(Grade.DIFFERENT, f"it is a {after.kind} instead of a {before.kind}")
    judged = judge_output(blobs, before, after, allowed)
    if not judged:
        return item(Grade.DIFFERENT, "its list of files is another")
    grades = [_GRADES[file.judgement.likeness] for file in judged]
    grade = worst(grades)
    telling = [file for file, one in zip(judged, grades, strict=True) if one is grade]
    first = telling[0]
    name = "" if first.path == before.path else f"`{first.path.removeprefix(f'{before.path}/')}`: "
    more = f" (and {len(telling) - 1} more)" if len(telling) > 1 else ""
    return item(grade, f"{name}{first.judgement.notation}: {first.judgement.why}{more}")


_GRADES = {
    Likeness.SAME: Grade.EQUIVALENT,
    Likeness.CLOSE: Grade.EQUIVALENT,
    Likeness.DIFFERENT: Grade.DIFFERENT,
    # The bytes are others, and nobody can say that they mean the same.
    Likeness.UNKNOWN: Grade.DIFFERENT,
}


def _metrics(original: Run, again: Run, blobs: BlobStore, allowed: Allowed) -> Iterator[Item]:
    latest = [{} if run.outcome is None else run.outcome.latest for run in (original, again)]
    points = [series(run, blobs) for run in (original, again)]
    for key in dict.fromkeys((*latest[0], *latest[1])):
        if not key.startswith(OF_THE_MACHINE):
            values = [one.get(key) for one in latest]
            yield _metric(key, values, [one.get(key, ()) for one in points], allowed(key))


def _metric(
    key: str,
    values: Sequence[float | str | None],
    points: Sequence[Sequence[float | str]],
    tolerance: Tolerance,
) -> Item:
    before, after = values
    shown = [
        None if value is None else repr(value) if isinstance(value, float) else value for value in values
    ]

    def item(grade: Grade, why: str | None = None) -> Item:
        return Item(kind="metric", name=key, grade=grade, before=shown[0], after=shown[1], why=why)

    if before is None or after is None:
        return item(Grade.DIFFERENT, "it is new" if before is None else "it was not logged")
    grade, why = _held(number_of(before), number_of(after), tolerance)
    if grade.is_reproduced and all(points):
        further, told = _history(points[0], points[1], tolerance)
        if worst([grade, further]) is not grade:
            return item(further, told)
    return item(grade, why)


def _history(
    before: Sequence[float | str], after: Sequence[float | str], tolerance: Tolerance
) -> tuple[Grade, str | None]:
    """Every value on the way to the last one."""
    if len(before) != len(after):
        return Grade.DIFFERENT, f"it has {len(after)} points instead of {len(before)}"
    grades = [
        _held(number_of(one), number_of(other), tolerance)[0]
        for one, other in zip(before, after, strict=True)
    ]
    grade = worst(grades)
    count = sum(one is not Grade.IDENTICAL for one in grades)
    return grade, f"its last value holds, and {count} of {len(before)} points on the way differ"


def _held(before: float, after: float, tolerance: Tolerance) -> tuple[Grade, str | None]:
    if EXACT.accepts(before, after):
        return Grade.IDENTICAL, None
    size = f"{after - before:+.6g}"
    size += f" ({(after - before) / abs(before):+.3%})" if before and abs(before) != float("inf") else ""
    if tolerance.accepts(before, after):
        return Grade.EQUIVALENT, f"{size}, within the tolerance of {tolerance}"
    return Grade.DIFFERENT, size if tolerance == EXACT else f"{size}, beyond the tolerance of {tolerance}"
