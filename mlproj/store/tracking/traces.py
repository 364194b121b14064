"""Traces in the tables: documents as they came, beside what of them is searched."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select, union_all, update

from mlproj.errors import AlreadyThere, NotFound, UsageError
from mlproj.model.absent import no_trace
from mlproj.model.moment import duration_ms, epoch_ms, timestamp
from mlproj.model.search import Kind, Search
from mlproj.model.tracking import Page
from mlproj.store.tracking.engine import Database, held, storable
from mlproj.store.tracking.experiments import (
    active_experiment,
    experiment_number,
    experiment_numbers,
    number_searched,
)
from mlproj.store.tracking.paging import found
from mlproj.store.tracking.pairs import drop_pair, pairs_of, put_pairs
from mlproj.store.tracking.searching import Columns, Detail, Last
from mlproj.store.tracking_tables import trace_metadata, trace_tags, traces

NAME_TAG = "mlflow.traceName"
RUN_KEY = "mlflow.sourceRun"
"""The metadata that names a trace's run; a tag where the trace was linked to one later."""
REQUEST_KEY = "client_request_id"
SPANS_TAG = "mlflow.trace.spansLocation"
IN_STORE = "TRACKING_STORE"

_NANOSECONDS = 1_000_000
"""In a millisecond."""
_LAST_MOMENT = 253_402_300_799_999
"""The end of the year 9999."""

_METADATA = union_all(
    select(trace_metadata.c.trace_id, trace_metadata.c.key, trace_metadata.c.value),
    select(trace_tags.c.trace_id, trace_tags.c.key, trace_tags.c.value).where(trace_tags.c.key == RUN_KEY),
).subquery()
_OF_TRACE = {"trace_id": traces.c.trace_id}
_COLUMNS = Columns(
    attributes={
        "request_id": traces.c.trace_id,
        "experiment_id": traces.c.experiment_id,
        "status": traces.c.state,
        "timestamp_ms": traces.c.timestamp_ms,
        "execution_time_ms": traces.c.duration_ms,
        "end_time_ms": traces.c.timestamp_ms + traces.c.duration_ms,
    },
    details={
        Kind.TAG: Detail(table=trace_tags, of=_OF_TRACE),
        # There may be two that name a run.
        Kind.METADATA: Detail(table=_METADATA, of=_OF_TRACE, newest=("value",)),
    },
    last=(Last(traces.c.timestamp_ms, descending=True), Last(traces.c.trace_id)),
    written={"experiment_id": number_searched},
)


class _Info(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched of a trace's info."""

    request_time: datetime.datetime | None = None
    execution_duration: str | None = None
    state: str | None = None
    client_request_id: str | None = None
    trace_metadata: dict[str, str] = {}
    tags: dict[str, str] = {}


class _Told(msgspec.Struct, frozen=True):
    """The info of a trace: what is searched of it, and all of it as it came."""

    info: _Info
    text: str


class StoredTraces:
    """The `Traces` of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        trace_id: str,
        experiment_id: str,
        info: bytes,
        spans: bytes | None = None,
        *,
        within: Collection[str] | None = None,
    ) -> None:
        told = _read_info(trace_id, info)
        with self._database.writing() as connection:
            _refuse_elsewhere(_row(connection, trace_id), within)
            self._put_info(connection, trace_id, active_experiment(connection, experiment_id).id, told)
            if spans is not None:
                self._add_spans(connection, trace_id, spans)

    def update(self, trace_id: str, change: Callable[[bytes], bytes]) -> bytes:
        with self._database.writing() as connection:
            row = _known(connection, trace_id)
            told = _read_info(trace_id, change(_read(connection, [row])[0]))
            self._put_info(connection, trace_id, row.experiment_id, told)
            return _read(connection, [_known(connection, trace_id)])[0]

    def add_spans(
        self, trace_id: str, experiment_id: str, spans: bytes, *, within: Collection[str] | None = None
    ) -> None:
        storable(trace_id)
        with self._database.writing() as connection:
            known = _row(connection, trace_id)
            _refuse_elsewhere(known, within)
            if known is None:
                began, took = _times(_documents(spans), self._database.now_ms())
                number = active_experiment(connection, experiment_id).id
                row = {"experiment_id": number, "timestamp_ms": began, "duration_ms": took}
                _put(connection, trace_id, {**row, "info": _made_up(trace_id, number, began)})
            self._add_spans(connection, trace_id, spans)

    def get(self, trace_id: str) -> tuple[bytes, bytes | None]:
        with self._database.reading() as connection:
            row = _known(connection, trace_id)
            return _read(connection, [row])[0], row.spans

    def experiment_of(self, trace_id: str) -> str:
        statement = select(traces.c.experiment_id).where(traces.c.trace_id == trace_id)
        with self._database.reading() as connection:
            number = connection.execute(statement).scalar()
            if number is None:
                raise no_trace(trace_id)
            return str(number)

    def search(
        self, experiment_ids: Sequence[str], search: Search, page: Page
    ) -> tuple[Sequence[bytes], str | None]:
        numbers = experiment_numbers(experiment_ids)
        statement = select(traces.c.trace_id, traces.c.info).where(traces.c.experiment_id.in_(numbers))
        with self._database.reading() as connection:
            rows, token = found(connection, statement, search, _COLUMNS, page)
            return _read(connection, rows), token

    def set_tag(self, trace_id: str, key: str, value: str) -> None:
        storable(key, value)
        with self._database.writing() as connection:
            _known(connection, trace_id)
            self._put_tags(connection, trace_id, {key: value})

    def delete_tag(self, trace_id: str, key: str) -> None:
        with self._database.writing() as connection:
            _known(connection, trace_id)
            if not drop_pair(connection, trace_tags, {"trace_id": trace_id}, key):
                raise NotFound(f"No trace tag with key '{key}' for trace with ID '{trace_id}'")
            if key == NAME_TAG:
                _change(connection, trace_id, name=None)

    def delete(self, experiment_id: str, trace_ids: Sequence[str]) -> int:
        removed = 0
        with self._database.writing() as connection:
            for trace_id in trace_ids:
                row = _row(connection, trace_id)
                if row is not None and row.experiment_id == experiment_number(experiment_id):
                    for table in (trace_tags, trace_metadata, traces):
                        connection.execute(delete(table).where(table.c.trace_id == trace_id))
                    removed += 1
        return removed

    def _put_info(self, connection: Connection, trace_id: str, experiment: int, told: _Told) -> None:
        info = told.info
        row = {
            "experiment_id": experiment,
            "timestamp_ms": self._database.now_ms()
            if info.request_time is None
            else epoch_ms(info.request_time),
            "state": info.state,
            "duration_ms": duration_ms(info.execution_duration),
            "info": told.text,
        }
        _put(connection, trace_id, row)
        metadata = dict(info.trace_metadata)
        if info.client_request_id is not None:
            metadata[REQUEST_KEY] = info.client_request_id
        put_pairs(connection, trace_metadata, {"trace_id": trace_id}, tuple(metadata.items()))
        self._put_tags(connection, trace_id, info.tags)

    def _put_tags(self, connection: Connection, trace_id: str, tags: Mapping[str, str]) -> None:
        put_pairs(connection, trace_tags, {"trace_id": trace_id}, tuple(tags.items()))
        if NAME_TAG in tags:
            _change(connection, trace_id, name=tags[NAME_TAG])

    def _add_spans(self, connection: Connection, trace_id: str, spans: bytes) -> None:
        known = _known(connection, trace_id).spans
        merged: dict[str, Any] = {}
        for number, span in enumerate((*_documents(known or b"[]"), *_documents(spans))):
            # One that is sent again, when it has ended, replaces what was known of it.
            merged[str(span.get("span_id", number))] = span
        _change(connection, trace_id, spans=msgspec.json.encode(list(merged.values())))
        self._put_tags(connection, trace_id, {SPANS_TAG: IN_STORE})


def _read_info(trace_id: str, document: bytes) -> _Told:
    try:
        info = msgspec.json.decode(document, type=_Info)
        text = document.decode()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"the info of a trace cannot be read: {error}") from error
    storable(trace_id, text, *info.tags, *info.tags.values(), *info.trace_metadata)
    storable(info.client_request_id, *info.trace_metadata.values())
    return _Told(info=info, text=text)


def _documents(spans: bytes) -> list[dict[str, Any]]:
    try:
        return msgspec.json.decode(spans, type=list[dict[str, Any]])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise UsageError(f"the spans of a trace cannot be read: {error}") from error


def _times(spans: Sequence[Mapping[str, Any]], now: int) -> tuple[int, int | None]:
    """When the first of these spans began, and how long it took until the last one ended."""
    began, ended = (
        [span[key] // _NANOSECONDS for span in spans if isinstance(span.get(key), int)]
        for key in ("start_time_unix_nano", "end_time_unix_nano")
    )
    if not began or not 0 <= min(began) <= _LAST_MOMENT:
        return now, None
    return min(began), max(ended) - min(began) if ended else None


def _made_up(trace_id: str, experiment: int, began: int) -> str:
    """The info of a trace whose spans came first."""
    location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": str(experiment)}}
    info = {"trace_id": trace_id, "trace_location": location, "request_time": timestamp(began / 1000)}
    return msgspec.json.encode(info).decode()


def _put(connection: Connection, trace_id: str, row: Mapping[str, Any]) -> None:
    if _row(connection, trace_id) is None:
        connection.execute(insert(traces).values(trace_id=trace_id, **row))
    else:
        _change(connection, trace_id, **row)


def _change(connection: Connection, trace_id: str, **values: Any) -> None:
    connection.execute(update(traces).where(traces.c.trace_id == trace_id).values(**values))


def _row(connection: Connection, trace_id: str) -> Row[Any] | None:
    statement = select(traces).where(traces.c.trace_id == trace_id)
    return connection.execute(held(connection, statement)).first()


def _refuse_elsewhere(row: Row[Any] | None, within: Collection[str] | None) -> None:
    if row is not None and within is not None and str(row.experiment_id) not in within:
        raise AlreadyThere(f"a trace with ID '{row.trace_id}' exists already")


def _known(connection: Connection, trace_id: str) -> Row[Any]:
    row = _row(connection, trace_id)
    if row is None:
        raise no_trace(trace_id)
    return row


def _read(connection: Connection, rows: Sequence[Row[Any]]) -> list[bytes]:
    """The infos with the tags that the traces have now."""
    tags = pairs_of(connection, trace_tags, ["trace_id"], [(row.trace_id,) for row in rows])
    infos = []
    for row in rows:
        info = msgspec.json.decode(row.info, type=dict[str, msgspec.Raw])
        info["tags"] = msgspec.Raw(msgspec.json.encode(dict(tags[(row.trace_id,)])))
        infos.append(msgspec.json.encode(info))
    return infos
