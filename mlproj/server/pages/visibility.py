"""Of a graph the part that a caller may see: what leads over something hidden is not there for them."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from mlproj.model.lineage import DataNode, Edge, Lineage, Node


def visible_part(found: Lineage, sees: Callable[[Node], bool | None]) -> Lineage:
    """The nodes that can be reached from the root over what the caller sees. `sees` is None for what has no
    rights of its own, data: it is seen with something that has, and by the paths that this tells of."""
    known = {node.id: sees(node) for node in found.nodes}
    if all(known[node.id] is not False for node in found.nodes):
        return found
    edges = [
        edge for edge in found.edges if known[edge.source] is not False and known[edge.target] is not False
    ]
    reached = _reached(found.root, edges) if known.get(found.root) is not False else set()
    if not any(known[node] for node in reached):
        return replace(found, nodes=(), edges=(), more=())
    edges = [edge for edge in edges if edge.source in reached]
    return replace(
        found,
        nodes=tuple(_bare(node, edges) for node in found.nodes if node.id in reached),
        edges=tuple(edges),
        # How many there are besides is told of what everybody may see alone.
        more=(),
    )


def _reached(root: str, edges: list[Edge]) -> set[str]:
    reached, waiting = {root}, [root]
    while waiting:
        node = waiting.pop()
        beside = {
            edge.target if edge.source == node else edge.source
            for edge in edges
            if node in (edge.source, edge.target)
        }
        waiting += beside - reached
        reached |= beside
    return reached


def _bare(node: Node, edges: list[Edge]) -> Node:
    """Data with the paths alone by which visible runs know it."""
    if not isinstance(node, DataNode):
        return node
    told = {path for edge in edges if node.id in (edge.source, edge.target) for path in edge.paths}
    return replace(node, paths=tuple(path for path in node.paths if path in told))
