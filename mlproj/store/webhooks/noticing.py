"""Ends of runs, and metrics at their thresholds: found in the chain and in the tables, as nobody who ends a
run or logs a metric has to know of webhooks.

Each webhook's row says how far the chain was looked through for it. It is held while that is done, so that
of several who look at once, one finds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, select, update

from mlproj.model.entries import read_amendment
from mlproj.model.record import EntryKind
from mlproj.model.webhooks import CROSSED, RUN_ENDS, Webhook
from mlproj.store.reading import raw_bytes
from mlproj.store.tables import chain, entries, experiments, runs
from mlproj.store.tracking.engine import Database, held
from mlproj.store.webhook_tables import webhook_events, webhooks
from mlproj.store.webhooks.crossing import Watch, crossings, remember
from mlproj.store.webhooks.putting import put
from mlproj.store.webhooks.rows import condition_of, read

_AT_ONCE = 1000
"""Entries that are looked through in one transaction."""
_STATUS = "status"
FOUND = (*RUN_ENDS, CROSSED)
"""The events that nobody announces."""


class End(msgspec.Struct, frozen=True, kw_only=True):
    """That a run came to its end, as the entry at `sequence` says."""

    sequence: int
    time: str
    event: str
    experiment_id: int
    data: dict[str, Any]


def notice(database: Database) -> None:
    """Looks through what came since, and puts it on its way. Reads alone where there is nothing."""
    while True:
        with database.reading() as connection:
            rows = connection.execute(_waiting()).all()
            if not rows:
                return
            head = head_of(connection)
            behind = [row for row in rows if row.seen < head]
            crossed = any(crossings(connection, watch) for watch in map(watch_of, rows) if watch is not None)
        if not behind and not crossed:
            return
        with database.writing() as connection:
            if _look(connection, database.now()):
                return


def watch_of(row: Row[Any]) -> Watch | None:
    """What the webhook in this row waits for, if it waits for a metric."""
    condition = condition_of(row)
    if condition is None:
        return None
    return Watch(
        webhook_id=row.id,
        condition=condition,
        experiment_id=row.experiment_id,
        model=row.model,
        seen=row.seen,
    )


def head_of(connection: Connection) -> int:
    return int(connection.execute(select(chain.c.sequence)).scalar() or 0)


def _waiting() -> Any:
    """The webhooks for which somebody has to look."""
    listening = select(webhook_events.c.webhook).where(webhook_events.c.event.in_(FOUND))
    return select(webhooks).where(webhooks.c.id.in_(listening)).order_by(webhooks.c.id)


def _look(connection: Connection, now: str) -> bool:
    """Whether all was looked through."""
    rows = connection.execute(held(connection, _waiting())).all()
    if not rows:
        return True
    head, first = head_of(connection), min(row.seen for row in rows)
    until = min(head, first + _AT_ONCE)
    ends = list(_ends(connection, first, until))
    for row, webhook in zip(rows, read(connection, rows), strict=True):
        if webhook.active:
            _tell_ends(connection, row, webhook, ends)
        _tell_crossings(connection, row, webhook, now)
    behind = [row.id for row in rows if row.seen < until]
    if behind:
        connection.execute(update(webhooks).where(webhooks.c.id.in_(behind)).values(seen=until))
    return bool(until >= head)


def _tell_ends(connection: Connection, row: Row[Any], webhook: Webhook, ends: Sequence[End]) -> None:
    for end in ends:
        concerns = row.experiment_id in (None, end.experiment_id)
        if end.sequence > row.seen and end.event in webhook.events and concerns:
            put(connection, webhook.webhook_id, end.time, end.event, end.data)


def _tell_crossings(connection: Connection, row: Row[Any], webhook: Webhook, now: str) -> None:
    watch = watch_of(row)
    if watch is None or CROSSED not in webhook.events:
        return
    found = crossings(connection, watch)
    for each in found if webhook.active else ():
        put(connection, webhook.webhook_id, now, CROSSED, each.data)
    remember(connection, webhook.webhook_id, found)


def _ends(connection: Connection, after: int, until: int) -> Iterator[End]:
    """The ends of runs that these entries tell of: seals, and what a client said of a sealed run later."""
    between = (entries.c.sequence > after, entries.c.sequence <= until)
    columns = (entries.c.sequence, entries.c.time, entries.c.run_id)
    sealed = select(*columns).where(*between, entries.c.kind == EntryKind.RUN.value)
    told: dict[int, tuple[Any, str | None]] = {
        row.sequence: (row, None) for row in connection.execute(sealed)
    }
    later = select(*columns, entries.c.payload).where(
        *between,
        entries.c.kind == EntryKind.AMENDMENT.value,
        # Points of metrics may be many, and say nothing of an end.
        func.length(entries.c.payload) < _LONGEST_STATUS,
    )
    for amended in connection.execute(later):
        status = _status_in(amended.payload)
        if status is not None:
            told[amended.sequence] = (amended, status)
    for sequence in sorted(told):
        end = _end(connection, *told[sequence])
        if end is not None:
            yield end


_LONGEST_STATUS = 1000
"""Bytes of an amendment that says no more than a status."""


def _status_in(payload: Any) -> str | None:
    if payload is None:
        return None
    try:
        document = read_amendment(raw_bytes(payload))
    except ValueError:
        return None
    return document.content.get("status") if document.kind == _STATUS else None


def _end(connection: Connection, entry: Row[Any], status: str | None) -> End | None:
    """None where the run is gone, or goes on again."""
    statement = (
        select(runs, experiments.c.name.label("experiment"))
        .join(experiments, experiments.c.id == runs.c.experiment_id)
        .where(runs.c.run_id == entry.run_id)
    )
    run = connection.execute(statement).first()
    if run is None:
        return None
    status = status or run.status
    event = f"run.{status.lower()}"
    if event not in RUN_ENDS:
        return None
    data = {
        "run_id": run.run_id,
        "run_name": run.name,
        "experiment_id": str(run.experiment_id),
        "experiment_name": run.experiment,
        "status": status,
        "start_time": run.started_ms,
        "end_time": run.ended_ms,
    }
    return End(
        sequence=entry.sequence, time=entry.time, event=event, experiment_id=run.experiment_id, data=data
    )
