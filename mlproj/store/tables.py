"""The tables as SQLAlchemy sees them: what searches are written in, and what the migrations must make."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

Whole = Integer().with_variant(BigInteger(), "postgresql", "mysql", "mariadb")
"""A whole number: SQLite's take as much room as each needs, at servers all have the same."""

experiments = Table(
    "experiments",
    metadata,
    Column("id", Whole, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created", String(40), nullable=False),
    Column("deleted", Boolean, nullable=False, server_default="0"),
    # Where its runs' artifacts go, if a client said so.
    Column("artifact_location", Text),
    Column("updated", String(40)),
)

runs = Table(
    "runs",
    metadata,
    # The order in which runs began: the clock is not to be trusted for that.
    Column("number", Whole, primary_key=True),
    Column("run_id", String(64), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("experiment_id", Whole, ForeignKey("experiments.id"), nullable=False),
    Column("status", String(16), nullable=False),
    Column("created", String(40), nullable=False),
    Column("started", String(40)),
    Column("ended", String(40)),
    Column("duration", Float),
    Column("exit_code", Whole),
    Column("plan", String(71)),
    Column("project", Text),
    Column("entry_point", Text),
    Column("uri", Text),
    Column("commit_id", String(64)),
    Column("dirty", Boolean),
    Column("user_name", Text),
    Column("host", Text),
    Column("parent", String(64)),
    Column("reproduces", String(64)),
    # Lifecycle, outside the seal.
    Column("deleted", Boolean, nullable=False, server_default="0"),
    Column("forgotten", Boolean, nullable=False, server_default="0"),
    # Of a run that is going on: who supervises it, and what closing it after a crash needs.
    Column("supervisor", Text),
    Column("boot_id", Text),
    Column("opening", LargeBinary),
    # Of a sealed run: its entry in the chain.
    Column("record", String(71)),
    Column("sequence", Whole, unique=True),
    Column("snapshot", String(71)),
    Column("hidden_at", String(40)),
    # As clients see it: times in milliseconds, the status they set, and the run in whose script it began.
    Column("started_ms", BigInteger),
    Column("ended_ms", BigInteger),
    Column("logged_status", String(16)),
    Column("owner", String(64)),
    Index("runs_by_status", "status"),
    Index("runs_by_name", "name"),
    Index("runs_by_plan", "plan"),
    Index("runs_by_snapshot", "snapshot"),
    Index("runs_by_experiment", "experiment_id", "started_ms"),
    Index("runs_by_owner", "owner"),
    Index("runs_by_parent", "parent"),
    sqlite_autoincrement=True,
)

params = Table(
    "params",
    metadata,
    Column("run_id", String(64), ForeignKey("runs.run_id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("type", String(32), nullable=False),
    # The value again where it is a number, to be compared as one.
    Column("number", Float),
)

latest_metrics = Table(
    "latest_metrics",
    metadata,
    Column("run_id", String(64), ForeignKey("runs.run_id"), primary_key=True),
    Column("key", Text, primary_key=True),
    # NULL stands for NaN.
    Column("value", Float),
    Column("step", Whole, nullable=False),
    # In milliseconds. NULL where the metric was read from a file, which tells no time.
    Column("timestamp", BigInteger),
    # Over all points but NaN.
    Column("minimum", Double),
    Column("maximum", Double),
    Column("count", Whole, nullable=False, server_default="1"),
    Index("latest_metrics_by_key", "key", "value"),
)

tags = Table(
    "tags",
    metadata,
    Column("run_id", String(64), ForeignKey("runs.run_id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

inputs = Table(
    "inputs",
    metadata,
    Column("run_id", String(64), ForeignKey("runs.run_id"), primary_key=True),
    Column("position", Whole, primary_key=True),
    Column("name", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("digest", String(71)),
    Column("size", BigInteger, nullable=False),
    Index("inputs_by_digest", "digest"),
)

outputs = Table(
    "outputs",
    metadata,
    Column("run_id", String(64), ForeignKey("runs.run_id"), primary_key=True),
    Column("position", Whole, primary_key=True),
    Column("path", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("digest", String(71)),
    Column("size", BigInteger, nullable=False),
    Index("outputs_by_digest", "digest"),
)

# Folders that runs read or left, as far as the files in them are known, each once whoever names it.
folders = Table(
    "folders",
    metadata,
    Column("id", Whole, primary_key=True),
    Column("digest", String(71), nullable=False, unique=True),
)

folder_files = Table(
    "folder_files",
    metadata,
    Column("folder", Whole, ForeignKey("folders.id"), primary_key=True, autoincrement=False),
    # In the order of the paths (bytes, as file systems have them), so that the folder's digest follows.
    Column("position", Whole, primary_key=True, autoincrement=False),
    Column("path", LargeBinary, nullable=False),
    Column("digest", String(71), nullable=False),
    Index("folder_files_by_digest", "digest"),
    sqlite_with_rowid=False,
)

entries = Table(
    "entries",
    metadata,
    Column("sequence", Whole, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("time", String(40), nullable=False),
    Column("digest", String(71), nullable=False),
    Column("previous", String(71), nullable=False),
    Column("link", String(71), nullable=False),
    Column("payload", LargeBinary),
    Index("entries_by_run", "run_id"),
)

# One row: the last entry. A server's writers lock it; `verify` notices by it that entries are missing.
chain = Table(
    "chain",
    metadata,
    Column("id", Whole, primary_key=True, autoincrement=False),
    Column("sequence", Whole, nullable=False),
    Column("link", String(71), nullable=False),
)
