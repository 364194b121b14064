"""What is to be told is put on its way in the transaction that changes what it tells of."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, insert, or_, select, true

from mlproj.model.moment import milliseconds
from mlproj.model.webhooks import DeliveryState, message
from mlproj.store.webhook_tables import webhook_deliveries, webhook_events, webhooks


def put(connection: Connection, webhook_id: str, time: str, event: str, data: Mapping[str, Any]) -> None:
    """Puts one event on its way to one webhook."""
    now = milliseconds(time)
    row = {
        "webhook": webhook_id,
        "delivery_id": str(uuid.uuid4()),
        "event": event,
        "body": message(event, time, data),
        "state": DeliveryState.WAITING.value,
        "attempts": 0,
        "created_ms": now,
        "next_ms": now,
    }
    connection.execute(insert(webhook_deliveries).values(**row))


def put_for_all(
    connection: Connection, time: str, event: str, data: Mapping[str, Any], *, model: str | None = None
) -> None:
    """Puts an event on its way to every active webhook that hears of it, and of that registered model."""
    for webhook_id in connection.execute(_listening(event, model)).scalars().all():
        put(connection, webhook_id, time, event, data)


def _listening(event: str, model: str | None) -> Any:
    concerned: ColumnElement[bool] = true()
    if model is not None:
        concerned = or_(webhooks.c.model.is_(None), webhooks.c.model == model)
    return (
        select(webhooks.c.id)
        .join(webhook_events, webhook_events.c.webhook == webhooks.c.id)
        .where(and_(webhook_events.c.event == event, webhooks.c.active == true(), concerned))
    )
