"""Lays a graph out in columns, what was there first on the left, boxes of one size and lines between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

import msgspec

from mlproj.model.lineage import DataNode, DatasetNode, Edge, Lineage, ModelNode, Node, RunNode

WIDTH, HEIGHT = 200, 58
_ACROSS, _DOWN, _MARGIN = 270, 78, 12
_LONGEST = 25
_ROUNDS = 600


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A node where it is drawn: what kind of thing it is, what it is called, a word more, where it leads."""

    id: str
    x: int
    y: int
    kind: str
    title: str
    whole: str
    word: str
    address: str
    root: bool


class Arrow(msgspec.Struct, frozen=True, kw_only=True):
    """A line from a box to one that came of it, as a path of SVG; `role` is what it says."""

    path: str
    role: str
    doubt: bool


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    width: int
    height: int
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def drawn(found: Lineage, address: Callable[[Node], str]) -> Drawing:
    """The graph as boxes and arrows; `address` is where a node leads to."""
    columns = _columns(found)
    rows: dict[int, int] = {}
    boxes: dict[str, Box] = {}
    for node in sorted(found.nodes, key=lambda node: (columns[node.id], node.id != found.root)):
        column = columns[node.id]
        row = rows[column] = rows.get(column, -1) + 1
        boxes[node.id] = _box(node, column, row, address(node), root=node.id == found.root)
    return Drawing(
        width=_MARGIN * 2 + max((box.x for box in boxes.values()), default=0) + WIDTH,
        height=_MARGIN * 2 + max((box.y for box in boxes.values()), default=0) + HEIGHT,
        boxes=tuple(boxes.values()),
        arrows=tuple(_arrow(edge, boxes) for edge in found.edges),
    )


def kind_of(node: Node) -> str:
    """What sort of thing a node is, in a word."""
    match node:
        case RunNode():
            return "run"
        case ModelNode():
            return "model"
        case DatasetNode():
            return "dataset"
        case DataNode(form=form):
            return "data" if form == "uri" else form


def title_of(node: Node) -> str:
    """What a node is called."""
    match node:
        case RunNode(name=name):
            return name
        case ModelNode(name=name, version=version):
            return name if version is None else f"{name} version {version}"
        case DatasetNode(name=name):
            return name
        case DataNode(paths=paths, id=identity):
            return paths[0] if paths else identity.removeprefix("sha256:")[:12]


def _word(node: Node) -> str:
    match node:
        case RunNode(status=status, entry_point=entry_point):
            return " ".join(filter(None, (status.lower(), entry_point)))
        case ModelNode(stage=stage, aliases=aliases):
            stages = () if stage in (None, "None") else (stage,)
            return " ".join((*stages, *(f"@{alias}" for alias in aliases)))
        case _:
            return "" if node.digest is None else node.digest.removeprefix("sha256:")[:12]


def _columns(found: Lineage) -> Mapping[str, int]:
    """Each node one column after the last of those that it came of; in a circle, no farther than there are
    nodes."""
    columns = {node.id: 0 for node in found.nodes}
    edges = [edge for edge in found.edges if edge.source in columns and edge.target in columns]
    for _ in range(min(len(columns), _ROUNDS)):
        moved = False
        for edge in edges:
            if columns[edge.target] <= columns[edge.source] < len(columns):
                columns[edge.target] = columns[edge.source] + 1
                moved = True
        if not moved:
            break
    used = {column: place for place, column in enumerate(sorted(set(columns.values())))}
    return {node: used[column] for node, column in columns.items()}


def _box(node: Node, column: int, row: int, address: str, *, root: bool) -> Box:
    whole = title_of(node)
    title = whole
    if len(title) > _LONGEST and isinstance(node, DataNode):
        title = PurePosixPath(title).name or title
    return Box(
        id=node.id,
        x=_MARGIN + column * _ACROSS,
        y=_MARGIN + row * _DOWN,
        kind=kind_of(node),
        title=title if len(title) <= _LONGEST else f"{title[: _LONGEST - 1]}…",
        whole=whole,
        word=_word(node),
        address=address,
        root=root,
    )


def _arrow(edge: Edge, boxes: Mapping[str, Box]) -> Arrow:
    source, target = boxes[edge.source], boxes[edge.target]
    x, y = source.x + WIDTH, source.y + HEIGHT // 2
    to_x, to_y = target.x, target.y + HEIGHT // 2
    half = max((to_x - x) // 2, 20)
    path = f"M{x} {y}C{x + half} {y} {to_x - half} {to_y} {to_x - 6} {to_y}"
    return Arrow(path=path, role=edge.role.value, doubt=edge.doubt is not None)
