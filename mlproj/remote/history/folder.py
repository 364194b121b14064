"""The history in a folder that MLflow keeps by itself (`mlruns`), of any version."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from mlproj.errors import DataError, StoreError
from mlproj.model.registry import ModelVersion, RegisteredModel
from mlproj.model.tracking import (
    Dataset,
    DatasetInput,
    Experiment,
    Lifecycle,
    LoggedModel,
    Metric,
    ModelOutput,
    TrackedRun,
)
from mlproj.moving_ports import MODELS, RUNS, TRACES, Files, ForeignTrace
from mlproj.remote.history.files import FolderFiles, files_at
from mlproj.remote.history.folder_files import META, files_in, folders_in, read_meta, texts_in, whole
from mlproj.remote.history.folder_metrics import latest, model_points, points_in
from mlproj.remote.history.folder_registry import registered_in, versions_in
from mlproj.remote.history.folder_traces import trace_in
from mlproj.remote.history.names import lifecycle_of, model_state_of, sorted_pairs, status_of

_TRASH = ".trash"
_REGISTRY = "models"
_NO_RUNS = ("tags", "datasets", "traces", "models")
"""Folders of an experiment that are not of a run."""

T = TypeVar("T")


class FolderHistory:
    """The `History` in a folder. What cannot be read is passed over, and named among what is `unknown`."""

    def __init__(self, folder: Path, *, proxied: str | None) -> None:
        self.origin = str(folder)
        self._folder = folder
        self._proxied = proxied
        self._unread: list[str] = []
        self._places: dict[str, Path] = {}
        for place in (*folders_in(folder), *folders_in(folder / _TRASH)):
            if place.name != _REGISTRY and (place / META).is_file():
                self._places.setdefault(place.name, place)
        if not self._places and not (folder / _REGISTRY).is_dir():
            raise StoreError(f"`{folder}` is no folder that MLflow keeps: there is no experiment in it")

    def experiments(self) -> Iterator[Experiment]:
        for number, place in sorted(self._places.items()):
            found = self._read(partial(_experiment, place, number))
            if found is not None:
                yield found

    def count(self, experiment_id: str) -> int | None:
        return sum(1 for _ in self._run_folders(experiment_id))

    def runs(self, experiment_id: str) -> Iterator[TrackedRun]:
        for place in sorted(self._run_folders(experiment_id), key=self._started):
            found = self._read(partial(_run, place, experiment_id))
            if found is not None:
                yield found

    def points(self, run: TrackedRun) -> Iterator[Metric]:
        return points_in(self._places[run.experiment_id] / run.run_id / "metrics")

    def models(self, experiment_id: str) -> Iterator[LoggedModel]:
        for place in folders_in(self._places[experiment_id] / MODELS):
            found = self._read(partial(_model, place, experiment_id))
            if found is not None:
                yield found

    def traces(self, experiment_id: str) -> Iterator[ForeignTrace]:
        for place in folders_in(self._places[experiment_id] / TRACES):
            found = self._read(partial(trace_in, place))
            if found is not None:
                yield found

    def registered(self) -> Iterator[RegisteredModel]:
        for place in folders_in(self._folder / _REGISTRY):
            found = self._read(partial(registered_in, place))
            if found is not None:
                yield found

    def versions(self, name: str) -> Iterator[ModelVersion]:
        return versions_in(self._folder / _REGISTRY, name)

    def files(self, kind: str, name: str, uri: str) -> Files:
        """Those in the thing's own folder, where there are any: it may have been moved with all in it."""
        below = "" if kind == RUNS else kind
        if urlsplit(uri).scheme in ("", "file"):
            for place in self._places.values():
                own = place / below / name / "artifacts"
                if own.is_dir():
                    return FolderFiles(own)
        return files_at(uri, self._proxied)

    def unknown(self) -> Iterator[str]:
        yield from self._unread

    def close(self) -> None:
        """Nothing is held open."""

    def _run_folders(self, experiment_id: str) -> Iterator[Path]:
        for place in folders_in(self._places[experiment_id]):
            if place.name not in _NO_RUNS and (place / META).is_file():
                yield place

    def _started(self, place: Path) -> int:
        """When the run in a folder began: runs are told in that order."""
        try:
            return whole(read_meta(place).get("start_time")) or 0
        except (DataError, ValueError):
            return 0

    def _read(self, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except DataError as error:
            self._unread.append(error.message)
        except (KeyError, ValueError, TypeError) as error:
            self._unread.append(f"something in `{self._folder}` is not as MLflow writes it: {error!r}")
        return None


def _experiment(place: Path, number: str) -> Experiment:
    meta = read_meta(place)
    created = whole(meta.get("creation_time")) or 0
    trashed = place.parent.name == _TRASH
    return Experiment(
        experiment_id=number,
        name=str(meta["name"]),
        artifact_location=str(meta.get("artifact_location") or ""),
        lifecycle=Lifecycle.DELETED if trashed else lifecycle_of(meta.get("lifecycle_stage")),
        created=created,
        updated=whole(meta.get("last_update_time")) or created,
        tags=sorted_pairs(texts_in(place / "tags")),
    )


def _run(place: Path, experiment_id: str) -> TrackedRun:
    meta = read_meta(place)
    tags = texts_in(place / "tags")
    datasets, models = _inputs(place)
    return TrackedRun(
        run_id=place.name,
        name=str(meta.get("run_name") or meta.get("name") or tags.get("mlflow.runName", "")),
        experiment_id=experiment_id,
        user=str(meta.get("user_id") or ""),
        status=status_of(meta.get("status")),
        started=whole(meta.get("start_time")) or 0,
        ended=whole(meta.get("end_time")),
        artifact_uri=str(meta.get("artifact_uri") or ""),
        lifecycle=lifecycle_of(meta.get("lifecycle_stage")),
        params=sorted_pairs(texts_in(place / "params")),
        tags=sorted_pairs(tags),
        metrics=tuple(latest(path, key) for key, path in files_in(place / "metrics")),
        inputs=datasets,
        model_inputs=models,
        model_outputs=tuple(map(_output, folders_in(place / "outputs"))),
    )


def _inputs(place: Path) -> tuple[tuple[DatasetInput, ...], tuple[str, ...]]:
    """The datasets and the logged models that a run read."""
    datasets, models = [], []
    for folder in folders_in(place / "inputs"):
        meta = read_meta(folder)
        if meta.get("destination_type") == "MODEL_INPUT" or meta.get("source_type") == "MODEL":
            models.append(str(meta.get("destination_id") or meta["source_id"]))
        else:
            described = read_meta(place.parent / "datasets" / str(meta["source_id"]))
            tags = {str(key): str(value) for key, value in (meta.get("tags") or {}).items()}
            datasets.append(DatasetInput(dataset=_dataset(described), tags=sorted_pairs(tags)))
    return tuple(datasets), tuple(models)


def _dataset(meta: Mapping[str, Any]) -> Dataset:
    return Dataset(
        name=str(meta["name"]),
        digest=str(meta["digest"]),
        source_type=str(meta.get("source_type") or ""),
        source=str(meta.get("source") or ""),
        schema=meta.get("schema"),
        profile=meta.get("profile"),
    )


def _output(folder: Path) -> ModelOutput:
    meta = read_meta(folder)
    return ModelOutput(model_id=str(meta["destination_id"]), step=whole(meta.get("step")) or 0)


def _model(place: Path, experiment_id: str) -> LoggedModel | None:
    meta = read_meta(place)
    if lifecycle_of(meta.get("lifecycle_stage")) is Lifecycle.DELETED:
        return None
    return LoggedModel(
        model_id=place.name,
        experiment_id=experiment_id,
        name=str(meta["name"]),
        artifact_uri=str(meta.get("artifact_location") or meta.get("artifact_uri") or ""),
        created=whole(meta.get("creation_timestamp")) or 0,
        updated=whole(meta.get("last_updated_timestamp")) or 0,
        status=model_state_of(meta.get("status")),
        status_message=meta.get("status_message"),
        model_type=meta.get("model_type") or None,
        source_run_id=meta.get("source_run_id") or None,
        tags=sorted_pairs(texts_in(place / "tags")),
        params=sorted_pairs(texts_in(place / "params")),
        metrics=tuple(model_points(place / "metrics", place.name)),
    )
