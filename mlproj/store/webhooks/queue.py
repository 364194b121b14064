"""What is on its way, in the tables: each webhook's in the hands of one sender at a time, by a lease.

A sender that is killed lets go when its lease is over, and another tries again: what was received and not
noted comes twice then, under the same delivery id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select, true, update

from mlproj.errors import MlprojError
from mlproj.model.webhooks import Answered, DeliveryState, Due, Outgoing
from mlproj.store.tracking.engine import Database
from mlproj.store.webhook_tables import webhook_crossings, webhook_deliveries, webhook_events, webhooks
from mlproj.store.webhooks.noticing import notice

if TYPE_CHECKING:
    from mlproj.store.webhooks.sealing import Seal

KEPT = 1000
"""Deliveries of one webhook that are over, and kept to be looked at."""
MOST_WAITING = 10_000
_LONGEST_ERROR = 500
_ROW = webhook_deliveries.c
_OVER = (DeliveryState.SENT.value, DeliveryState.FAILED.value)


class StoredQueue:
    """The `Queue` of a store."""

    def __init__(self, database: Database, seal: Callable[[], Seal]) -> None:
        self._database = database
        self._seal = seal

    def notice(self) -> None:
        notice(self._database)

    def waiting(self) -> Sequence[str]:
        now = self._database.now_ms()
        statement = (
            select(webhooks.c.id)
            .where(webhooks.c.active == true(), _free(now))
            .where(exists().where(_ROW.webhook == webhooks.c.id, *_due(now)))
        )
        with self._database.reading() as connection:
            return connection.execute(statement).scalars().all()

    def take(self, webhook_id: str, holder: str, seconds: float) -> bool:
        now = self._database.now_ms()
        free = and_(webhooks.c.id == webhook_id, _free(now))
        return self._held(free, holder=holder, held_until_ms=now + int(1000 * seconds))

    def next(self, webhook_id: str, holder: str, seconds: float) -> Due | None:
        now = self._database.now_ms()
        with self._database.writing() as connection:
            ours = update(webhooks).where(webhooks.c.id == webhook_id, webhooks.c.holder == holder)
            if not connection.execute(ours.values(held_until_ms=now + int(1000 * seconds))).rowcount:
                return None
            webhook = connection.execute(
                select(webhooks).where(webhooks.c.id == webhook_id, webhooks.c.active == true())
            ).first()
            of_this = select(webhook_deliveries).where(_ROW.webhook == webhook_id, *_due(now))
            row = connection.execute(of_this.order_by(_ROW.number).limit(1)).first()
            if webhook is None or row is None:
                return None
            attempt = row.attempts + 1
            noted = update(webhook_deliveries).where(_ROW.number == row.number)
            connection.execute(noted.values(attempts=attempt, tried_ms=now))
        try:
            secret = None if webhook.secret is None else self._seal().opened(webhook.secret)
        except MlprojError as error:
            told = f"{error.message}: {error.hint}"
            return Due(number=row.number, attempt=attempt, outgoing=None, error=told)
        outgoing = Outgoing(url=webhook.url, body=row.body, delivery_id=row.delivery_id, secret=secret)
        return Due(number=row.number, attempt=attempt, outgoing=outgoing)

    def settle(self, due: Due, answered: Answered, *, again_in: float | None) -> None:
        state = DeliveryState.SENT if answered.accepted else DeliveryState.FAILED
        values: dict[str, Any] = {
            "state": state.value,
            "status": answered.status,
            "error": None if answered.error is None else answered.error[:_LONGEST_ERROR],
            "next_ms": None,
        }
        if again_in is not None:
            following = self._database.now_ms() + int(1000 * again_in)
            values |= {"state": DeliveryState.WAITING.value, "next_ms": following}
        # One that was taken up by another meanwhile is theirs to settle.
        same = and_(_ROW.number == due.number, _ROW.attempts == due.attempt)
        with self._database.writing() as connection:
            connection.execute(update(webhook_deliveries).where(same).values(**values))

    def release(self, webhook_id: str, holder: str) -> None:
        ours = and_(webhooks.c.id == webhook_id, webhooks.c.holder == holder)
        self._held(ours, holder=None, held_until_ms=None)

    def prune(self) -> None:
        there = select(webhooks.c.id)
        with self._database.reading() as connection:
            # Most stores have none, and some cannot be written to.
            if connection.execute(there.limit(1)).first() is None:
                return
        with self._database.writing() as connection:
            for table in (webhook_deliveries, webhook_events, webhook_crossings):
                connection.execute(delete(table).where(table.c.webhook.not_in(there)))
            for webhook_id in connection.execute(there).scalars().all():
                of_this = _ROW.webhook == webhook_id
                over = and_(of_this, _ROW.state.in_(_OVER))
                oldest = connection.execute(_nth_newest(over, KEPT)).scalar()
                if oldest is not None:
                    connection.execute(delete(webhook_deliveries).where(over, _ROW.number <= oldest))
                waiting = and_(of_this, _ROW.state == DeliveryState.WAITING.value)
                oldest = connection.execute(_nth_newest(waiting, MOST_WAITING)).scalar()
                if oldest is not None:
                    given_up = update(webhook_deliveries).where(waiting, _ROW.number <= oldest)
                    told = f"given up, as more than {MOST_WAITING} newer ones wait"
                    connection.execute(
                        given_up.values(state=DeliveryState.FAILED.value, next_ms=None, error=told)
                    )

    def _held(self, which: ColumnElement[bool], **values: Any) -> bool:
        with self._database.writing() as connection:
            return bool(connection.execute(update(webhooks).where(which).values(**values)).rowcount)


def _free(now: int) -> ColumnElement[bool]:
    return or_(webhooks.c.held_until_ms.is_(None), webhooks.c.held_until_ms < now)


def _due(now: int) -> tuple[ColumnElement[bool], ...]:
    return (_ROW.state == DeliveryState.WAITING.value, _ROW.next_ms <= now)


def _nth_newest(which: ColumnElement[bool], count: int) -> Any:
    """The number of the newest that is beyond so many."""
    return select(_ROW.number).where(which).order_by(_ROW.number.desc()).offset(count).limit(1)
