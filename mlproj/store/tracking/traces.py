"""Traces in the tables: documents as they came, beside what of them is searched."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, Row, delete, insert, select, union_all, update

from mlproj.errors import AlreadyThere, NotFound, UsageError
from mlproj.model.absent import no_trace
from mlproj.model.moment import duration_ms, duration_text, epoch_ms, moment_of
from mlproj.model.search import Kind, Search
from mlproj.model.tracking import Page
from mlproj.store.tracking.assessments import with_assessments
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
from mlproj.store.tracking.spans import IN_PROGRESS, Span, merged, read_spans, told
from mlproj.store.tracking_tables import trace_metadata, trace_tags, traces

NAME_TAG = "mlflow.traceName"
RUN_KEY = "mlflow.sourceRun"
"""The metadata that names a trace's run; a tag where the trace was linked to one later."""
REQUEST_KEY = "client_request_id"
SPANS_TAG = "mlflow.trace.spansLocation"
IN_STORE = "TRACKING_STORE"

_OPEN = (None, "STATE_UNSPECIFIED", IN_PROGRESS)
"""The states that spans know better."""

_METADATA = union_all(
    select(trace_metadata.c.trace_id, trace_metadata.c.key, trace_metadata.c.value),
    select(trace_tags.c.trace_id, trace_tags.c.key, trace_tags.c.value).where(trace_tags.c.key == RUN_KEY),
).subquery()
_TOLD = (traces.c.trace_id, traces.c.info, traces.c.timestamp_ms, traces.c.duration_ms, traces.c.state)
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


class _Given(msgspec.Struct, frozen=True):
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
        given = _read_info(trace_id, info)
        more = () if spans is None else read_spans(spans)
        with self._database.writing() as connection:
            known = _row(connection, trace_id)
            _refuse_elsewhere(known, within)
            number = active_experiment(connection, experiment_id).id
            if known is not None:
                given = replace(given, text=with_assessments(given.text, known.info))
            self._put(connection, trace_id, number, given, known, more)
            self._put_pairs(connection, trace_id, given.info)

    def update(self, trace_id: str, change: Callable[[bytes], bytes]) -> bytes:
        with self._database.writing() as connection:
            row = _known(connection, trace_id)
            given = _read_info(trace_id, change(_read(connection, [row], told_only=True)[0]))
            self._put(connection, trace_id, row.experiment_id, given, row)
            self._put_pairs(connection, trace_id, given.info)
            return _read(connection, [_known(connection, trace_id)])[0]

    def add_spans(
        self, trace_id: str, experiment_id: str, spans: bytes, *, within: Collection[str] | None = None
    ) -> None:
        storable(trace_id)
        more = read_spans(spans)
        with self._database.writing() as connection:
            known = _row(connection, trace_id)
            _refuse_elsewhere(known, within)
            if known is None:
                number = active_experiment(connection, experiment_id).id
                given = _read_info(trace_id, _made_up(trace_id, number))
            else:
                number, given = known.experiment_id, _read_info(trace_id, known.info.encode())
            self._put(connection, trace_id, number, given, known, more)

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
        statement = select(*_TOLD).where(traces.c.experiment_id.in_(numbers))
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

    def _put(
        self,
        connection: Connection,
        trace_id: str,
        experiment: int,
        given: _Given,
        known: Row[Any] | None,
        more: Sequence[Span] = (),
    ) -> None:
        """Writes the info and further spans over what is `known`. Raises Busy where the trace was not, and
        somebody else adds it meanwhile: clients send its two halves at once."""
        spans = merged([] if known is None or known.spans is None else read_spans(known.spans), more)
        since = self._database.now_ms() if known is None else known.timestamp_ms
        row = {"experiment_id": experiment, "info": given.text, **_searched(given.info, spans, since)}
        if more:
            row["spans"] = msgspec.json.encode(spans)
        if known is None:
            connection.execute(insert(traces).values(trace_id=trace_id, **row))
        else:
            _change(connection, trace_id, **row)
        if more:
            self._put_tags(connection, trace_id, {SPANS_TAG: IN_STORE})

    def _put_pairs(self, connection: Connection, trace_id: str, info: _Info) -> None:
        metadata = dict(info.trace_metadata)
        if info.client_request_id is not None:
            metadata[REQUEST_KEY] = info.client_request_id
        put_pairs(connection, trace_metadata, {"trace_id": trace_id}, tuple(metadata.items()))
        self._put_tags(connection, trace_id, info.tags)

    def _put_tags(self, connection: Connection, trace_id: str, tags: Mapping[str, str]) -> None:
        put_pairs(connection, trace_tags, {"trace_id": trace_id}, tuple(tags.items()))
        if NAME_TAG in tags:
            _change(connection, trace_id, name=tags[NAME_TAG])


def _read_info(trace_id: str, document: bytes) -> _Given:
    try:
        info = msgspec.json.decode(document, type=_Info)
        text = document.decode()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"the info of a trace cannot be read: {error}") from error
    storable(trace_id, text, *info.tags, *info.tags.values(), *info.trace_metadata)
    storable(info.client_request_id, *info.trace_metadata.values())
    return _Given(info=info, text=text)


def _searched(info: _Info, spans: Sequence[Span], since: int) -> dict[str, Any]:
    """What is searched of a trace; where its info does not say it, its spans do."""
    by_spans = told(spans)
    began, took = info.request_time, duration_ms(info.execution_duration)
    if began is None:
        since = since if by_spans.began is None else by_spans.began
    return {
        "timestamp_ms": since if began is None else epoch_ms(began),
        "duration_ms": by_spans.took if took is None else took,
        "state": by_spans.state if spans and info.state in _OPEN else info.state,
    }


def _made_up(trace_id: str, experiment: int) -> bytes:
    """The info of a trace whose spans came first, which tell the rest."""
    location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": str(experiment)}}
    return msgspec.json.encode({"trace_id": trace_id, "trace_location": location})


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


def _read(connection: Connection, rows: Sequence[Row[Any]], *, told_only: bool = False) -> list[bytes]:
    """The infos with the tags that the traces have now, and unless they are `told_only` with what their
    spans say."""
    tags = pairs_of(connection, trace_tags, ["trace_id"], [(row.trace_id,) for row in rows])
    infos = []
    for row in rows:
        info = msgspec.json.decode(row.info, type=dict[str, msgspec.Raw])
        info["tags"] = _raw(dict(tags[(row.trace_id,)]))
        if not told_only:
            _fill(info, row)
        infos.append(msgspec.json.encode(info))
    return infos


def _fill(info: dict[str, msgspec.Raw], row: Row[Any]) -> None:
    if began := moment_of(row.timestamp_ms, ""):
        info.setdefault("request_time", _raw(began))
    if row.duration_ms is not None:
        info.setdefault("execution_duration", _raw(duration_text(row.duration_ms)))
    if row.state is not None:
        info["state"] = _raw(row.state)


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
