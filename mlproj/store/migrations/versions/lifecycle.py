"""What keeping house needs: which snapshot a run names, and since when a run is hidden."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_AT_ONCE = 500


def upgrade() -> None:
    op.add_column("runs", sa.Column("snapshot", sa.String(length=71), nullable=True))
    op.add_column("runs", sa.Column("hidden_at", sa.String(length=40), nullable=True))
    op.create_index("runs_by_snapshot", "runs", ["snapshot"], unique=False)
    _fill_snapshots(op.get_bind())


def _fill_snapshots(connection: sa.Connection) -> None:
    """Has each row say what its run's record (or opening, while it runs) says."""
    documents = sa.text(
        "SELECT r.number, r.opening, e.payload FROM runs r LEFT JOIN entries e ON e.sequence = r.sequence"
        " WHERE r.number > :last ORDER BY r.number LIMIT :most"
    )
    last = 0
    while rows := connection.execute(documents, {"last": last, "most": _AT_ONCE}).all():
        last = rows[-1][0]
        found = [
            {"number": number, "snapshot": _snapshot_in(payload or opening)}
            for number, opening, payload in rows
        ]
        connection.execute(sa.text("UPDATE runs SET snapshot = :snapshot WHERE number = :number"), found)


def _snapshot_in(document: Any) -> str | None:
    try:
        snapshot = json.loads(document)["job"]["source"]["snapshot"]
    except (ValueError, KeyError, TypeError):
        return None  # nothing is left of it, or it came from elsewhere
    return snapshot if isinstance(snapshot, str) else None
