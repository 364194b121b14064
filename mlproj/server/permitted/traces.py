"""Traces as somebody may see them: those of the experiments that they may read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import msgspec

from mlproj.errors import AlreadyThere, NotFound
from mlproj.model.access import Level
from mlproj.model.search import Search
from mlproj.model.tracking import Page
from mlproj.server.permitted.rights import Rights
from mlproj.tracking_ports import Traces

RUN_KEY = "mlflow.sourceRun"
"""Where a trace names the run that it is of, with which its files are kept."""


class _Linked(msgspec.Struct, frozen=True, kw_only=True):
    """Where the info of a trace can name a run."""

    trace_metadata: dict[str, str] = {}
    tags: dict[str, str] = {}


class PermittedTraces:
    """The `Traces` of one caller. An id that another's has is taken: that much anybody can tell."""

    def __init__(self, inner: Traces, rights: Rights) -> None:
        self._inner = inner
        self._rights = rights

    def add(
        self,
        trace_id: str,
        experiment_id: str,
        info: bytes,
        spans: bytes | None = None,
        *,
        within: Collection[str] | None = None,
    ) -> None:
        own = self._places(trace_id, experiment_id)
        self._rights.runs(Level.EDIT, sorted(_runs_in(info)))
        self._inner.add(trace_id, experiment_id, info, spans, within=own)

    def add_spans(
        self, trace_id: str, experiment_id: str, spans: bytes, *, within: Collection[str] | None = None
    ) -> None:
        self._inner.add_spans(trace_id, experiment_id, spans, within=self._places(trace_id, experiment_id))

    def update(self, trace_id: str, change: Callable[[bytes], bytes]) -> bytes:
        self._rights.trace(Level.EDIT, trace_id)

        def changed(document: bytes) -> bytes:
            new = change(document)
            self._rights.runs(Level.EDIT, sorted(_runs_in(new) - _runs_in(document)))
            return new

        return self._inner.update(trace_id, changed)

    def get(self, trace_id: str) -> tuple[bytes, bytes | None]:
        self._rights.trace(Level.READ, trace_id)
        return self._inner.get(trace_id)

    def experiment_of(self, trace_id: str) -> str:
        self._rights.trace(Level.READ, trace_id)
        return self._inner.experiment_of(trace_id)

    def search(
        self, experiment_ids: Sequence[str], search: Search, page: Page
    ) -> tuple[Sequence[bytes], str | None]:
        return self._inner.search(self._rights.readable(experiment_ids), search, page)

    def set_tag(self, trace_id: str, key: str, value: str) -> None:
        self._rights.trace(Level.EDIT, trace_id)
        if key == RUN_KEY:
            self._rights.run(Level.EDIT, value)
        self._inner.set_tag(trace_id, key, value)

    def delete_tag(self, trace_id: str, key: str) -> None:
        self._rights.trace(Level.EDIT, trace_id)
        self._inner.delete_tag(trace_id, key)

    def delete(self, experiment_id: str, trace_ids: Sequence[str]) -> int:
        self._rights.experiment(Level.MANAGE, experiment_id)
        return self._inner.delete(experiment_id, trace_ids)

    def _places(self, trace_id: str, experiment_id: str) -> tuple[str, ...]:
        """The experiments that a trace may be in already to which something is added."""
        self._rights.experiment(Level.EDIT, experiment_id)
        try:
            known = self._inner.experiment_of(trace_id)
        except NotFound:
            return (self._rights.key(experiment_id),)
        try:
            self._rights.trace(Level.EDIT, trace_id)
        except NotFound as error:
            raise AlreadyThere(f"a trace with ID '{trace_id}' exists already") from error
        return self._rights.key(experiment_id), known


def _runs_in(info: bytes) -> set[str]:
    """The runs that the info of a trace names; none where it cannot be read, which is told of elsewhere."""
    try:
        linked = msgspec.json.decode(info, type=_Linked)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return set()
    return {named[RUN_KEY] for named in (linked.trace_metadata, linked.tags) if named.get(RUN_KEY)}
