"""A tracking store as its contracts use it, with what they log to it."""

from __future__ import annotations

from mlproj.model.search import Comparison, Key, Kind, Operator
from mlproj.model.tracking import (
    Batch,
    Dataset,
    Metric,
    NewRun,
    Page,
)
from mlproj.tracking_ports import Experiments, TrackedRuns

START = 1_700_000_000_000


CONTEXT = "mlflow.data.context"


ALL = Page(limit=1000)


DATA = Dataset(name="wine", digest="9a8b", source_type="local", source='{"uri": "wine.csv"}', schema="{}")


class Served:
    """The parts of a tracking store that are tested here."""

    def __init__(self, experiments: Experiments, runs: TrackedRuns) -> None:
        self.experiments = experiments
        self.runs = runs

    def run(self, *, name: str = "calm-heron", started: int = START, experiment_id: str = "0") -> str:
        made = self.runs.create(NewRun(experiment_id=experiment_id, name=name, user="ada", started=started))
        return made.run_id


def metric(key: str, value: float, *, step: int = 0, timestamp: int = START) -> Metric:
    return Metric(key=key, value=value, step=step, timestamp=timestamp)


def logged(*metrics: Metric, params: dict[str, str] | None = None, **tags: str) -> Batch:
    return Batch(metrics=metrics, params=tuple((params or {}).items()), tags=tuple(tags.items()))


def where(kind: Kind, name: str, operator: Operator, *values: str | float) -> Comparison:
    return Comparison(key=Key(kind=kind, name=name), operator=operator, values=values)
