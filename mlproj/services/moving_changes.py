"""What changed of a run elsewhere since it was brought in is added to it here, as a client would add it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from mlproj.errors import UsageError
from mlproj.model.logged import order
from mlproj.model.tracking import Batch, DatasetInput, Lifecycle, Metric, TrackedRun
from mlproj.tracking_ports import TrackedRuns

_NAME = "mlflow.runName"
_AT_ONCE = 5000


def bring_changes(runs: TrackedRuns, then: TrackedRun, now: TrackedRun, points: Iterable[Metric]) -> int:
    """Adds to a run what it is `now` elsewhere and was not `then`, or lacks; what was changed here stays.
    Returns how many things that were, points of metrics and all. Raises UsageError for a run that is deleted
    here alone."""
    here = runs.get(now.run_id)
    changes = 0
    if here.lifecycle is Lifecycle.DELETED:
        if now.lifecycle is Lifecycle.DELETED and not _differs(here, then, now):
            return 0
        if now.lifecycle is Lifecycle.DELETED or then.lifecycle is Lifecycle.ACTIVE:
            raise UsageError("it is deleted here: what changed there since is not taken")
        runs.set_lifecycle(now.run_id, Lifecycle.ACTIVE)
        changes += 1
    changes += _bring_texts(runs, here, then, now)
    changes += _bring_points(runs, now.run_id, points)
    changes += _bring_links(runs, here, now)
    changes += _bring_end(runs, here, then, now)
    if now.lifecycle is Lifecycle.DELETED and then.lifecycle is Lifecycle.ACTIVE:
        runs.set_lifecycle(now.run_id, Lifecycle.DELETED)
        changes += 1
    return changes


def _differs(here: TrackedRun, then: TrackedRun, now: TrackedRun) -> bool:
    """Whether something beside its lifecycle changed there that is not so here."""
    if (then.params, dict(then.tags), then.metrics, then.status) == (
        now.params,
        dict(now.tags),
        now.metrics,
        now.status,
    ):
        return False
    return (here.params, dict(here.tags), here.status) != (now.params, dict(now.tags), now.status)


def _bring_texts(runs: TrackedRuns, here: TrackedRun, then: TrackedRun, now: TrackedRun) -> int:
    known, params = dict(here.params), dict(now.params)
    new = {key: value for key, value in params.items() if key not in known}
    old, tags, mine = dict(then.tags), dict(now.tags), dict(here.tags)
    changed = {
        key: value
        for key, value in tags.items()
        if key != _NAME and old.get(key) != value and mine.get(key) != value
    }
    gone = [key for key in old if key not in tags and key in mine and key != _NAME]
    if new or changed:
        runs.log(now.run_id, Batch(params=tuple(new.items()), tags=tuple(changed.items())))
    for key in gone:
        runs.delete_tag(now.run_id, key)
    return len(new) + len(changed) + len(gone)


def _bring_points(runs: TrackedRuns, run_id: str, points: Iterable[Metric]) -> int:
    changes = 0
    for key, group in itertools.groupby(points, key=lambda point: point.key):
        known = {_place(point) for point in runs.history(run_id, key)[0]}
        new = (point for point in group if _place(point) not in known)
        for some in _batches(new):
            runs.log(run_id, Batch(metrics=some))
            changes += len(some)
    return changes


def _bring_links(runs: TrackedRuns, here: TrackedRun, now: TrackedRun) -> int:
    known = set(map(_named, here.inputs))
    datasets = [item for item in now.inputs if _named(item) not in known]
    read = [model_id for model_id in now.model_inputs if model_id not in here.model_inputs]
    made_here = {model.model_id for model in here.model_outputs}
    made = [model for model in now.model_outputs if model.model_id not in made_here]
    if datasets or read:
        runs.log_inputs(now.run_id, datasets, read)
    if made:
        runs.log_outputs(now.run_id, made)
    return len(datasets) + len(read) + len(made)


def _bring_end(runs: TrackedRuns, here: TrackedRun, then: TrackedRun, now: TrackedRun) -> int:
    status = now.status if now.status not in (then.status, here.status) else None
    ended = now.ended if now.ended not in (then.ended, here.ended) else None
    name = now.name if now.name not in (then.name, here.name) else None
    found = [value for value in (status, ended, name) if value is not None]
    if found:
        runs.update(now.run_id, status=status, ended=ended, name=name)
    return len(found)


def _place(point: Metric) -> tuple[int, int, float, bool]:
    return order((point.step, point.timestamp, point.value))


def _named(item: DatasetInput) -> tuple[str, str]:
    return item.dataset.name, item.dataset.digest


def _batches(points: Iterator[Metric]) -> Iterator[tuple[Metric, ...]]:
    while some := tuple(itertools.islice(points, _AT_ONCE)):
        yield some
