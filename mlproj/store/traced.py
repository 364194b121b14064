"""The traces of a run, read without the toolkit of tracking: for its seal, and for when it is forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from mlproj.store.connection import Connection

_RUN = "mlflow.sourceRun"
_OF_RUN = (
    "SELECT trace_id FROM traces WHERE trace_id IN"
    ' (SELECT trace_id FROM trace_metadata WHERE "key" = ? AND value = ?'
    ' UNION SELECT trace_id FROM trace_tags WHERE "key" = ? AND value = ?)'
    " ORDER BY timestamp_ms, trace_id"
)


def traces_of(connection: Connection, run_id: str) -> tuple[str, ...]:
    """The ids of the traces that name a run, and of those that were linked to it, as they began."""
    if connection.execute("SELECT 1 FROM traces LIMIT 1").fetchone() is None:
        return ()
    rows = connection.execute(_OF_RUN, (_RUN, run_id, _RUN, run_id))
    return tuple(trace_id for (trace_id,) in rows)


def trace_lines(connection: Connection, trace_ids: Sequence[str]) -> Iterator[bytes]:
    """A line of JSON for each trace: its info and its spans as they came, and the tags that it has now.

    Nothing of it is parsed, so that no trace, however deep, keeps a run from being sealed.
    """
    for trace_id in trace_ids:
        info, spans = connection.execute(
            "SELECT info, spans FROM traces WHERE trace_id = ?", (trace_id,)
        ).fetchone()
        tags = connection.execute(
            'SELECT "key", value FROM trace_tags WHERE trace_id = ? ORDER BY "key"', (trace_id,)
        )
        named = json.dumps(dict(tags.fetchall()), ensure_ascii=False, separators=(",", ":"))
        line = b'{"info":%s,"tags":%s,"spans":%s}' % (info.encode(), named.encode(), spans or b"null")
        # In JSON a line's end is between values only.
        yield line.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n"
