"""The tables of webhooks: whom to tell of what, and what is on its way to them.

Nothing refers to a webhook by a foreign key: whoever puts something on its way, in the transaction of what
it tells of, waits for nobody. Times are in milliseconds since the epoch.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, String, Table, Text

from mlproj.store.tables import Whole, metadata

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(256), nullable=False),
    Column("url", Text, nullable=False),
    Column("description", Text, nullable=False),
    # Encrypted. NULL where nothing is signed.
    Column("secret", Text),
    Column("active", Boolean, nullable=False, server_default="1"),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    # NULL for all.
    Column("experiment_id", Whole),
    Column("model", String(256)),
    Column("metric", String(250)),
    Column("comparison", String(2)),
    Column("threshold", Double),
    # How far the chain was looked through for it.
    Column("seen", Whole, nullable=False),
    # Who sends to it, and until when nobody else does.
    Column("holder", String(64)),
    Column("held_until_ms", BigInteger),
)

webhook_events = Table(
    "webhook_events",
    metadata,
    Column("webhook", String(64), primary_key=True),
    Column("event", String(64), primary_key=True),
    # As they were given.
    Column("position", Whole, nullable=False),
    Index("webhook_events_by_event", "event"),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("number", Whole, primary_key=True),
    Column("webhook", String(64), nullable=False),
    Column("delivery_id", String(64), nullable=False),
    Column("event", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Whole, nullable=False, server_default="0"),
    Column("created_ms", BigInteger, nullable=False),
    Column("tried_ms", BigInteger),
    Column("next_ms", BigInteger),
    # Of the last attempt.
    Column("status", Whole),
    Column("error", Text),
    Index("webhook_deliveries_by_webhook", "webhook", "state", "number"),
    Index("webhook_deliveries_due", "state", "next_ms"),
    sqlite_autoincrement=True,
)

# Of which run, or version of a model, a webhook was told already that its metric is where it was waited for.
webhook_crossings = Table(
    "webhook_crossings",
    metadata,
    Column("webhook", String(64), primary_key=True),
    Column("subject", String(320), primary_key=True),
)
