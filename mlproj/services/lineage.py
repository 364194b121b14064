"""`mlproj lineage`: what something came from and what came of it, joined by content, undeclared."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Protocol

from mlproj.lineage_ports import Contents
from mlproj.model.events import Report, silent
from mlproj.model.lineage import Lineage, RunNode
from mlproj.ports import Observer
from mlproj.services.ancestry import upstream
from mlproj.services.descent import downstream
from mlproj.services.lineage_graph import Graph
from mlproj.services.lineage_subject import Looking, find_subject
from mlproj.store_ports import RunStore


class Way(str, Enum):
    """Which way to look."""

    UP = "up"
    DOWN = "down"
    BOTH = "both"


class _Step(Protocol):
    def __call__(self, graph: Graph, node: str, *, runs: bool) -> Iterator[str]: ...


_STEPS: dict[Way, tuple[_Step, ...]] = {
    Way.UP: (upstream,),
    Way.DOWN: (downstream,),
    Way.BOTH: (upstream, downstream),
}


def lineage(
    store: RunStore,
    what: str,
    *,
    observer: Observer,
    caller: Path,
    way: Way = Way.BOTH,
    depth: int | None = None,
    report: Report = silent,
    contents: Contents | None = None,
) -> Lineage:
    """The graph about a run, a file or folder on the disk, a digest or a model.

    `contents` are the store's as somebody may see them. `depth` is how many runs are followed in a row, None
    for as far as it goes. Raises NotFound where the store knows nothing of it, UsageError for what cannot be
    meant, DataError for what cannot be read.
    """
    graph = Graph(store, contents)
    graph.root = find_subject(graph, what, Looking(observer=observer, caller=caller, report=report))
    for step in _STEPS[way]:
        _walk(graph, step, depth)
    return graph.lineage()


def _walk(graph: Graph, step: _Step, depth: int | None) -> None:
    """Follows one way from the root; what was come to already is joined and not followed again."""
    waiting, seen = deque([(graph.root, 0)]), {graph.root}
    while waiting:
        node, followed = waiting.popleft()
        if graph.full:
            graph.cut = True
            return
        for reached in step(graph, node, runs=depth is None or followed < depth):
            if reached not in seen:
                seen.add(reached)
                waiting.append((reached, followed + isinstance(graph.nodes[reached], RunNode)))
