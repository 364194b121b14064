"""What tracking needs: every point of a metric, datasets, logged models, the registry, traces.

The experiment of runs that name none gets the id 0, which is the one that MLflow's clients know it by.
A migration stays in one file as it was written: stores of the version before it still come by here.
"""

from __future__ import annotations

import datetime
import json
import math
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_AT_ONCE = 500
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def upgrade() -> None:
    _make_tables()
    _add_columns()
    _move_default(op.get_bind())
    _fill_times(op.get_bind())
    _fill_metrics(op.get_bind())
    _fill_tags(op.get_bind())
    _fill_spellings(op.get_bind())


def _make_tables() -> None:
    op.create_table(
        "registered_models",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("last_version", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "datasets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("digest", sa.String(length=36), nullable=False),
        sa.Column("source_type", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("schema", sa.Text(), nullable=True),
        sa.Column("profile", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiments.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("experiment_id", "name", "digest"),
    )
    op.create_table(
        "experiment_tags",
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiments.id"],
        ),
        sa.PrimaryKeyConstraint("experiment_id", "key"),
    )
    op.create_table(
        "logged_models",
        sa.Column("model_id", sa.String(length=64), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("artifact_uri", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("status_message", sa.Text(), nullable=True),
        sa.Column("model_type", sa.Text(), nullable=True),
        sa.Column("source_run_id", sa.String(length=64), nullable=True),
        sa.Column("deleted", sa.Boolean(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiments.id"],
        ),
        sa.PrimaryKeyConstraint("model_id"),
    )
    op.create_index(
        "logged_models_by_experiment", "logged_models", ["experiment_id", "created_ms"], unique=False
    )
    op.create_index("logged_models_by_run", "logged_models", ["source_run_id"], unique=False)
    op.create_table(
        "model_versions",
        sa.Column("model", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("run_link", sa.Text(), nullable=True),
        sa.Column("model_id", sa.String(length=64), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("status_message", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["model"],
            ["registered_models.id"],
        ),
        sa.PrimaryKeyConstraint("model", "version"),
    )
    op.create_index("model_versions_by_run", "model_versions", ["run_id"], unique=False)
    op.create_table(
        "registered_model_aliases",
        sa.Column("model", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("alias", sa.String(length=256), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model"],
            ["registered_models.id"],
        ),
        sa.PrimaryKeyConstraint("model", "alias"),
    )
    op.create_table(
        "registered_model_tags",
        sa.Column("model", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model"],
            ["registered_models.id"],
        ),
        sa.PrimaryKeyConstraint("model", "key"),
    )
    op.create_table(
        "traces",
        sa.Column("trace_id", sa.String(length=128), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=32), nullable=True),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("info", sa.Text(), nullable=False),
        sa.Column("spans", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiments.id"],
        ),
        sa.PrimaryKeyConstraint("trace_id"),
    )
    op.create_index("traces_by_experiment", "traces", ["experiment_id", "timestamp_ms"], unique=False)
    op.create_table(
        "dataset_inputs",
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("context", sa.Text(), nullable=True),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["datasets.id"],
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["runs.run_id"],
        ),
        sa.PrimaryKeyConstraint("run_id", "dataset_id"),
    )
    op.create_index("dataset_inputs_by_dataset", "dataset_inputs", ["dataset_id"], unique=False)
    op.create_table(
        "logged_model_metrics",
        sa.Column("model_id", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("step", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("timestamp", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("nan", sa.Boolean(), nullable=False),
        sa.Column("dataset_name", sa.String(length=500), nullable=True),
        sa.Column("dataset_digest", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(
            ["model_id"],
            ["logged_models.model_id"],
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["runs.run_id"],
        ),
        sa.PrimaryKeyConstraint("model_id", "key", "run_id", "step", "timestamp"),
    )
    op.create_index("logged_model_metrics_by_run", "logged_model_metrics", ["run_id"], unique=False)
    op.create_table(
        "logged_model_params",
        sa.Column("model_id", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("number", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["model_id"],
            ["logged_models.model_id"],
        ),
        sa.PrimaryKeyConstraint("model_id", "key"),
    )
    op.create_table(
        "logged_model_tags",
        sa.Column("model_id", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"],
            ["logged_models.model_id"],
        ),
        sa.PrimaryKeyConstraint("model_id", "key"),
    )
    op.create_table(
        "metric_points",
        sa.Column("run", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("step", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("timestamp", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("nan", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run"],
            ["runs.number"],
        ),
        sa.PrimaryKeyConstraint("run", "key", "step", "timestamp", "value", "nan"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "model_version_tags",
        sa.Column("model", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["model_versions.model", "model_versions.version"],
        ),
        sa.PrimaryKeyConstraint("model", "version", "key"),
    )
    op.create_table(
        "run_models",
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("model_id", sa.String(length=64), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["runs.run_id"],
        ),
        sa.PrimaryKeyConstraint("run_id", "direction", "model_id"),
    )
    op.create_index("run_models_by_model", "run_models", ["model_id"], unique=False)
    op.create_table(
        "trace_metadata",
        sa.Column("trace_id", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["trace_id"],
            ["traces.trace_id"],
        ),
        sa.PrimaryKeyConstraint("trace_id", "key"),
    )
    op.create_table(
        "trace_tags",
        sa.Column("trace_id", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["trace_id"],
            ["traces.trace_id"],
        ),
        sa.PrimaryKeyConstraint("trace_id", "key"),
    )


def _add_columns() -> None:
    op.add_column("experiments", sa.Column("artifact_location", sa.Text(), nullable=True))
    op.add_column("experiments", sa.Column("updated", sa.String(length=40), nullable=True))
    op.add_column("latest_metrics", sa.Column("timestamp", sa.BigInteger(), nullable=True))
    op.add_column("latest_metrics", sa.Column("minimum", sa.Double(), nullable=True))
    op.add_column("latest_metrics", sa.Column("maximum", sa.Double(), nullable=True))
    op.add_column("latest_metrics", sa.Column("count", sa.Integer(), server_default="1", nullable=False))
    op.add_column("runs", sa.Column("started_ms", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("ended_ms", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("logged_status", sa.String(length=16), nullable=True))
    op.add_column("runs", sa.Column("owner", sa.String(length=64), nullable=True))
    op.create_index("runs_by_experiment", "runs", ["experiment_id", "started_ms"], unique=False)
    op.create_index("runs_by_owner", "runs", ["owner"], unique=False)
    op.create_index("runs_by_parent", "runs", ["parent"], unique=False)


def _move_default(connection: sa.Connection) -> None:
    """Gives `Default` the id 0, and makes it where there is none."""
    found = connection.execute(sa.text("SELECT id, created FROM experiments WHERE name = 'Default'")).first()
    created = _text(datetime.datetime.now(datetime.timezone.utc)) if found is None else found.created
    number = None if found is None else found.id
    if number is not None:
        connection.execute(
            sa.text("UPDATE experiments SET name = :aside WHERE id = :number"),
            {"aside": "Default, moved", "number": number},
        )
    connection.execute(
        sa.text("INSERT INTO experiments (id, name, created) VALUES (0, 'Default', :created)"),
        {"created": created},
    )
    if number is not None:
        moved = {"number": number}
        connection.execute(sa.text("UPDATE runs SET experiment_id = 0 WHERE experiment_id = :number"), moved)
        connection.execute(sa.text("DELETE FROM experiments WHERE id = :number"), moved)


def _fill_times(connection: sa.Connection) -> None:
    rows = connection.execute(sa.text("SELECT number, created, started, ended FROM runs")).all()
    filled = [
        {"number": number, "started": _milliseconds(started or created), "ended": _milliseconds(ended)}
        for number, created, started, ended in rows
    ]
    if filled:
        connection.execute(
            sa.text("UPDATE runs SET started_ms = :started, ended_ms = :ended WHERE number = :number"), filled
        )


def _fill_metrics(connection: sa.Connection) -> None:
    """Brings the points that records hold into the table of points, and sums them up."""
    documents = sa.text(
        "SELECT r.number, r.run_id, r.ended_ms, e.payload FROM runs r JOIN entries e"
        " ON e.sequence = r.sequence WHERE r.number > :last ORDER BY r.number LIMIT :most"
    )
    last = 0
    while rows := connection.execute(documents, {"last": last, "most": _AT_ONCE}).all():
        last = rows[-1].number
        for number, run_id, ended, payload in rows:
            for key, points in _points_in(payload).items():
                _fill_metric(connection, number, run_id, ended or 0, key, points)


def _fill_metric(
    connection: sa.Connection,
    number: int,
    run_id: str,
    timestamp: int,
    key: str,
    points: dict[tuple[int, float, bool], None],
) -> None:
    connection.execute(
        sa.text(
            'INSERT INTO metric_points (run, "key", step, "timestamp", value, nan)'
            " VALUES (:run, :key, :step, :timestamp, :value, :nan)"
        ),
        [
            {"run": number, "key": key, "step": step, "timestamp": timestamp, "value": value, "nan": nan}
            for step, value, nan in points
        ],
    )
    numbers = [value for _, value, nan in points if not nan]
    connection.execute(
        sa.text(
            'UPDATE latest_metrics SET "timestamp" = :timestamp, minimum = :minimum, maximum = :maximum,'
            ' "count" = :count WHERE run_id = :run_id AND "key" = :key'
        ),
        {
            "timestamp": timestamp,
            "minimum": min(numbers, default=None),
            "maximum": max(numbers, default=None),
            "count": len(points),
            "run_id": run_id,
            "key": key,
        },
    )


def _fill_spellings(connection: sa.Connection) -> None:
    """Has what is searched spell numbers as the runs' scripts were given them."""
    documents = sa.text(
        "SELECT r.number, r.run_id, r.opening, e.payload FROM runs r LEFT JOIN entries e"
        " ON e.sequence = r.sequence WHERE r.number > :last ORDER BY r.number LIMIT :most"
    )
    last = 0
    while rows := connection.execute(documents, {"last": last, "most": _AT_ONCE}).all():
        last = rows[-1].number
        spelt = [
            {"run_id": run_id, "key": key, "value": text}
            for _, run_id, opening, payload in rows
            for key, text in _spellings_in(payload or opening).items()
        ]
        if spelt:
            connection.execute(
                sa.text('UPDATE params SET value = :value WHERE run_id = :run_id AND "key" = :key'), spelt
            )


def _fill_tags(connection: sa.Connection) -> None:
    """Has what is searched tell of the tags that came after a seal, too."""
    documents = sa.text(
        "SELECT payload FROM entries WHERE kind = 'amendment' AND payload IS NOT NULL ORDER BY sequence"
    )
    for (payload,) in connection.execute(documents).all():
        try:
            document = json.loads(payload)
            tag = {
                "run_id": document["run_id"],
                **{name: document["content"][name] for name in ("key", "value")},
            }
        except (ValueError, KeyError, TypeError):
            continue  # of another kind
        if document["kind"] == "tag":
            same = sa.text('DELETE FROM tags WHERE run_id = :run_id AND "key" = :key')
            connection.execute(same, {"run_id": tag["run_id"], "key": tag["key"]})
            connection.execute(
                sa.text('INSERT INTO tags (run_id, "key", value) VALUES (:run_id, :key, :value)'), tag
            )


def _points_in(document: Any) -> dict[str, dict[tuple[int, float, bool], None]]:
    """Step, value and whether it is NaN of each point, by metric, each once."""
    found: dict[str, dict[tuple[int, float, bool], None]] = {}
    try:
        for point in json.loads(document)["outcome"]["metrics"]:
            value = float(_WORDS.get(point["value"], point["value"]))
            nan = math.isnan(value)
            found.setdefault(point["key"], {})[(int(point["step"]), 0.0 if nan else value, nan)] = None
    except (ValueError, KeyError, TypeError):
        return {}  # nothing is left of it, or it was altered: `verify` tells
    return found


def _spellings_in(document: Any) -> dict[str, str]:
    """The texts of the parameters that are no texts."""
    try:
        read = json.loads(document)
        typed = {item["name"] for item in read["job"]["parameters"] if not isinstance(item["value"], str)}
        planned = read["plan"]["parameters"]
        return {item["name"]: item["text"] for item in planned if item["name"] in typed and item["text"]}
    except (ValueError, KeyError, TypeError):
        return {}  # as above


def _milliseconds(moment: str | None) -> int | None:
    try:
        read = datetime.datetime.fromisoformat((moment or "").replace("Z", "+00:00"))
    except ValueError:
        return None
    return round(read.timestamp() * 1000)


def _text(moment: datetime.datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
