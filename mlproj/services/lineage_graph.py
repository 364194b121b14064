"""The graph of a lineage while it grows: each run, content and model once, however it was come by."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from mlproj.lineage_ports import Contents, Use, Uses
from mlproj.model.digest import Digest
from mlproj.model.lineage import (
    DataNode,
    DatasetNode,
    Edge,
    Lineage,
    ModelNode,
    More,
    Node,
    Role,
    run_node,
)
from mlproj.model.logged import LoggedDataset
from mlproj.model.provenance import InputState
from mlproj.model.registry import ModelVersion
from mlproj.model.run import Run
from mlproj.model.tracking import LoggedModel
from mlproj.services.datasets import readable_source
from mlproj.store_ports import RunStore

MOST_NODES = 500
"""A graph does not grow beyond so many."""
MOST_RUNS = 20
"""So many runs are told that made, or read, one and the same thing."""


class Graph:
    """Nodes and edges found so far. What is in it already is not added again."""

    def __init__(self, store: RunStore, contents: Contents | None = None) -> None:
        self.store = store
        self.contents: Contents = store.contents if contents is None else contents
        self.root = ""
        self.cut = False
        self.files: dict[Digest, tuple[tuple[bytes, Digest], ...]] = {}
        """The files of folders that no run read or left as a whole, such as one on the disk."""
        self.nodes: dict[str, Node] = {}
        self._runs: dict[str, Run] = {}
        self._edges: dict[tuple[str, str, Role], Edge] = {}
        self._more: dict[tuple[str, Role], More] = {}

    @property
    def full(self) -> bool:
        return len(self.nodes) >= MOST_NODES

    def lineage(self) -> Lineage:
        return Lineage(
            root=self.root,
            nodes=tuple(self.nodes.values()),
            edges=tuple(self._edges.values()),
            more=tuple(self._more.values()),
            cut=self.cut,
        )

    def join(
        self, source: str, target: str, role: Role, paths: Iterable[str] = (), doubt: str | None = None
    ) -> None:
        key = (source, target, role)
        known = self._edges.get(key)
        told = tuple(dict.fromkeys((*(known.paths if known else ()), *paths)))
        self._edges[key] = Edge(source=source, target=target, role=role, paths=told, doubt=doubt)

    def left_out(self, node: str, role: Role, uses: Uses) -> None:
        """Notes how many runs there are beyond those that are told."""
        if uses.more:
            self._more[node, role] = More(id=node, role=role, count=uses.more)

    def learn(self, run_ids: Iterable[str]) -> None:
        """Reads the records of runs, each once."""
        unknown = [run_id for run_id in dict.fromkeys(run_ids) if run_id not in self._runs]
        self._runs.update({run.run_id: run for run in self.contents.runs(unknown)} if unknown else {})

    def run(self, node: str) -> Run:
        """The run of a run's node."""
        return self._runs[node.removeprefix("run:")]

    def reading(self, node: str) -> list[Run]:
        """The runs that are known to have read what the node stands for."""
        return [
            self.run(edge.target)
            for edge in self._edges.values()
            if edge.source == node and edge.target.startswith("run:")
        ]

    def first_made(self, node: str) -> str | None:
        """When the first of the runs began that are known to have made it; None where none is known."""
        made = [
            self.run(edge.source).created
            for edge in self._edges.values()
            if edge.target == node and edge.source.startswith("run:")
        ]
        return min(made, default=None)

    def add_run(self, run_id: str) -> str | None:
        """The node of a run; None where this store holds none of that id."""
        self.learn((run_id,))
        run = self._runs.get(run_id)
        if run is None:
            return None
        return self._add(run_node(run))

    def add_input(self, state: InputState) -> str:
        if state.digest is None:
            return self._add(
                DataNode(
                    id=f"uri:{state.path}",
                    form=state.kind,
                    digest=None,
                    paths=(state.path,),
                    remote=state.remote,
                )
            )
        form = "file" if state.kind == "uri" else state.kind
        return self.add_data(state.digest, form, state.size, state.path, state.remote)

    def add_data(
        self,
        digest: Digest,
        form: str,
        size: int | None,
        path: str,
        remote: tuple[tuple[str, str], ...] = (),
    ) -> str:
        """The node of a content, with one more place where it was."""
        known = self.nodes.get(digest)
        node = (
            known if isinstance(known, DataNode) else DataNode(id=digest, form=form, digest=digest, size=size)
        )
        paths = (path,) if path else ()
        self.nodes[digest] = replace(
            node, paths=tuple(dict.fromkeys((*node.paths, *paths))), remote=node.remote or remote
        )
        return digest

    def add_dataset(self, dataset: LoggedDataset) -> str:
        return self._add(
            DatasetNode(
                id=f"dataset:{dataset.digest}:{dataset.name}",
                name=dataset.name,
                digest=dataset.digest,
                source_type=dataset.source_type,
                source=readable_source(dataset.source),
            )
        )

    def add_model(self, model: LoggedModel) -> str:
        return self._add(
            ModelNode(
                id=f"models:/{model.model_id}",
                name=model.name,
                model_id=model.model_id,
                type=model.model_type,
                run_id=model.source_run_id,
                source=model.artifact_uri,
            )
        )

    def add_version(self, version: ModelVersion) -> str:
        return self._add(
            ModelNode(
                id=f"models:/{version.name}/{version.version}",
                name=version.name,
                model_id=version.model_id,
                version=version.version,
                stage=version.stage.value,
                aliases=version.aliases,
                run_id=version.run_id,
                source=version.source,
            )
        )

    def _add(self, node: Node) -> str:
        self.nodes.setdefault(node.id, node)
        return node.id


def by_run(uses: Iterable[Use]) -> dict[str, tuple[str, ...]]:
    """The paths of each run, in the order of the runs."""
    found: dict[str, list[str]] = {}
    for use in uses:
        found.setdefault(use.run_id, []).append(use.path)
    return {run_id: tuple(paths) for run_id, paths in found.items()}
