"""Webhooks in the tables, and what is to be known of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from mlproj.errors import NotFound
from mlproj.model.threshold import Threshold
from mlproj.model.webhooks import Webhook
from mlproj.store.webhook_tables import webhook_events, webhooks


def row_of(connection: Connection, webhook_id: str) -> Row[Any]:
    """Raises NotFound."""
    row = connection.execute(select(webhooks).where(webhooks.c.id == webhook_id)).first()
    if row is None:
        raise NotFound(f"Webhook with ID {webhook_id} not found.")
    return row


def read(connection: Connection, rows: Sequence[Row[Any]]) -> list[Webhook]:
    events = defaultdict(list)
    of_these = webhook_events.c.webhook.in_([row.id for row in rows])
    statement = select(webhook_events).where(of_these).order_by(webhook_events.c.position)
    for row in connection.execute(statement):
        events[row.webhook].append(row.event)
    return [
        Webhook(
            webhook_id=row.id,
            name=row.name,
            url=row.url,
            events=tuple(events[row.id]),
            created=row.created_ms,
            updated=row.updated_ms,
            description=row.description,
            signed=row.secret is not None,
            active=bool(row.active),
            experiment_id=None if row.experiment_id is None else str(row.experiment_id),
            model=row.model,
            condition=condition_of(row),
        )
        for row in rows
    ]


def condition_of(row: Row[Any]) -> Threshold | None:
    if row.metric is None:
        return None
    return Threshold(key=row.metric, operator=row.comparison, number=row.threshold)


def put_events(connection: Connection, webhook_id: str, events: Sequence[str]) -> None:
    """These, and no others from now on."""
    connection.execute(delete(webhook_events).where(webhook_events.c.webhook == webhook_id))
    rows = [
        {"webhook": webhook_id, "event": event, "position": position}
        for position, event in enumerate(dict.fromkeys(events))
    ]
    connection.execute(insert(webhook_events), rows)
