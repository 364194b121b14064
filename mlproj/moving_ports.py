"""The seams of moving in: the history that MLflow kept somewhere, and a store that takes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import msgspec

from mlproj.model.registry import ModelVersion, RegisteredModel
from mlproj.model.tracking import Experiment, LoggedModel, Metric, TrackedRun

RUNS, MODELS, TRACES = "runs", "models", "traces"
"""What has files: the kinds of things that `History.files` is asked about."""


class ForeignTrace(msgspec.Struct, frozen=True, kw_only=True):
    """A trace as it was kept: `info` in the form of MLflow 3 without its place, `spans` as OTLP has them in
    JSON (None where they lie among its files, as with MLflow 2), and where those are."""

    trace_id: str
    info: Mapping[str, Any]
    spans: Sequence[Mapping[str, Any]] | None = None
    artifact_uri: str | None = None


class TakenModel(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a registered model: whether it is `new`, `changed` or the `same`, and how many of its
    versions are. `kept` says that it was changed here later than there, and stays so."""

    how: str
    new: int
    changed: int
    same: int
    kept: bool = False


class Files(Protocol):
    """The files below one place. Raises DataError for what cannot be read."""

    def listed(self) -> Iterator[tuple[str, int]]:
        """The path and size of each, relative to the place, with `/` between their parts."""
        ...

    def read(self, path: str) -> AbstractContextManager[Iterator[bytes]]: ...


class History(Protocol):
    """What MLflow kept at a place, deleted experiments and runs too. Nothing there is changed.

    Raises StoreError where it cannot be read, DataError for one thing of it that cannot.
    """

    @property
    def origin(self) -> str:
        """What the place is called, without credentials."""
        ...

    def experiments(self) -> Iterator[Experiment]: ...

    def count(self, experiment_id: str) -> int | None:
        """How many runs there are under it; None where that is known only once all were read."""
        ...

    def runs(self, experiment_id: str) -> Iterator[TrackedRun]: ...

    def points(self, run: TrackedRun) -> Iterator[Metric]:
        """Every point of every metric of a run. May be asked for several runs at once, by several threads."""
        ...

    def models(self, experiment_id: str) -> Iterator[LoggedModel]: ...

    def traces(self, experiment_id: str) -> Iterator[ForeignTrace]: ...

    def registered(self) -> Iterator[RegisteredModel]: ...

    def versions(self, name: str) -> Iterator[ModelVersion]: ...

    def files(self, kind: str, name: str, uri: str) -> Files:
        """The files at `uri`, which are those of the thing of that kind with that id. Raises DataError where
        nobody here knows how to read such an address."""
        ...

    def unknown(self) -> Iterator[str]:
        """What is kept there that a store of mlproj has no place for, each in a few words."""
        ...

    def close(self) -> None: ...


class Arrivals(Protocol):
    """Takes in what was made elsewhere, each thing whole or not at all, once however often it comes.

    Experiments are known by name, everything else by its id. Raises UsageError for what no store can hold.
    """

    def experiment(self, experiment: Experiment) -> tuple[str, bool]:
        """Its id here, and whether it is new. One of that name that is there gets the tags that it lacks, and
        those that were changed there later than here. It is active until `settle`."""
        ...

    def settle(self, experiment: Experiment, experiment_id: str) -> bool:
        """Deletes it here where it is deleted there; False where it stays, as it was changed here later, or
        holds runs that did not arrive so."""
        ...

    def document(self, run_id: str) -> bytes | None:
        """What was kept of a run when it arrived; None for one that did not arrive so. Raises RunNotFound."""
        ...

    def run(
        self, run: TrackedRun, points: Iterable[Metric], *, experiment_id: str, origin: str, document: bytes
    ) -> None:
        """Seals a run that is not here yet, with `document` kept verbatim; its files are in place already."""
        ...

    def model(self, model: LoggedModel, experiment_id: str) -> bool:
        """Takes a logged model without what was measured of it; False where it was here already."""
        ...

    def measured(self, model: LoggedModel) -> None:
        """Takes what was measured of a logged model by runs that are here."""
        ...

    def registered(self, model: RegisteredModel, versions: Sequence[ModelVersion]) -> TakenModel:
        """Takes a registered model with its versions. Of two changes the later counts."""
        ...

    def address(self, kind: str, name: str) -> str:
        """Where the files of a thing are here, as versions of models name them for their source."""
        ...

    def close(self) -> None: ...
