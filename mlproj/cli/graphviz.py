"""A lineage in the language of Graphviz: `mlproj lineage WHAT --dot | dot -Tsvg`."""

from __future__ import annotations

from collections.abc import Iterator

from mlproj.cli.controls import printable
from mlproj.cli.pages.lineage import edge_words, node_lines
from mlproj.model.lineage import DataNode, DatasetNode, Edge, Lineage, ModelNode, Node, RunNode

_SHAPES: dict[type[Node], str] = {
    DataNode: "note",
    RunNode: "box",
    ModelNode: "component",
    DatasetNode: "cylinder",
}


def graph_text(lineage: Lineage) -> str:
    """The whole graph; what was asked for has a thick border, what is in doubt a dashed arrow."""
    return "".join(f"{line}\n" for line in _lines(lineage))


def _lines(lineage: Lineage) -> Iterator[str]:
    names = {node.id: f"n{number}" for number, node in enumerate(lineage.nodes)}
    yield "digraph lineage {"
    yield "  rankdir=LR;"
    yield '  node [fontname="sans-serif", fontsize=10]; edge [fontname="sans-serif", fontsize=9];'
    for node in lineage.nodes:
        border = ", penwidth=2" if node.id == lineage.root else ""
        label = _quoted("\n".join(node_lines(node)))
        yield f"  {names[node.id]} [shape={_SHAPES[type(node)]}, label={label}{border}];"
    for edge in lineage.edges:
        yield f"  {names[edge.source]} -> {names[edge.target]} [{_attributes(edge)}];"
    yield "}"


def _attributes(edge: Edge) -> str:
    doubt = "" if edge.doubt is None else ", style=dashed"
    return f"label={_quoted(edge_words(edge))}{doubt}"


def _quoted(text: str) -> str:
    """A string of Graphviz: in it, a backslash begins an escape, and so each is doubled."""
    lines = (printable(line).replace("\\", "\\\\").replace('"', '\\"') for line in text.split("\n"))
    return '"' + "\\n".join(lines) + '"'
