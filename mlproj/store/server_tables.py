"""The tables of a server that several people use: who they are, what they may, and what they did; and, where
contents lie elsewhere, where that is, and which artifact has which.

Moments are RFC 3339 in UTC.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, String, Table, Text

from mlproj.store.tables import Whole, metadata

users = Table(
    "users",
    metadata,
    Column("name", String(128), primary_key=True),
    # As the library hashes it, with its salt and its cost. NULL for one that has tokens alone.
    Column("password", Text),
    Column("admin", Boolean, nullable=False, server_default="0"),
    Column("created", String(40), nullable=False),
    Column("disabled", Boolean, nullable=False, server_default="0"),
)

tokens = Table(
    "tokens",
    metadata,
    # What a token begins with: it is found by that, and compared by the digest of the whole.
    Column("id", String(32), primary_key=True),
    # NULL for that of a run at a server without users.
    Column("user_name", String(128), ForeignKey("users.name")),
    Column("label", String(256), nullable=False),
    Column("digest", String(71), nullable=False),
    Column("created", String(40), nullable=False),
    Column("expires", String(40)),
    Column("used", String(40)),
    # Of a run that is going on: what its script may write to, and nothing else.
    Column("run_id", String(64)),
    # What it lets its user do at most.
    Column("level", String(16)),
    Index("tokens_by_user", "user_name"),
    Index("tokens_by_run", "run_id"),
)

permissions = Table(
    "permissions",
    metadata,
    Column("user_name", String(128), ForeignKey("users.name"), primary_key=True),
    # `experiment` (by its id) or `model` (a registered one, by its name).
    Column("kind", String(16), primary_key=True),
    Column("thing", String(256), primary_key=True),
    Column("level", String(16), nullable=False),
    Index("permissions_by_thing", "kind", "thing"),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Whole, primary_key=True),
    Column("time", String(40), nullable=False),
    # NULL where nobody said who it was.
    Column("user_name", String(128)),
    Column("token", String(32)),
    Column("address", String(64)),
    Column("action", String(256), nullable=False),
    Column("kind", String(16)),
    Column("thing", String(256)),
    Column("status", Whole, nullable=False),
    # How often it was done alike, one time after the other.
    Column("times", Whole, nullable=False, server_default="1"),
    Index("audit_by_user", "user_name", "number"),
    Index("audit_by_thing", "kind", "thing", "number"),
    sqlite_autoincrement=True,
)

# Runs whose runner is on another machine: when it was last heard of.
supervised = Table(
    "supervised",
    metadata,
    Column("run_id", String(64), ForeignKey("runs.run_id"), primary_key=True),
    Column("seen", String(40), nullable=False),
)

# Where contents are: one row at most. A store without one has everything in its own folder.
destinations = Table(
    "destinations",
    metadata,
    Column("id", Whole, primary_key=True, autoincrement=False),
    Column("url", Text, nullable=False),
    # What lies there too, so that no two stores take the contents of each other for garbage.
    Column("mark", String(32), nullable=False),
)

# Contents have no names but their digests, so an artifact is in place when its row is.
artifacts = Table(
    "artifacts",
    metadata,
    # The SHA-256 of the path, which may be too long for a key.
    Column("place", String(64), primary_key=True),
    # The run, model or trace that it belongs to: the first two parts of the path.
    Column("owner", String(160), nullable=False),
    Column("path", Text, nullable=False),
    Column("digest", String(71), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("written_ms", BigInteger, nullable=False),
    Index("artifacts_by_owner", "owner"),
    Index("artifacts_by_digest", "digest"),
)

# What runs name and whoever brought them here never showed: of the files in such a folder they tell nothing.
unshown = Table(
    "unshown",
    metadata,
    Column("run_id", String(64), ForeignKey("runs.run_id"), primary_key=True),
    Column("digest", String(71), primary_key=True),
    Index("unshown_by_digest", "digest"),
)
