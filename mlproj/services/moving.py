"""`mlproj import-mlflow`: history that MLflow kept becomes history here, once, however often one asks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import ParamSpec

import msgspec

from mlproj.artifact_ports import Artifacts
from mlproj.errors import AlreadyThere, DataError, NotFound, UsageError
from mlproj.model.events import Ended, Progress, Report, Started
from mlproj.model.registry import ModelVersion, RegisteredModel
from mlproj.model.tracking import Experiment, LoggedModel, TrackedRun
from mlproj.moving_ports import MODELS, RUNS, TRACES, Arrivals, ForeignTrace, History
from mlproj.services.interrupts import interruptible
from mlproj.services.moving_files import FileMover, refuse_impossible
from mlproj.services.moving_runs import RunMover
from mlproj.services.moving_sources import Addresses
from mlproj.services.moving_tally import CHANGED, NEW, SAME, Moved, Tally
from mlproj.tracking_ports import Tracking

_STAGE = "import"
_FILES = "mlflow.artifactLocation"
_PLACE = "mlflow-artifacts:/{}/traces/{}/artifacts"
"""The tag of a trace that says where its files are, and what it says."""

P = ParamSpec("P")


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """The store that takes the history in, by its parts."""

    tracking: Tracking
    artifacts: Artifacts
    arrivals: Arrivals


def move_in(history: History, store: Destination, wanted: Collection[str], report: Report) -> Moved:
    """Brings in all that MLflow kept, or of the experiments alone that are `wanted` by name.

    What cannot be taken is named in what is returned. Raises StoreError where the history cannot be read or
    the store not written to, UsageError for a wanted experiment that is not there.
    """
    mover = _Mover(history, store, report)
    with interruptible():
        experiments = list(history.experiments())
        _refuse_unknown(wanted, experiments)
        report(Started(stage=_STAGE, detail=history.origin))
        mine = [each for each in experiments if not wanted or each.name in wanted]
        mover.totals(mine)
        for experiment in mine:
            mover.experiment(experiment)
        mover.registry(everything=not wanted)
        for words in history.unknown():
            mover.tally.leave(words, "a store of mlproj has no place for it")
        report(Ended(stage=_STAGE))
    return mover.tally.moved(history.origin)


def _refuse_unknown(wanted: Collection[str], experiments: list[Experiment]) -> None:
    names = sorted({each.name for each in experiments})
    for name in wanted:
        if name not in names:
            raise UsageError(f"there is no experiment `{name}`", hint=f"there are: {', '.join(names)[:300]}")


class _Mover:
    """Goes through the history, experiment by experiment, and then through the registry."""

    def __init__(self, history: History, store: Destination, report: Report) -> None:
        self.tally = Tally()
        self._history = history
        self._store = store
        self._arrivals = store.arrivals
        self._report = report
        self._files = FileMover(history, store.artifacts, self.tally)
        self._runs = RunMover(history, store.arrivals, store.tracking.runs, self._files, self.tally)
        self._addresses = Addresses(store.arrivals)
        self._total: int | None = 0
        self._done = 0

    def totals(self, experiments: list[Experiment]) -> None:
        """Learns how many runs there will be, where that can be told before."""
        counts = [self._history.count(each.experiment_id) for each in experiments]
        self._total = None if None in counts else sum(count or 0 for count in counts)

    def experiment(self, experiment: Experiment) -> None:
        number, new = self._arrivals.experiment(experiment)
        self.tally.experiment_ids[experiment.experiment_id] = number
        self.tally.count("experiments", NEW if new else SAME)
        measured = [model for model in self._models(experiment, number) if model.metrics]
        for trace in self._history.traces(experiment.experiment_id):
            self._attempt(f"trace {trace.trace_id}", self._trace, trace, number)
        found = self._noted(self._history.runs(experiment.experiment_id))
        for _ in self._runs.bring(found, number):
            self._done += 1
            self._report(Progress(stage=_STAGE, done=self._done, total=self._total, unit="runs"))
        for model in measured:
            self._arrivals.measured(model)
        if not self._arrivals.settle(experiment, number):
            why = "it was changed here later, or holds runs of its own"
            self.tally.leave(f"the deletion of experiment {experiment.name}", why)

    def registry(self, *, everything: bool) -> None:
        """Registered models; where only some experiments were wanted, those that have a version of theirs."""
        for model in self._history.registered():
            try:
                versions = list(self._history.versions(model.name))
            except DataError as error:
                self.tally.leave(f"registered model {model.name}", error.message)
                continue
            if everything or any(self._addresses.has(version.run_id) for version in versions):
                self._attempt(f"registered model {model.name}", self._registered, model, versions)

    def _models(self, experiment: Experiment, number: str) -> Iterator[LoggedModel]:
        for model in self._history.models(experiment.experiment_id):
            if self._attempt(f"model {model.model_id}", self._model, model, number):
                yield model

    def _model(self, model: LoggedModel, number: str) -> None:
        refuse_impossible(model.model_id)
        self._addresses.add(MODELS, model.model_id, model.artifact_uri)
        self._files.bring(MODELS, model.model_id, model.artifact_uri)
        self.tally.count("models", NEW if self._arrivals.model(model, number) else SAME)

    def _trace(self, trace: ForeignTrace, number: str) -> None:
        """A trace that is here is left as it is."""
        refuse_impossible(trace.trace_id)
        traces = self._store.tracking.traces
        with contextlib.suppress(NotFound):
            traces.get(trace.trace_id)
            self.tally.count("traces", SAME)
            return
        if trace.artifact_uri:
            self._files.bring(TRACES, trace.trace_id, trace.artifact_uri)
        spans = None if trace.spans is None else msgspec.json.encode(trace.spans)
        traces.add(trace.trace_id, number, _trace_document(trace, number), spans)
        self.tally.count("traces", NEW)

    def _registered(self, model: RegisteredModel, versions: list[ModelVersion]) -> None:
        moved = [self._addresses.moved(version) for version in versions]
        taken = self._arrivals.registered(model, moved)
        self.tally.count("registered_models", taken.how)
        for how, number in ((NEW, taken.new), (CHANGED, taken.changed), (SAME, taken.same)):
            self.tally.count("versions", how, number)
        if taken.kept:
            why = "it was changed here later than there: its description, tags and aliases stay"
            self.tally.leave(f"registered model {model.name}", why)

    def _noted(self, runs: Iterable[TrackedRun]) -> Iterator[TrackedRun]:
        """The runs whose ids can be had here."""
        for run in runs:
            if self._attempt(f"run {run.run_id}", refuse_impossible, run.run_id):
                self._addresses.add(RUNS, run.run_id, run.artifact_uri)
                yield run

    def _attempt(self, what: str, act: Callable[P, object], *given: P.args, **more: P.kwargs) -> bool:
        """Whether it could be done; why it could not is noted."""
        try:
            act(*given, **more)
        except (DataError, UsageError, AlreadyThere) as error:
            self.tally.leave(what, error.message)
            return False
        return True


def _trace_document(trace: ForeignTrace, experiment_id: str) -> bytes:
    """What is told of a trace, with its place here."""
    tags = {**trace.info.get("tags", {}), _FILES: _PLACE.format(experiment_id, trace.trace_id)}
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment_id}}
    return msgspec.json.encode({**trace.info, "tags": tags, "trace_location": place})
