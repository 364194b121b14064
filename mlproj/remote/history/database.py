"""The history in a database of MLflow's, of any version since it had metrics with steps, read as it lies."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import create_engine
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from mlproj.errors import UsageError
from mlproj.model.redaction import without_credentials
from mlproj.model.registry import ModelVersion, RegisteredModel
from mlproj.model.tracking import (
    Dataset,
    DatasetInput,
    Experiment,
    LoggedModel,
    Metric,
    ModelOutput,
    TrackedRun,
)
from mlproj.moving_ports import Files, ForeignTrace
from mlproj.remote.history.database_registry import registered_in, versions_in
from mlproj.remote.history.database_rows import Rows
from mlproj.remote.history.database_traces import traces_in
from mlproj.remote.history.files import files_at
from mlproj.remote.history.names import lifecycle_of, model_state_of, sorted_pairs, status_of

_AT_ONCE = 500
_DRIVERS = {"postgresql": "psycopg", "mysql": "pymysql", "mariadb": "pymysql"}
"""What speaks to a database here, whatever spoke to it from MLflow."""
_EXTRAS = {"postgresql": "postgresql", "postgres": "postgresql", "mysql": "mysql", "mariadb": "mysql"}
_UNKNOWN = {
    "evaluation_datasets": "datasets of evaluations",
    "scorers": "scorers",
    "webhooks": "webhooks",
    "endpoints": "endpoints of the AI gateway",
    "label_schemas": "label schemas",
    "review_queues": "review queues",
    "mcp_servers": "MCP servers",
    "issues": "issues",
    "jobs": "jobs",
}
"""Tables of what is not brought in."""


class DatabaseHistory:
    """The `History` in the database at a URI of SQLAlchemy's."""

    def __init__(self, uri: str, *, proxied: str | None, beside: Path) -> None:
        self.origin = without_credentials(uri)
        self._engine = _opened(uri, self.origin)
        self._proxied = proxied
        self._beside = beside
        self._unread: list[str] = []
        self._rows = Rows(self._engine, self.origin)
        self._rows.require("experiments", "runs", "metrics")

    def experiments(self) -> Iterator[Experiment]:
        tags = self._rows.pairs("experiment_tags", "experiment_id")
        for row in self._rows.all("experiments", order="experiment_id"):
            yield Experiment(
                experiment_id=str(row["experiment_id"]),
                name=row["name"],
                artifact_location=row.get("artifact_location") or "",
                lifecycle=lifecycle_of(row.get("lifecycle_stage")),
                created=row.get("creation_time") or 0,
                updated=row.get("last_update_time") or row.get("creation_time") or 0,
                tags=tags.get(row["experiment_id"], ()),
            )

    def count(self, experiment_id: str) -> int | None:
        return self._rows.count("runs", experiment_id=int(experiment_id))

    def runs(self, experiment_id: str) -> Iterator[TrackedRun]:
        rows = self._rows.all("runs", order=("start_time", "run_uuid"), experiment_id=int(experiment_id))
        while some := list(itertools.islice(rows, _AT_ONCE)):
            yield from self._told(some)

    def points(self, run: TrackedRun) -> Iterator[Metric]:
        order = ("key", "step", "timestamp", "value")
        for row in self._rows.all("metrics", order=order, run_uuid=run.run_id):
            yield _metric(row)

    def models(self, experiment_id: str) -> Iterator[LoggedModel]:
        number = int(experiment_id)
        params = self._rows.pairs(
            "logged_model_params", "model_id", "param_key", "param_value", experiment_id=number
        )
        tags = self._rows.pairs("logged_model_tags", "model_id", "tag_key", "tag_value", experiment_id=number)
        metrics: dict[str, list[Metric]] = {}
        for row in self._rows.all(
            "logged_model_metrics", order=("model_id", "metric_name"), experiment_id=number
        ):
            metrics.setdefault(row["model_id"], []).append(_model_metric(row))
        for row in self._rows.all("logged_models", order="creation_timestamp_ms", experiment_id=number):
            if lifecycle_of(row.get("lifecycle_stage")).value == "deleted":
                continue
            yield LoggedModel(
                model_id=row["model_id"],
                experiment_id=experiment_id,
                name=row["name"],
                artifact_uri=row["artifact_location"],
                created=row["creation_timestamp_ms"],
                updated=row["last_updated_timestamp_ms"],
                status=model_state_of(row["status"]),
                status_message=row.get("status_message"),
                model_type=row.get("model_type") or None,
                source_run_id=row.get("source_run_id") or None,
                tags=tags.get(row["model_id"], ()),
                params=params.get(row["model_id"], ()),
                metrics=tuple(metrics.get(row["model_id"], ())),
            )

    def traces(self, experiment_id: str) -> Iterator[ForeignTrace]:
        return traces_in(self._rows, int(experiment_id), self._unread)

    def registered(self) -> Iterator[RegisteredModel]:
        return registered_in(self._rows)

    def versions(self, name: str) -> Iterator[ModelVersion]:
        return versions_in(self._rows, name)

    def files(self, kind: str, name: str, uri: str) -> Files:
        return files_at(uri, name, self._proxied, self._beside)

    def unknown(self) -> Iterator[str]:
        for table, words in _UNKNOWN.items():
            if count := self._rows.count(table):
                yield f"{count} {words}"
        yield from self._unread

    def close(self) -> None:
        self._engine.dispose()

    def _told(self, rows: Sequence[dict[str, Any]]) -> Iterator[TrackedRun]:
        ids = [row["run_uuid"] for row in rows]
        params = self._rows.pairs("params", "run_uuid", run_uuid=ids)
        tags = self._rows.pairs("tags", "run_uuid", run_uuid=ids)
        latest: dict[str, list[Metric]] = {}
        for row in self._rows.all("latest_metrics", order=("run_uuid", "key"), run_uuid=ids):
            latest.setdefault(row["run_uuid"], []).append(_metric(row))
        datasets, read, made = self._inputs(ids)
        for row in rows:
            run_id = row["run_uuid"]
            named = dict(tags.get(run_id, ()))
            yield TrackedRun(
                run_id=run_id,
                name=row.get("name") or named.get("mlflow.runName", ""),
                experiment_id=str(row["experiment_id"]),
                user=row.get("user_id") or "",
                status=status_of(row["status"]),
                started=row.get("start_time") or 0,
                ended=row.get("end_time"),
                artifact_uri=row.get("artifact_uri") or "",
                lifecycle=lifecycle_of(row.get("lifecycle_stage")),
                params=params.get(run_id, ()),
                tags=sorted_pairs(named),
                metrics=tuple(latest.get(run_id, ())),
                inputs=tuple(datasets.get(run_id, ())),
                model_inputs=tuple(read.get(run_id, ())),
                model_outputs=tuple(made.get(run_id, ())),
            )

    def _inputs(
        self, ids: Sequence[str]
    ) -> tuple[dict[str, list[DatasetInput]], dict[str, list[str]], dict[str, list[ModelOutput]]]:
        """The datasets that these runs read, the models that they read, and those that they made."""
        datasets: dict[str, list[DatasetInput]] = {}
        read: dict[str, list[str]] = {}
        made: dict[str, list[ModelOutput]] = {}
        links = list(
            self._rows.all("inputs", source_type="DATASET", destination_type="RUN", destination_id=ids)
        )
        tags = self._rows.pairs(
            "input_tags", "input_uuid", "name", input_uuid=[row["input_uuid"] for row in links]
        )
        known = {
            row["dataset_uuid"]: _dataset(row)
            for row in self._rows.all("datasets", dataset_uuid=[row["source_id"] for row in links])
        }
        for row in links:
            if row["source_id"] in known:
                item = DatasetInput(dataset=known[row["source_id"]], tags=tags.get(row["input_uuid"], ()))
                datasets.setdefault(row["destination_id"], []).append(item)
        for row in self._rows.all("inputs", source_type="RUN_INPUT", source_id=ids):
            read.setdefault(row["source_id"], []).append(row["destination_id"])
        for row in self._rows.all("inputs", source_type="RUN_OUTPUT", source_id=ids):
            output = ModelOutput(model_id=row["destination_id"], step=row.get("step") or 0)
            made.setdefault(row["source_id"], []).append(output)
        return datasets, read, made


def _opened(uri: str, shown: str) -> Engine:
    """An engine for reading. Raises UsageError for a URI that is none, StoreError where nothing is there."""
    try:
        url = make_url(f"postgresql:{uri[9:]}" if uri.startswith("postgres:") else uri)
        backend = url.get_backend_name()
        if backend != "sqlite":
            driver = _DRIVERS.get(backend)
            return create_engine(url if driver is None else url.set(drivername=f"{backend}+{driver}"))
        if not url.database or url.database == ":memory:":
            raise UsageError(f"`{shown}` names no file", hint="`sqlite:///mlflow.db`, say")
        return create_engine(url.set(database=f"file:{url.database}", query={"mode": "ro", "uri": "true"}))
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        extra = _EXTRAS.get(urlsplit(uri).scheme.partition("+")[0])
        hint = None if extra is None else f"install what speaks to it: `pip install 'mlproj[{extra}]'`"
        raise UsageError(f"`{shown}` is no database that can be read here: {error}", hint=hint) from error


def _metric(row: dict[str, Any]) -> Metric:
    value = math.nan if row.get("is_nan") else float(row["value"])
    return Metric(key=row["key"], value=value, timestamp=row.get("timestamp") or 0, step=row.get("step") or 0)


def _model_metric(row: dict[str, Any]) -> Metric:
    return Metric(
        key=row["metric_name"],
        value=math.nan if row["metric_value"] is None else float(row["metric_value"]),
        timestamp=row["metric_timestamp_ms"],
        step=row["metric_step"],
        model_id=row["model_id"],
        dataset_name=row.get("dataset_name"),
        dataset_digest=row.get("dataset_digest"),
        run_id=row["run_id"],
    )


def _dataset(row: dict[str, Any]) -> Dataset:
    return Dataset(
        name=row["name"],
        digest=row["digest"],
        source_type=row["dataset_source_type"],
        source=row["dataset_source"],
        schema=row.get("dataset_schema"),
        profile=row.get("dataset_profile"),
    )
