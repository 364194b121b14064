"""A lineage as trees: one up from what was asked for to what it came from, one down to what came of it."""

from __future__ import annotations

from collections.abc import Iterator

from mlproj.cli.trees import Branch
from mlproj.cli.words import counted, number, short, size
from mlproj.errors import unreachable
from mlproj.model.index import text_of
from mlproj.model.lineage import DataNode, DatasetNode, Edge, Lineage, ModelNode, Node, Role, RunNode
from mlproj.model.registry import Stage
from mlproj.model.run import EnvironmentState
from mlproj.model.source import SourceState
from mlproj.services.lineage import Way

_MOST_NAMED = 3
_MOST_PAIRS = 20
_UP = {
    Role.READ: "",
    Role.READ_UNDECLARED: "undeclared: ",
    Role.MADE: "made by ",
    Role.MADE_PART: "made in part by ",
    Role.BEGAN: "begun by ",
    Role.REGISTERED: "registered from ",
    Role.TRIGGERED: "triggered by ",
    Role.PRECEDED: "the watch's run before it: ",
}
_DOWN = {
    Role.READ: "read by ",
    Role.READ_UNDECLARED: "read, undeclared, by ",
    Role.MADE: "made ",
    Role.MADE_PART: "made part of ",
    Role.BEGAN: "began ",
    Role.REGISTERED: "registered as ",
    Role.TRIGGERED: "triggered ",
    Role.PRECEDED: "the watch's run after it: ",
}


def lineage_trees(lineage: Lineage, what: str, way: Way) -> tuple[Branch, ...]:
    """One tree for each way that was asked for."""
    trees = []
    if way is not Way.DOWN:
        trees.append(_Drawing(lineage, up=True).tree(f"{what}: what it came from"))
    if way is not Way.UP:
        trees.append(_Drawing(lineage, up=False).tree(f"{what}: what came of it"))
    return tuple(trees)


class _Drawing:
    """One way through the graph; what was drawn already is named again, and not followed."""

    def __init__(self, lineage: Lineage, *, up: bool) -> None:
        self._lineage = lineage
        self._up = up
        self._nodes = {node.id: node for node in lineage.nodes}
        self._drawn: set[str] = set()

    def tree(self, title: str) -> Branch:
        root = self._nodes[self._lineage.root]
        branch = Branch(text=_title(root), style="bold")
        self._fill(branch, root)
        if not branch.branches or (self._up is False and not self._edges(root)):
            branch.branches.append(Branch(text="nothing that is known"))
        return Branch(text=title, style="bold", branches=[branch])

    def _fill(self, branch: Branch, node: Node) -> None:
        self._drawn.add(node.id)
        if isinstance(node, RunNode) and self._up:
            branch.branches += [Branch(text=line, style="dim") for line in run_facts(node)]
        for edge in self._edges(node):
            other = self._nodes[edge.source if self._up else edge.target]
            again = other.id in self._drawn
            twig = Branch(
                text=self._line(edge, other) + (" (see above)" if again else ""), style=_style(other)
            )
            branch.branches.append(twig)
            if not again and edge.doubt is None:
                self._fill(twig, other)
        for more in self._lineage.more:
            if more.id == node.id and (more.role is Role.MADE) == self._up:
                branch.branches.append(Branch(text=f"and {counted(more.count, 'further run')}"))

    def _edges(self, node: Node) -> list[Edge]:
        return [edge for edge in self._lineage.edges if (edge.target if self._up else edge.source) == node.id]

    def _line(self, edge: Edge, other: Node) -> str:
        verb = (_UP if self._up else _DOWN)[edge.role]
        named = f", as {_listed(edge.paths)}" if edge.paths and isinstance(other, RunNode) else ""
        doubt = "" if edge.doubt is None else f" (the same content, but {edge.doubt})"
        return f"{verb}{_title(other)}{named}{doubt}"


def run_facts(run: RunNode) -> Iterator[str]:
    """How the results of a run came about, a line for each kind of fact."""
    if run.imported is not None:
        yield f"imported from {run.imported.origin}"
    if run.reproduces is not None:
        yield f"reproduces run {run.reproduces[:8]}"
    if run.trigger is not None:
        yield f"watch `{run.trigger.watch}`: {run.trigger.told}"
    if run.source is not None:
        yield f"source: {_source(run.source)}"
    if run.command is not None:
        yield f"entry point: {run.entry_point}, as `{run.command}`"
    if run.environment is not None:
        yield f"environment: {_environment(run.environment)}"
    if run.parameters:
        yield f"parameters: {_pairs({key: text_of(value) for key, value in run.parameters.items()})}"
    if run.metrics:
        yield f"results: {_pairs({key: number(value) for key, value in run.metrics.items()})}"


def node_lines(node: Node) -> tuple[str, ...]:
    """What a node is, in few short lines."""
    match node:
        case DataNode():
            return (node.paths[0] if node.paths else node.form, _content(node))
        case RunNode():
            entry = () if node.entry_point is None else (f"{node.project}: {node.entry_point}",)
            commit = () if node.source is None or node.source.commit is None else (node.source.commit[:12],)
            return (f"run {node.name}", f"{node.run_id[:8]} {node.status}", *entry, *commit)
        case ModelNode():
            return (node.name, node.id)
        case DatasetNode():
            return (f"dataset {node.name}", node.source)
        case _:
            unreachable(node)


def edge_words(edge: Edge) -> str:
    return edge.role.value if edge.doubt is None else f"{edge.role.value} ({edge.doubt})"


def _title(node: Node) -> str:
    match node:
        case DataNode():
            return f"{_listed(node.paths) or node.form}: {_content(node)}"
        case RunNode():
            hidden = ", hidden" if node.hidden else ""
            when = node.ended or node.created
            return f"run `{node.name}` ({node.run_id[:8]}), {node.status} {when}{hidden}"
        case ModelNode():
            aliases = "".join(f" @{alias}" for alias in node.aliases)
            stage = "" if node.stage in (None, Stage.NONE.value) else f", in {node.stage}"
            return f"model `{node.name}` ({node.id}){aliases}{stage}"
        case DatasetNode():
            return f"dataset `{node.name}` ({node.digest}) from {node.source}"
        case _:
            unreachable(node)


def _content(node: DataNode) -> str:
    if node.digest is None:
        told = "".join(f", {key} {text}" for key, text in node.remote)
        return f"{node.form} of unknown content{told}"
    amount = "" if not node.size else f", {size(node.size)}"
    return f"{node.form}{amount}, sha256 {short(node.digest)}"


def _source(source: SourceState) -> str:
    place = source.remote or source.uri
    at = "" if source.commit is None else f" at commit {source.commit}"
    branch = "" if source.branch is None else f" of {source.branch}"
    dirty = ", with changes" if source.dirty else ""
    return f"{place}{at}{branch}{dirty}, snapshot sha256 {short(source.snapshot)}"


def _environment(environment: EnvironmentState) -> str:
    python = "" if environment.python is None else f", Python {environment.python}"
    image = "" if environment.image is None else f", image {environment.image.name}"
    packages = f", {counted(environment.packages, 'package')}" if environment.packages else ""
    lock = "" if environment.lock is None else f", lock sha256 {short(environment.lock)}"
    return f"{environment.kind}{python}{image}, {environment.platform}{packages}{lock}"


def _pairs(pairs: dict[str, str]) -> str:
    shown = [f"{key}={value}" for key, value in list(pairs.items())[:_MOST_PAIRS]]
    return ", ".join(shown) + (f" and {len(pairs) - _MOST_PAIRS} more" if len(pairs) > _MOST_PAIRS else "")


def _listed(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
    return ", ".join(f"`{path}`" for path in paths[:_MOST_NAMED]) + more


def _style(node: Node) -> str:
    return {RunNode: "cyan", ModelNode: "magenta"}.get(type(node), "")
