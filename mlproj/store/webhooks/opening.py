"""The entrance: the webhooks of a store, and what is on its way to them."""

from __future__ import annotations

import functools
import importlib
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, structs
from sqlalchemy import Connection, delete, insert, select, update

from mlproj.errors import NotFound, UsageError
from mlproj.model.tracking import Page
from mlproj.model.webhooks import (
    Delivery,
    DeliveryState,
    NewWebhook,
    Outgoing,
    Webhook,
    WebhookChanges,
)
from mlproj.store.folder import FolderStore
from mlproj.store.tables import experiments
from mlproj.store.tracking.engine import Database, storable
from mlproj.store.tracking.version_rows import model_row
from mlproj.store.webhook_tables import webhook_crossings, webhook_deliveries, webhook_events, webhooks
from mlproj.store.webhooks.crossing import crossings, remember
from mlproj.store.webhooks.noticing import FOUND, head_of, watch_of
from mlproj.store.webhooks.queue import StoredQueue
from mlproj.store.webhooks.rows import put_events, read, row_of

if TYPE_CHECKING:
    from mlproj.store.webhooks.sealing import Seal

_ROW = webhook_deliveries.c


class StoredWebhooks:
    """The `KeptWebhooks` of a store; `queue` is what is on its way. May be used from several threads."""

    def __init__(self, database: Database, seal: Callable[[], Seal]) -> None:
        self._database = database
        self._seal = seal
        self.queue = StoredQueue(database, seal)

    def add(self, new: NewWebhook) -> Webhook:
        condition = new.condition
        metric = None if condition is None else condition.key
        storable(new.name, new.url, new.description, new.secret, new.model, metric)
        webhook_id, now = str(uuid.uuid4()), self._database.now_ms()
        row = {
            "id": webhook_id,
            "name": new.name,
            "url": new.url,
            "description": new.description,
            "secret": self._seal().closed(new.secret) if new.secret else None,
            "active": new.active,
            "created_ms": now,
            "updated_ms": now,
            "model": new.model,
            "metric": metric,
            "comparison": None if condition is None else condition.operator,
            "threshold": None if condition is None else condition.number,
        }
        with self._database.writing() as connection:
            row["experiment_id"] = _experiment(connection, new.experiment_id)
            if new.model is not None:
                model_row(connection, new.model)
            connection.execute(insert(webhooks).values(**row, seen=head_of(connection)))
            put_events(connection, webhook_id, new.events)
            made = row_of(connection, webhook_id)
            watch = watch_of(made)
            if watch is not None:
                # What is so already is no news.
                remember(connection, webhook_id, crossings(connection, watch))
            return read(connection, [made])[0]

    def get(self, webhook_id: str) -> Webhook:
        with self._database.reading() as connection:
            return read(connection, [row_of(connection, webhook_id)])[0]

    def listing(
        self, page: Page, *, among: Sequence[str] | None = None
    ) -> tuple[Sequence[Webhook], str | None]:
        start = _start(page.token)
        statement = select(webhooks).order_by(webhooks.c.created_ms.desc(), webhooks.c.id)
        if among is not None:
            hears = select(webhook_events.c.webhook).where(webhook_events.c.event.in_(among))
            statement = statement.where(webhooks.c.id.in_(hears))
        with self._database.reading() as connection:
            rows = connection.execute(statement.offset(start).limit(page.limit + 1)).all()
            more = str(start + page.limit) if len(rows) > page.limit else None
            return read(connection, rows[: page.limit]), more

    def change(self, webhook_id: str, changes: WebhookChanges) -> Webhook:
        given = {name: value for name, value in structs.asdict(changes).items() if value is not UNSET}
        storable(*(value for value in given.values() if isinstance(value, str)))
        events = given.pop("events", None)
        if "secret" in given:
            given["secret"] = self._seal().closed(given["secret"]) if given["secret"] else None
        with self._database.writing() as connection:
            before = read(connection, [row_of(connection, webhook_id)])[0]
            given["updated_ms"] = self._database.now_ms()
            if not set(before.events) & set(FOUND):
                # Nobody looked through the chain for it so far.
                given["seen"] = head_of(connection)
            connection.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(**given))
            if events is not None:
                put_events(connection, webhook_id, events)
            return read(connection, [row_of(connection, webhook_id)])[0]

    def remove(self, webhook_id: str) -> None:
        with self._database.writing() as connection:
            row_of(connection, webhook_id)
            # First what whoever sends holds first, too.
            connection.execute(delete(webhooks).where(webhooks.c.id == webhook_id))
            for table in (webhook_deliveries, webhook_crossings, webhook_events):
                connection.execute(delete(table).where(table.c.webhook == webhook_id))

    def outgoing(self, webhook_id: str, body: str, delivery_id: str) -> Outgoing:
        with self._database.reading() as connection:
            row = row_of(connection, webhook_id)
        secret = None if row.secret is None else self._seal().opened(row.secret)
        return Outgoing(url=row.url, body=body, delivery_id=delivery_id, secret=secret)

    def deliveries(self, webhook_id: str | None, limit: int) -> Sequence[Delivery]:
        statement = select(webhook_deliveries).order_by(_ROW.number.desc()).limit(limit)
        with self._database.reading() as connection:
            if webhook_id is not None:
                row_of(connection, webhook_id)
                statement = statement.where(_ROW.webhook == webhook_id)
            return [_delivery(row) for row in connection.execute(statement)]

    def retry(self, numbers: Sequence[int]) -> int:
        failed = update(webhook_deliveries).where(_ROW.state == DeliveryState.FAILED.value)
        if numbers:
            failed = failed.where(_ROW.number.in_(numbers))
        values = {"state": DeliveryState.WAITING.value, "next_ms": self._database.now_ms(), "attempts": 0}
        with self._database.writing() as connection:
            return connection.execute(failed.values(**values)).rowcount

    def close(self) -> None:
        self._database.close()


def open_webhooks(store: FolderStore, key: str | None) -> StoredWebhooks:
    """The webhooks of a store, which stays open as long. Secrets are encrypted by the key, else by one that
    lies beside the database."""

    @functools.cache
    def seal() -> Seal:
        # Few webhooks have secrets, and what encrypts them takes long to load.
        made: Seal = importlib.import_module("mlproj.store.webhooks.sealing").Seal(store.root, key)
        return made

    return StoredWebhooks(Database(store), seal)


def _experiment(connection: Connection, experiment_id: str | None) -> int | None:
    if experiment_id is None:
        return None
    statement = select(experiments.c.id).where(
        experiments.c.id == (int(experiment_id) if experiment_id.isdecimal() else -1)
    )
    found: int | None = connection.execute(statement).scalar()
    if found is None:
        raise NotFound(f"No Experiment with id={experiment_id} exists")
    return found


def _start(token: str | None) -> int:
    if token is None:
        return 0
    if not token.isdecimal() or len(token) > 9:
        raise UsageError("Invalid page token")
    return int(token)


def _delivery(row: Any) -> Delivery:
    return Delivery(
        number=row.number,
        webhook_id=row.webhook,
        delivery_id=row.delivery_id,
        event=row.event,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        created=row.created_ms,
        tried=row.tried_ms,
        next=row.next_ms,
        status=row.status,
        error=row.error,
    )
