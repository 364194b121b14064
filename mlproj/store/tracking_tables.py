"""The tables of tracking and of the model registry, beside those of the runner in `tables`.

Times are milliseconds since the epoch. Whatever belongs to a run, an experiment or a model names it by a
foreign key, so that nothing can be logged to what is not there.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from mlproj.store.tables import Whole, metadata

experiment_tags = Table(
    "experiment_tags",
    metadata,
    Column("experiment_id", Whole, ForeignKey("experiments.id"), primary_key=True),
    Column("key", String(250), primary_key=True),
    Column("value", Text, nullable=False),
)

# Every point of every metric. All columns are the key, so that a point that a client sends again is the same.
metric_points = Table(
    "metric_points",
    metadata,
    # The run's number takes less room than its id, a million times.
    Column("run", Whole, ForeignKey("runs.number"), primary_key=True, autoincrement=False),
    Column("key", String(250), primary_key=True),
    Column("step", BigInteger, primary_key=True, autoincrement=False),
    Column("timestamp", BigInteger, primary_key=True, autoincrement=False),
    # 0 where it is NaN, which no database compares alike.
    Column("value", Double, primary_key=True),
    Column("nan", Boolean, primary_key=True),
    sqlite_with_rowid=False,
)

datasets = Table(
    "datasets",
    metadata,
    Column("id", Whole, primary_key=True),
    Column("experiment_id", Whole, ForeignKey("experiments.id"), nullable=False),
    Column("name", String(500), nullable=False),
    Column("digest", String(36), nullable=False),
    Column("source_type", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("schema", Text),
    Column("profile", Text),
    UniqueConstraint("experiment_id", "name", "digest"),
    Index("datasets_by_digest", "digest"),
)

dataset_inputs = Table(
    "dataset_inputs",
    metadata,
    Column("run_id", String(64), ForeignKey("runs.run_id"), primary_key=True),
    Column("dataset_id", Whole, ForeignKey("datasets.id"), primary_key=True),
    # The tag `mlflow.data.context`, which is searched for.
    Column("context", Text),
    # All tags, as a JSON object.
    Column("tags", Text, nullable=False),
    Index("dataset_inputs_by_dataset", "dataset_id"),
)

run_models = Table(
    "run_models",
    metadata,
    Column("run_id", String(64), ForeignKey("runs.run_id"), primary_key=True),
    # `input` or `output`
    Column("direction", String(8), primary_key=True),
    Column("model_id", String(64), primary_key=True),
    Column("step", BigInteger, nullable=False),
    Index("run_models_by_model", "model_id"),
)

logged_models = Table(
    "logged_models",
    metadata,
    Column("model_id", String(64), primary_key=True),
    Column("experiment_id", Whole, ForeignKey("experiments.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("artifact_uri", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("status_message", Text),
    Column("model_type", Text),
    Column("source_run_id", String(64)),
    Column("deleted", Boolean, nullable=False, server_default="0"),
    Index("logged_models_by_experiment", "experiment_id", "created_ms"),
    Index("logged_models_by_run", "source_run_id"),
)

logged_model_params = Table(
    "logged_model_params",
    metadata,
    Column("model_id", String(64), ForeignKey("logged_models.model_id"), primary_key=True),
    Column("key", String(250), primary_key=True),
    Column("value", Text, nullable=False),
    # The value again where it is a number, to be compared as one.
    Column("number", Double),
)

logged_model_tags = Table(
    "logged_model_tags",
    metadata,
    Column("model_id", String(64), ForeignKey("logged_models.model_id"), primary_key=True),
    Column("key", String(250), primary_key=True),
    Column("value", Text, nullable=False),
)

logged_model_metrics = Table(
    "logged_model_metrics",
    metadata,
    Column("model_id", String(64), ForeignKey("logged_models.model_id"), primary_key=True),
    Column("key", String(250), primary_key=True),
    Column("run_id", String(64), ForeignKey("runs.run_id"), primary_key=True),
    Column("step", BigInteger, primary_key=True, autoincrement=False),
    Column("timestamp", BigInteger, primary_key=True, autoincrement=False),
    # 0 where it is NaN, as in `metric_points`.
    Column("value", Double, nullable=False),
    Column("nan", Boolean, nullable=False),
    Column("dataset_name", String(500)),
    Column("dataset_digest", String(36)),
    Index("logged_model_metrics_by_run", "run_id"),
)

registered_models = Table(
    "registered_models",
    metadata,
    Column("id", Whole, primary_key=True),
    Column("name", String(256), nullable=False, unique=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("description", Text, nullable=False),
    # The greatest number that a version ever had: a deleted one's is not given again.
    Column("last_version", Whole, nullable=False, server_default="0"),
)

registered_model_tags = Table(
    "registered_model_tags",
    metadata,
    Column("model", Whole, ForeignKey("registered_models.id"), primary_key=True, autoincrement=False),
    Column("key", String(250), primary_key=True),
    Column("value", Text, nullable=False),
)

registered_model_aliases = Table(
    "registered_model_aliases",
    metadata,
    Column("model", Whole, ForeignKey("registered_models.id"), primary_key=True, autoincrement=False),
    Column("alias", String(256), primary_key=True),
    Column("version", Whole, nullable=False),
)

model_versions = Table(
    "model_versions",
    metadata,
    Column("model", Whole, ForeignKey("registered_models.id"), primary_key=True, autoincrement=False),
    Column("version", Whole, primary_key=True, autoincrement=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("description", Text, nullable=False),
    Column("user_name", Text, nullable=False),
    Column("stage", String(20), nullable=False),
    Column("source", Text, nullable=False),
    # Of a run that may be in another store.
    Column("run_id", String(64)),
    Column("run_link", Text),
    Column("model_id", String(64)),
    Column("status", String(32), nullable=False),
    Column("status_message", Text),
    Index("model_versions_by_run", "run_id"),
)

model_version_tags = Table(
    "model_version_tags",
    metadata,
    Column("model", Whole, primary_key=True, autoincrement=False),
    Column("version", Whole, primary_key=True, autoincrement=False),
    Column("key", String(250), primary_key=True),
    Column("value", Text, nullable=False),
    ForeignKeyConstraint(["model", "version"], ["model_versions.model", "model_versions.version"]),
)

# Which entries of the chain tell of the registered model that has, or had, a name.
registry_entries = Table(
    "registry_entries",
    metadata,
    Column("model", String(256), primary_key=True),
    Column("sequence", Whole, ForeignKey("entries.sequence"), primary_key=True, autoincrement=False),
)

# What has to hold of a version that is put into Production: the text of the file that says so.
registered_model_rules = Table(
    "registered_model_rules",
    metadata,
    Column("model", Whole, ForeignKey("registered_models.id"), primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
)

traces = Table(
    "traces",
    metadata,
    Column("trace_id", String(128), primary_key=True),
    Column("experiment_id", Whole, ForeignKey("experiments.id"), nullable=False),
    Column("timestamp_ms", BigInteger, nullable=False),
    # What is searched of the info.
    Column("name", Text),
    Column("state", String(32)),
    Column("duration_ms", BigInteger),
    # JSON documents as they came.
    Column("info", Text, nullable=False),
    Column("spans", LargeBinary),
    Index("traces_by_experiment", "experiment_id", "timestamp_ms"),
)

trace_tags = Table(
    "trace_tags",
    metadata,
    Column("trace_id", String(128), ForeignKey("traces.trace_id"), primary_key=True),
    Column("key", String(250), primary_key=True),
    Column("value", Text, nullable=False),
)

trace_metadata = Table(
    "trace_metadata",
    metadata,
    Column("trace_id", String(128), ForeignKey("traces.trace_id"), primary_key=True),
    Column("key", String(250), primary_key=True),
    Column("value", Text, nullable=False),
)
