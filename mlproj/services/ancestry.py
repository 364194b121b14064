"""One step of a lineage upstream: who made this data, what did this run read, which run logged this model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlproj.model.digest import Digest, readable
from mlproj.model.index import inputs_of
from mlproj.model.lineage import DataNode, DatasetNode, ModelNode, Role, RunNode
from mlproj.model.run import Run
from mlproj.model.trigger import MetricCrossed, Trigger
from mlproj.services.lineage_graph import MOST_RUNS, Graph, by_run

_NAMED = re.compile(r"(?:runs:/+|mlflow-artifacts:/+\d+/)([0-9a-f]{32})(?:/|$)")
_MOST_PARTS = 2000
"""So many files of a folder are asked for one by one."""


def upstream(graph: Graph, node: str, *, runs: bool) -> Iterator[str]:
    """The nodes that this one came of, joined to it; of `runs` only where they are wanted."""
    match graph.nodes[node]:
        case DataNode(digest=digest, form=form):
            if runs and digest is not None:
                yield from _makers(graph, digest, form)
        case RunNode():
            yield from _before(graph, graph.run(node), node, runs=runs)
        case ModelNode() as model:
            if model.model_id is not None and model.version is not None:
                yield from _registered(graph, model, node)
            elif runs and model.run_id is not None and (run := graph.add_run(model.run_id)):
                role = Role.MADE if model.version is None else Role.REGISTERED
                graph.join(run, node, role)
                yield run
        case DatasetNode() as dataset:
            run_id = run_named(graph, dataset.source)
            if runs and run_id is not None and (run := graph.add_run(run_id)):
                graph.join(run, node, Role.MADE)
                yield run


def run_named(graph: Graph, address: str) -> str | None:
    """The run below whose artifacts an address leads."""
    found = _NAMED.match(address)
    if found is not None:
        return found[1]
    place = Path(unquote(urlsplit(address).path) if address.startswith("file:") else address)
    folder = graph.store.root / "runs"
    return place.relative_to(folder).parts[0] if folder in place.parents else None


def _registered(graph: Graph, version: ModelNode, node: str) -> Iterator[str]:
    model = graph.contents.model(version.model_id or "")
    if model is not None:
        logged = graph.add_model(model)
        graph.join(logged, node, Role.REGISTERED)
        yield logged


def _makers(graph: Graph, digest: Digest, form: str) -> Iterator[str]:
    uses = graph.contents.makers(digest, MOST_RUNS)
    graph.left_out(digest, Role.MADE, uses)
    made = by_run(uses.uses)
    yield from _joined(graph, digest, Role.MADE, made)
    if not made and form == "folder":
        yield from _joined(graph, digest, Role.MADE_PART, _makers_of_parts(graph, digest))


def _joined(graph: Graph, digest: Digest, role: Role, made: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    graph.learn(made)
    latest = None if digest == graph.root else _last_reader(graph, digest)
    for run_id, paths in made.items():
        run = graph.add_run(run_id)
        if run is None:
            continue
        doubt = None
        if latest is not None and graph.run(run).created > latest:
            doubt = "it began after the data was read"
        graph.join(run, digest, role, paths, doubt)
        if doubt is None:
            yield run


def _last_reader(graph: Graph, digest: Digest) -> str | None:
    """When the last of the runs ended that are known to have read a content; None where one goes on, and
    where none is known."""
    readers = [run.outcome for run in graph.reading(digest)]
    ends = [outcome.ended for outcome in readers if outcome is not None]
    return max(ends) if ends and len(ends) == len(readers) else None


def _makers_of_parts(graph: Graph, folder: Digest) -> dict[str, tuple[str, ...]]:
    """Runs that left the files of a folder, which none left as a whole: those that left most of them first,
    until no further run accounts for another file. All that left the same files are told."""
    files = graph.files.get(folder) or graph.contents.files(folder)
    left: dict[str, set[str]] = {}
    for path, digest in files[:_MOST_PARTS]:
        for use in graph.contents.makers(digest, MOST_RUNS).uses:
            left.setdefault(use.run_id, set()).add(readable(path))
    chosen: dict[str, tuple[str, ...]] = {}
    wanted = {path for paths in left.values() for path in paths}
    while wanted and len(chosen) < MOST_RUNS:
        most = max((paths & wanted for paths in left.values()), key=len)
        same = [run_id for run_id, paths in left.items() if paths & wanted == most]
        chosen.update({run_id: tuple(sorted(left.pop(run_id))) for run_id in same[:MOST_RUNS]})
        wanted -= most
    return chosen


def _before(graph: Graph, run: Run, node: str, *, runs: bool) -> Iterator[str]:
    """What a run read, and the run whose script began it."""
    for state in inputs_of(run):
        data = graph.add_input(state)
        role = Role.READ if state.declared else Role.READ_UNDECLARED
        graph.join(data, node, role, (state.path,))
        yield data
    logged = None if run.outcome is None else run.outcome.logged
    for dataset in () if logged is None else logged.datasets:
        told = graph.add_dataset(dataset)
        graph.join(told, node, Role.READ)
        yield told
    for used in graph.store.models(run.run_id).used:
        if used.direction == "input":
            model = graph.add_model(used.model)
            graph.join(model, node, Role.READ)
            yield model
    parent = None if run.job is None else run.job.parent
    if runs and parent is not None and (above := graph.add_run(parent)):
        graph.join(above, node, Role.BEGAN)
        yield above
    if runs and run.job is not None and run.job.trigger is not None:
        yield from _triggering(graph, run.job.trigger, node)


def _triggering(graph: Graph, trigger: Trigger, node: str) -> Iterator[str]:
    """The runs whose metrics had a watch start this one. The watch's run before it is told and not followed:
    nothing of it came into this one, and there may be a long row of them."""
    for cause in trigger.causes:
        if isinstance(cause, MetricCrossed) and (measured := graph.add_run(cause.after.run_id)):
            graph.join(measured, node, Role.TRIGGERED, (cause.condition,))
            yield measured
    if trigger.previous is not None and (before := graph.add_run(trigger.previous)):
        graph.join(before, node, Role.PRECEDED)
