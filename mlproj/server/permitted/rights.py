"""What somebody may do with each kind of thing: all of it follows from experiments and registered models.

Whoever may not read a thing is told what they would be told were it not there. Nothing is looked up for them
then, so that neither the words nor the time that it takes tell more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from mlproj.errors import NotFound
from mlproj.model.absent import (
    no_experiment,
    no_logged_model,
    no_registered_model,
    no_run,
    no_trace,
)
from mlproj.model.access import Kind, Level, experiment_key
from mlproj.server.auth.known import KnownCaller
from mlproj.server.failures import DENIED, Failure
from mlproj.server.routes.runs import DEFAULT_EXPERIMENT
from mlproj.tracking_ports import Tracking

_FEW = 100
"""So many things are looked up one by one, and more of them by a list of all."""


class Rights:
    """One caller's rights to what is in `inner`.

    Each method raises what is `missing` where the thing is not there or not theirs to read, and Failure where
    they may read it and not what is asked.
    """

    def __init__(self, inner: Tracking, caller: KnownCaller) -> None:
        self._inner = inner
        self._caller = caller
        self._known: set[tuple[str, str, Level]] = set()

    @property
    def caller(self) -> KnownCaller:
        return self._caller

    def make(self) -> None:
        """To make an experiment or a registered model."""
        if not self._caller.may_make():
            self._caller.refused = True
            raise Failure(DENIED, "your token lets you read, and not make anything")
        self._caller.changes = True

    def experiment(self, level: Level, experiment_id: str, missing: NotFound | None = None) -> None:
        self._note("experiment", experiment_id, level)
        self._hold(
            level,
            Kind.EXPERIMENT,
            experiment_id,
            missing or _no_experiment(experiment_id),
            lambda: self._inner.experiments.get(experiment_id),
        )

    def run(self, level: Level, run_id: str) -> None:
        self._within("run", level, run_id, self._inner.runs.experiment_of, no_run(run_id))

    def runs(self, level: Level, run_ids: Iterable[str]) -> None:
        for run_id in run_ids:
            self.run(level, run_id)

    def logged_model(self, level: Level, model_id: str) -> None:
        self._within(
            "logged model", level, model_id, self._inner.models.experiment_of, no_logged_model(model_id)
        )

    def logged_models(self, level: Level, model_ids: Iterable[str]) -> None:
        for model_id in model_ids:
            self.logged_model(level, model_id)

    def trace(self, level: Level, trace_id: str) -> None:
        self._within("trace", level, trace_id, self._inner.traces.experiment_of, no_trace(trace_id))

    def registered(self, level: Level, name: str, missing: NotFound | None = None) -> None:
        self._note("model", name, level)
        self._hold(
            level,
            Kind.MODEL,
            name,
            missing or no_registered_model(name),
            lambda: self._inner.registry.get(name),
        )

    def readable(self, experiment_ids: Sequence[str]) -> tuple[str, ...]:
        """Those of some experiments that they may read; the others are passed over as if they were not."""
        may, named = self._caller.may, tuple(dict.fromkeys(experiment_ids))
        if len(named) > _FEW:
            seen = self._caller.visible(Kind.EXPERIMENT)
            named = named if seen is None else tuple(each for each in named if self.key(each) in seen)
        return tuple(each for each in named if may(Level.READ, Kind.EXPERIMENT, each))

    def among(self, kind: Kind, within: Collection[str] | None) -> Collection[str] | None:
        """What a search may find of those that it is `within`; None for everything."""
        seen = self._caller.visible(kind)
        if seen is None or within is None:
            return within if seen is None else seen
        return seen.intersection(within)

    def key(self, experiment_id: str) -> str:
        """The id as the store spells it."""
        return experiment_key(experiment_id)

    def may_read(self, kind: Kind, thing: str) -> bool:
        return self._caller.may(Level.READ, kind, thing)

    def sees_run(self, run_id: str) -> bool:
        try:
            return self.may_read(Kind.EXPERIMENT, self._inner.runs.experiment_of(run_id))
        except NotFound:
            return False

    def _within(
        self,
        noun: str,
        level: Level,
        name: str,
        experiment_of: Callable[[str], str],
        missing: NotFound,
    ) -> None:
        """For what is in an experiment. What was looked at in this request is not looked at again."""
        if (noun, name, level) in self._known:
            return
        experiment_id = experiment_of(name)
        self._note(noun, name, level)
        self._hold(level, Kind.EXPERIMENT, experiment_id, missing, lambda: None, f"{noun} `{name}`")
        self._known.add((noun, name, level))

    def _hold(
        self,
        level: Level,
        kind: Kind,
        thing: str,
        missing: NotFound | Failure,
        look: Callable[[], object],
        shown: str | None = None,
    ) -> None:
        if self._caller.may(level, kind, thing):
            return
        self._caller.refused = True
        if not self._caller.may(Level.READ, kind, thing):
            raise missing
        look()
        verb = "managed" if level is Level.MANAGE else "changed"
        noun = "registered model" if kind is Kind.MODEL else kind.value
        raise Failure(DENIED, f"the {shown or f'{noun} `{thing}`'} may be read by you, and not {verb}")

    def _note(self, noun: str, name: str, level: Level) -> None:
        self._caller.note(noun, name, changes=level is not Level.READ)


def _no_experiment(experiment_id: str) -> NotFound | Failure:
    """What is said of an experiment that is not to be seen. Every store has the one of runs that name none:
    whoever logs to it by mistake is told what to do."""
    if experiment_key(experiment_id) != DEFAULT_EXPERIMENT:
        return no_experiment(experiment_id)
    return Failure(
        DENIED,
        "the experiment `Default` is not open to you: name one of your own, by `mlflow.set_experiment` or"
        " `MLFLOW_EXPERIMENT_NAME`, which is made if need be",
    )
