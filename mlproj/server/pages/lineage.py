"""What something came from and what came of it, as a graph that is walked from node to node."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

from msgspec.structs import replace

from mlproj.errors import NotFound, UsageError
from mlproj.model.access import Kind, Level
from mlproj.model.lineage import Lineage, ModelNode, Node, RunNode
from mlproj.server.pages.drawing import drawn
from mlproj.server.pages.visibility import visible_part
from mlproj.server.pages.visit import Answer, Page, Shown, Visit
from mlproj.server.seen_contents import SeenContents
from mlproj.server.store_view import View
from mlproj.store_ports import RunStore

_SUBJECT = re.compile(r"runs:/.{1,5000}|sha256:[0-9a-f]{64}|models:/.{1,500}")
_DEPTHS = (1, 2, 3, 5, 10)


def show(visit: Visit) -> Answer:
    """Of a run (`runs:/ID`), of content (`sha256:…`) or of a model (`models:/…`): nothing on the server's own
    disk is looked at, whatever is asked for."""
    of, store = visit.one("of"), visit.desk.store
    if not _SUBJECT.fullmatch(of):
        raise UsageError(
            f"`{of[:200]}` is nothing whose lineage could be shown",
            hint="it is asked of `runs:/ID`, `sha256:…` or `models:/NAME/VERSION`",
        )
    if store is None:
        raise UsageError("this server keeps no whole runs, and knows of no lineage")
    depth = visit.whole("depth", 2, _DEPTHS[-1])
    found = _found(visit, store, of, depth)
    values = {
        "of": of,
        "found": found,
        "nodes": {node.id: node for node in found.nodes},
        "drawing": drawn(found, lambda node: f"{visit.here}{address(node, depth)}"),
        "depth": depth,
        "depths": _DEPTHS,
        "subject": subject,
        "root": next((node for node in found.nodes if node.id == found.root), None),
    }
    return Shown(template="lineage.html", values=values)


def subject(node: Node) -> str | None:
    """What a node's own lineage is asked by; None where it cannot be."""
    match node:
        case RunNode(run_id=run_id):
            return f"runs:/{run_id}"
        case ModelNode(id=name):
            return name
        case _:
            return node.digest if node.digest is not None and node.digest.startswith("sha256:") else None


def address(node: Node, depth: int) -> str:
    """Where the graph goes on from a node."""
    of = subject(node)
    return "" if of is None else f"/lineage?of={quote(of, safe='')}&depth={depth}"


def _found(visit: Visit, store: RunStore, of: str, depth: int) -> Lineage:
    """The part that the caller may see. Raises NotFound, with the same words whether there is something else
    or nothing."""
    contents = SeenContents(View(visit.desk))
    try:
        if of.startswith("runs:/"):
            visit.run(of.removeprefix("runs:/").partition("/")[0])
        found = visible_part(visit.verbs.lineage(store, contents, of, depth), lambda node: _sees(visit, node))
    except NotFound:
        found = None
    if found is None or not found.nodes:
        raise NotFound(f"nothing is known of `{of}`")
    # How many further runs there are counts those of others, too.
    return found if visit.desk.caller.visible(Kind.EXPERIMENT) is None else replace(found, more=())


def _sees(visit: Visit, node: Node) -> bool | None:
    """Whether the caller may see a node by itself; None for data, which is seen where a run is."""
    match node:
        case RunNode(run_id=run_id):
            return _sees_run(visit, run_id)
        case ModelNode(version=None, model_id=model_id):
            return model_id is not None and _sees_model(visit, model_id)
        case ModelNode(name=name):
            return visit.desk.caller.may(Level.READ, Kind.MODEL, name)
        case _:
            return None


def _sees_run(visit: Visit, run_id: str) -> bool:
    return _is_there(visit, lambda: visit.run(run_id))


def _sees_model(visit: Visit, model_id: str) -> bool:
    return _is_there(visit, lambda: visit.desk.tracking.models.get(model_id))


def _is_there(visit: Visit, look: Callable[[], object]) -> bool:
    """Whether the caller finds what somebody has: who sees everything need not look."""
    if visit.desk.caller.visible(Kind.EXPERIMENT) is None:
        return True
    try:
        look()
    except NotFound:
        return False
    return True


PAGES = (Page(path="/lineage", act=show),)
