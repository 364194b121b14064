"""One step of a lineage downstream: who read this data, what did this run leave, what of this model."""

from __future__ import annotations

from collections.abc import Iterator

from mlproj.lineage_ports import Uses
from mlproj.model.digest import Digest
from mlproj.model.index import inputs_of
from mlproj.model.lineage import DataNode, DatasetNode, ModelNode, Role, RunNode
from mlproj.model.run import Output, Run
from mlproj.services.lineage_graph import MOST_RUNS, Graph, by_run

_MOST_PARTS = 2000
"""So many files of a folder, or outputs of a run, are asked for one by one."""


def downstream(graph: Graph, node: str, *, runs: bool) -> Iterator[str]:
    """The nodes that came of this one, joined to it; of `runs` only where they are wanted."""
    match graph.nodes[node]:
        case DataNode(digest=digest, form=form):
            if runs and digest is not None:
                yield from _readers(graph, digest, form, node)
        case RunNode():
            yield from _after(graph, graph.run(node), node, runs=runs)
        case ModelNode() as model:
            yield from _of_model(graph, model, node, runs=runs)
        case DatasetNode() as dataset:
            if runs:
                uses = graph.contents.dataset_readers(dataset.digest, MOST_RUNS)
                same = tuple(use for use in uses.uses if use.path == dataset.name)
                yield from _joined(graph, node, Uses(uses=same, more=uses.more))


def _readers(graph: Graph, digest: Digest, form: str, node: str) -> Iterator[str]:
    yield from _joined(graph, node, graph.contents.readers(digest, MOST_RUNS))
    if form == "folder":
        files = graph.files.get(digest) or graph.contents.files(digest)
        for _, part in files[:_MOST_PARTS]:
            yield from _joined(graph, node, graph.contents.readers(part, MOST_RUNS), of=part)


def _joined(graph: Graph, node: str, uses: Uses, of: Digest | None = None) -> Iterator[str]:
    """The runs that read a thing; `of` is the file that they read of a folder."""
    graph.left_out(node, Role.READ, uses)
    read = by_run(uses.uses)
    graph.learn(read)
    first = None if node == graph.root else graph.first_made(node)
    for run_id, paths in read.items():
        reader = graph.add_run(run_id)
        if reader is None:
            continue
        run = graph.run(reader)
        doubt = None
        if first is not None and run.outcome is not None and run.outcome.ended < first:
            doubt = "it ended before the data was made"
        graph.join(node, reader, _role(run, of or node), paths, doubt)
        if doubt is None:
            yield reader


def _role(run: Run, content: str) -> Role:
    """How a run came to read a content: undeclared only where it never stands among what was declared."""
    states = [state for state in inputs_of(run) if state.digest == content]
    undeclared = bool(states) and not any(state.declared for state in states)
    return Role.READ_UNDECLARED if undeclared else Role.READ


def _after(graph: Graph, run: Run, node: str, *, runs: bool) -> Iterator[str]:
    """What a run left (of files that nobody declared, those that somebody read), its models, and the runs
    that its script began."""
    outputs = () if run.outcome is None else run.outcome.outputs
    for output in outputs[:_MOST_PARTS]:
        if output.digest is not None and (output.declared or _is_read(graph, output)):
            data = graph.add_data(output.digest, output.kind, output.size, output.path)
            graph.join(node, data, Role.MADE, (output.path,))
            yield data
    models = graph.store.models(run.run_id)
    for used in models.used:
        if used.direction == "output":
            model = graph.add_model(used.model)
            graph.join(node, model, Role.MADE)
            yield model
    for version in models.versions:
        if version.model_id is None:
            registered = graph.add_version(version)
            graph.join(node, registered, Role.REGISTERED)
            yield registered
    for child in graph.store.children(run.run_id)[:MOST_RUNS] if runs else ():
        begun = graph.add_run(child.run_id)
        if begun is not None:
            graph.join(node, begun, Role.BEGAN)
            yield begun


def _is_read(graph: Graph, output: Output) -> bool:
    return output.digest is not None and bool(graph.contents.readers(output.digest, 1).uses)


def _of_model(graph: Graph, model: ModelNode, node: str, *, runs: bool) -> Iterator[str]:
    if model.model_id is None:
        return
    if model.version is None:
        for version in graph.contents.versions(model.model_id):
            registered = graph.add_version(version)
            graph.join(node, registered, Role.REGISTERED)
            yield registered
    if runs:
        yield from _joined(graph, node, graph.contents.model_readers(model.model_id, MOST_RUNS))
