"""Whether a metric fulfils a condition: in a run, in the newest of an experiment, or in that of a model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from mlproj.errors import NotFound, RunNotFound
from mlproj.model.run import Run
from mlproj.model.threshold import Threshold
from mlproj.model.trigger import Measurement, MetricCrossed
from mlproj.services.request import Tools
from mlproj.services.watched import Known, Watch, is_own
from mlproj.spec.model_uri import SCHEME
from mlproj.store_ports import Condition, RunQuery, RunStore
from mlproj.watch_ports import ModelDesk

RUNS = "runs:/"
_MOST_RUNS = 50
"""So many runs of an experiment are looked at, the newest."""
_MOST_ABOVE = 10


def measured(watch: Watch, store: RunStore, desk: ModelDesk) -> tuple[Measurement, ...]:
    """The newest measurement of each metric that the watch looks at, where there is one. What a run of the
    watch logged itself, or its steps did, is none: it would have the watch start the next. Raises NotFound,
    StoreError."""
    if not watch.thresholds:
        return ()
    runs = {run.run_id: run for run in _runs(watch, store, desk)}
    indexes = store.indexes(tuple(runs))
    found = []
    for key in dict.fromkeys(threshold.key for threshold in watch.thresholds):
        every = [
            measurement
            for run_id, run in runs.items()
            if (measurement := _measurement(run_id, key, indexes.get(run_id, {}))) is not None
            and not (_logged_itself(run, measurement) and _comes_of(run, watch.name, store))
        ]
        found += [max(every, key=lambda each: each.timestamp)] if every else []
    return tuple(found)


def crossings(
    thresholds: Sequence[Threshold], of: str, measurements: Sequence[Measurement], known: Known
) -> Iterator[MetricCrossed]:
    """Each threshold that a measurement fulfils which the watch did not see yet."""
    now = {each.key: each for each in measurements}
    for threshold in thresholds:
        before, after = known.measurements.get(threshold.key), now.get(threshold.key)
        if after is not None and after != before and threshold.holds(after.value):
            yield MetricCrossed(condition=str(threshold), of=_told(of), before=before, after=after)


def refuse_unknown(watch: Watch, store: RunStore, tools: Tools) -> None:
    """Raises NotFound where there is no experiment of the name that a person gave."""
    if not watch.thresholds or not watch.of or watch.of.startswith((SCHEME, RUNS)):
        return
    try:
        if tools.far is None:
            with contextlib.closing(tools.tracking(store)) as tracking:
                tracking.experiments.named(watch.of)
        else:
            tools.server(tools.far).experiment(name=watch.of)
    except NotFound as error:
        raise NotFound(
            f"there is no experiment `{watch.of}`",
            hint="name one, a model (`models:/NAME@ALIAS`) or a run (`runs:/RUN`) with `--of`",
        ) from error


def _runs(watch: Watch, store: RunStore, desk: ModelDesk) -> Sequence[Run]:
    if watch.looked_in.startswith(SCHEME):
        run_id = desk.run_of(watch.looked_in)
        try:
            return (store.find(run_id),)
        except RunNotFound as error:
            raise NotFound(f"the run that `{watch.looked_in}` is of is not in the store") from error
    if watch.looked_in.startswith(RUNS):
        return (store.find(watch.looked_in.removeprefix(RUNS).strip("/")),)
    within = Condition(field="experiment", operator="=", value=watch.looked_in)
    return store.search(RunQuery(conditions=(within,), limit=_MOST_RUNS))


def _measurement(run_id: str, key: str, index: Any) -> Measurement | None:
    cells = index.get("metrics", {}).get(key)
    if cells is None:
        return None
    value, step, timestamp, *_ = cells
    return Measurement(run_id=run_id, key=key, value=value, step=step, timestamp=timestamp)


def _logged_itself(run: Run, measurement: Measurement) -> bool:
    """Whether it is what the record was sealed with: later ones are another job's."""
    sealed = None if run.outcome is None else run.outcome.summaries.get(measurement.key)
    if sealed is None:
        return False
    return sealed.cells[:3] == (measurement.value, measurement.step, measurement.timestamp)


def _comes_of(run: Run, name: str, store: RunStore) -> bool:
    """Whether the watch started the run, or the one whose script began it, or which it repeats."""
    for _ in range(_MOST_ABOVE):
        above = run.reproduces or (None if run.job is None else run.job.parent)
        if is_own(run, name) or above is None:
            break
        try:
            run = store.find(above)
        except RunNotFound:
            break
    return is_own(run, name)


def _told(of: str) -> str:
    return f"`{of}`" if of.startswith((SCHEME, RUNS)) else f"the experiment `{of}`"
