"""Of a graph nobody sees what is not theirs, nor what only leads over it."""

from __future__ import annotations

from collections.abc import Collection

from mlproj.model.digest import Digest
from mlproj.model.lineage import DataNode, Edge, Lineage, Node, Role, RunNode
from mlproj.server.pages.drawing import drawn
from mlproj.server.pages.visibility import visible_part


def run(name: str) -> RunNode:
    return RunNode(
        id=f"run:{name}", run_id=name, name=name, status="FINISHED", created="2026-01-01T00:00:00.000Z"
    )


def data(name: str, *paths: str) -> DataNode:
    digest = Digest.of(name.encode())
    return DataNode(id=digest, form="file", digest=digest, paths=paths or (name,))


def edge(source: Node, target: Node, role: Role, path: str) -> Edge:
    return Edge(source=source.id, target=target.id, role=role, paths=(path,))


OURS, THEIRS, LATER = run("ours"), run("theirs"), run("later")
SHARED, SECRET = data("shared", "data.csv", "/home/them/shared.csv"), data("secret")
GRAPH = Lineage(
    root=OURS.id,
    nodes=(OURS, SHARED, THEIRS, SECRET, LATER),
    edges=(
        edge(SHARED, OURS, Role.READ, "data.csv"),
        edge(SHARED, THEIRS, Role.READ, "/home/them/shared.csv"),
        edge(THEIRS, SECRET, Role.MADE, "secret"),
        edge(SECRET, LATER, Role.READ, "secret"),
    ),
)


def seen_by(visible: Collection[str]) -> Lineage:
    return visible_part(GRAPH, lambda node: node.name in visible if isinstance(node, RunNode) else None)


def test_who_sees_everything_sees_it_as_it_is() -> None:
    assert seen_by(("ours", "theirs", "later")) is GRAPH


def test_what_leads_over_a_hidden_run_is_not_there() -> None:
    found = seen_by(("ours", "later"))
    assert [node.id for node in found.nodes] == [OURS.id, SHARED.id]
    assert [each.paths for each in found.edges] == [("data.csv",)]


def test_data_is_known_by_visible_paths_alone() -> None:
    (shared,) = (node for node in seen_by(("ours",)).nodes if isinstance(node, DataNode))
    assert shared.paths == ("data.csv",)


def test_of_a_hidden_root_nothing_is_left() -> None:
    assert not seen_by(("theirs", "later")).nodes


def test_a_graph_is_drawn_from_left_to_right_without_overlap() -> None:
    drawing = drawn(GRAPH, lambda node: "")
    boxes = {box.id: box for box in drawing.boxes}
    assert all(boxes[each.source].x < boxes[each.target].x for each in GRAPH.edges)
    assert len({(box.x, box.y) for box in drawing.boxes}) == len(GRAPH.nodes)
    assert all(box.x + 200 <= drawing.width and box.y + 58 <= drawing.height for box in drawing.boxes)


def test_a_circle_is_drawn_as_well() -> None:
    edges = (edge(SHARED, OURS, Role.READ, "a"), edge(OURS, SHARED, Role.MADE, "a"))
    assert len(drawn(Lineage(root=OURS.id, nodes=(OURS, SHARED), edges=edges), lambda node: "").arrows) == 2
