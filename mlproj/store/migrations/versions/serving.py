"""What a server for several people needs: users, tokens, rights, what they did, far runners, far contents;
and what a registry on the record needs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_WHOLE = sa.Integer().with_variant(sa.BigInteger(), "postgresql", "mysql", "mariadb")
"""As the tables that these refer to have it at a server."""


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("admin", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("created", sa.String(length=40), nullable=False),
        sa.Column("disabled", sa.Boolean(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("user_name", sa.String(length=128), nullable=True),
        sa.Column("label", sa.String(length=256), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("created", sa.String(length=40), nullable=False),
        sa.Column("expires", sa.String(length=40), nullable=True),
        sa.Column("used", sa.String(length=40), nullable=True),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("level", sa.String(length=16), nullable=True),
        sa.ForeignKeyConstraint(["user_name"], ["users.name"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("tokens_by_user", "tokens", ["user_name"], unique=False)
    op.create_index("tokens_by_run", "tokens", ["run_id"], unique=False)
    op.create_table(
        "permissions",
        sa.Column("user_name", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("thing", sa.String(length=256), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["user_name"], ["users.name"]),
        sa.PrimaryKeyConstraint("user_name", "kind", "thing"),
    )
    op.create_index("permissions_by_thing", "permissions", ["kind", "thing"], unique=False)
    op.create_table(
        "audit",
        sa.Column("number", _WHOLE, nullable=False),
        sa.Column("time", sa.String(length=40), nullable=False),
        sa.Column("user_name", sa.String(length=128), nullable=True),
        sa.Column("token", sa.String(length=32), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.Column("action", sa.String(length=256), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=True),
        sa.Column("thing", sa.String(length=256), nullable=True),
        sa.Column("status", _WHOLE, nullable=False),
        sa.Column("times", _WHOLE, server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_by_user", "audit", ["user_name", "number"], unique=False)
    op.create_index("audit_by_thing", "audit", ["kind", "thing", "number"], unique=False)
    op.create_table(
        "supervised",
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("seen", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"]),
        sa.PrimaryKeyConstraint("run_id"),
    )
    op.create_table(
        "destinations",
        sa.Column("id", _WHOLE, autoincrement=False, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("mark", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "artifacts",
        sa.Column("place", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=160), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("written_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("place"),
    )
    op.create_index("artifacts_by_owner", "artifacts", ["owner"], unique=False)
    op.create_index("artifacts_by_digest", "artifacts", ["digest"], unique=False)
    op.create_table(
        "registry_entries",
        sa.Column("model", sa.String(length=256), nullable=False),
        sa.Column("sequence", _WHOLE, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["sequence"], ["entries.sequence"]),
        sa.PrimaryKeyConstraint("model", "sequence"),
    )
    op.create_table(
        "registered_model_rules",
        sa.Column("model", _WHOLE, autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["model"], ["registered_models.id"]),
        sa.PrimaryKeyConstraint("model"),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), server_default="1", nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.Column("experiment_id", _WHOLE, nullable=True),
        sa.Column("model", sa.String(length=256), nullable=True),
        sa.Column("metric", sa.String(length=250), nullable=True),
        sa.Column("comparison", sa.String(length=2), nullable=True),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.Column("seen", _WHOLE, nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=True),
        sa.Column("held_until_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "webhook_events",
        sa.Column("webhook", sa.String(length=64), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("position", _WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("webhook", "event"),
    )
    op.create_index("webhook_events_by_event", "webhook_events", ["event"], unique=False)
    op.create_table(
        "webhook_deliveries",
        sa.Column("number", _WHOLE, nullable=False),
        sa.Column("webhook", sa.String(length=64), nullable=False),
        sa.Column("delivery_id", sa.String(length=64), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", _WHOLE, server_default="0", nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("tried_ms", sa.BigInteger(), nullable=True),
        sa.Column("next_ms", sa.BigInteger(), nullable=True),
        sa.Column("status", _WHOLE, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "webhook_deliveries_by_webhook", "webhook_deliveries", ["webhook", "state", "number"], unique=False
    )
    op.create_index("webhook_deliveries_due", "webhook_deliveries", ["state", "next_ms"], unique=False)
    op.create_table(
        "webhook_crossings",
        sa.Column("webhook", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=320), nullable=False),
        sa.PrimaryKeyConstraint("webhook", "subject"),
    )
