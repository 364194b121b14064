"""A request of a browser as a value, and what is answered: a page, another address, bytes or JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from mlproj.compare.runs import RunDifference
from mlproj.errors import NotFound
from mlproj.lineage_ports import Contents
from mlproj.model.access import Kind, Level
from mlproj.model.lineage import Lineage
from mlproj.model.run import Run
from mlproj.model.tracking import TrackedRun
from mlproj.server.desk import Desk
from mlproj.store_ports import ReadableBlobs, RunStore


class Patch(Protocol):
    """A source file that differs: a unified diff, or why there is none."""

    @property
    def path(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def note(self) -> str | None: ...


class Difference(Protocol):
    """What differs between two runs, with the patches of their source."""

    @property
    def difference(self) -> RunDifference: ...
    @property
    def patches(self) -> Sequence[Patch]: ...


class Verbs(msgspec.Struct, frozen=True, kw_only=True):
    """What pages show that services find out; `server_wiring` names them, since a server knows of no service.

    `lineage` is asked of a store, and of its contents as the caller sees them, with what is meant and how
    many runs to follow, `difference` of contents with the earlier and the later run.
    """

    lineage: Callable[[RunStore, Contents, str, int], Lineage]
    difference: Callable[[ReadableBlobs, Run, Run], Difference]


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `here` comes before every path of this server, `token` lets forms of its pages change
    something. `path` are the parts of the path in braces, `query` and `form` name-value pairs."""

    desk: Desk
    verbs: Verbs
    here: str
    token: str
    path: Mapping[str, str]
    query: Sequence[tuple[str, str]] = ()
    form: Sequence[tuple[str, str]] = ()

    def one(self, name: str, otherwise: str = "") -> str:
        """What the query says last of `name`."""
        return dict(self.query).get(name, otherwise).strip()

    def several(self, name: str) -> tuple[str, ...]:
        """All that the query says of `name`, each once."""
        return tuple(dict.fromkeys(value for key, value in self.query if key == name and value))

    def whole(self, name: str, otherwise: int, most: int) -> int:
        """A whole number of the query, from 0 to `most`."""
        text = self.one(name)
        return min(int(text), most) if text.isascii() and text.isdigit() and len(text) < 16 else otherwise

    def run(self, run_id: str) -> TrackedRun:
        """A run that the caller may see. Raises NotFound."""
        return self.desk.tracking.runs.get(run_id)

    def seen(self, run_id: str | None) -> TrackedRun | None:
        """A run that something names, where the caller may see it."""
        try:
            return None if run_id is None else self.run(run_id)
        except NotFound:
            return None

    def record(self, run_id: str) -> Run | None:
        """What the store holds of it beside what was logged; None where this server keeps no whole runs.

        Raises NotFound for a run that the caller may not see.
        """
        self.run(run_id)
        if self.desk.store is None:
            return None
        try:
            return self.desk.store.find(run_id)
        except NotFound:
            return None

    def may_edit(self, experiment_id: str) -> bool:
        return self.desk.caller.may(Level.EDIT, Kind.EXPERIMENT, experiment_id)

    def may_manage(self, experiment_id: str) -> bool:
        return self.desk.caller.may(Level.MANAGE, Kind.EXPERIMENT, experiment_id)


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A page made of a template."""

    template: str
    values: Mapping[str, Any]
    status: int = 200


class GoTo(msgspec.Struct, frozen=True, kw_only=True):
    """That the browser is to go on to a path of this server."""

    path: str


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes as they are, which no browser takes for a page of this server's."""

    pieces: Iterator[bytes]
    name: str
    media_type: str
    size: int | None = None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A value for the page's own script."""

    value: Any


Answer = Shown | GoTo | Sent | Told


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Where something is shown or changed, and the function that does it."""

    path: str
    act: Callable[[Visit], Answer]
    method: str = "GET"
