"""Graphs of runs that no project has to run for: circles, history from elsewhere, thousands of files."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from mlproj.errors import NotFound
from mlproj.model.digest import Digest
from mlproj.model.lineage import Lineage, ModelNode, RunNode
from mlproj.model.provenance import InputState
from mlproj.model.run import Output, Run
from mlproj.services.ancestry import run_named
from mlproj.services.lineage import Way, lineage
from mlproj.services.lineage_graph import MOST_NODES, Graph
from mlproj.store.folder import FolderStore
from mlproj.testing import FakeObserver
from tests.services.conftest import store
from tests.store.arrivals import arrived
from tests.store.runs import begun, ended

__all__ = ["store"]


def recorded(store: FolderStore, name: str, reads: tuple[bytes, ...], leaves: tuple[bytes, ...]) -> Run:
    """A run that read some contents and left others, and nothing else."""
    run = begun(store.blobs, name=name)
    assert run.job is not None
    states = tuple(
        InputState(name=f"in{n}", path=f"in{n}", kind="file", digest=Digest.of(text), size=len(text))
        for n, text in enumerate(reads)
    )
    outputs = tuple(
        Output(path=f"out{n}", state="written", digest=store.blobs.add_bytes(text), size=len(text))
        for n, text in enumerate(leaves)
    )
    run = replace(run, job=replace(run.job, inputs=states))
    with store.begin(run):
        done = ended(store.blobs, run)
        assert done.outcome is not None
        return store.seal(replace(done, outcome=replace(done.outcome, outputs=outputs)))


def ask(store: FolderStore, what: str, tmp_path: Path, way: Way = Way.BOTH) -> Lineage:
    return lineage(store, what, observer=FakeObserver(), caller=tmp_path, way=way)


def names(found: Lineage) -> set[str]:
    return {node.name for node in found.nodes if isinstance(node, RunNode)}


@pytest.mark.parametrize("way", Way)
def test_a_circle_of_runs_comes_to_an_end(store: FolderStore, tmp_path: Path, way: Way) -> None:
    recorded(store, "one", (b"x",), (b"y",))
    recorded(store, "two", (b"y",), (b"x",))
    found = ask(store, "one", tmp_path, way)
    assert names(found) == {"one", "two"}
    assert not found.cut


def test_a_long_chain_is_followed_and_a_longer_one_cut(store: FolderStore, tmp_path: Path) -> None:
    for number in range(MOST_NODES):
        recorded(store, f"run-{number}", (b"%d" % number,), (b"%d" % (number + 1),))
    chain = ask(store, "run-100", tmp_path, Way.UP)
    assert names(chain) == {f"run-{number}" for number in range(101)} and not chain.cut
    cut = ask(store, f"run-{MOST_NODES - 1}", tmp_path, Way.UP)
    assert cut.cut and MOST_NODES <= len(cut.nodes) < MOST_NODES + 10


def test_history_from_elsewhere_is_joined(store: FolderStore, tmp_path: Path) -> None:
    arrived(store, "foreign", files={"model": b"theirs"})
    recorded(store, "ours", (b"theirs",), (b"verdict",))
    found = ask(store, Digest.of(b"verdict"), tmp_path, Way.UP)
    assert names(found) == {"ours", "foreign"}
    origins = [node.imported.origin for node in found.nodes if isinstance(node, RunNode) and node.imported]
    assert origins == ["another tracker"]


def test_a_file_is_asked_about_by_its_content(store: FolderStore, tmp_path: Path) -> None:
    recorded(store, "maker", (b"in",), (b"made",))
    (tmp_path / "maker").write_bytes(b"made")
    assert ask(store, "maker", tmp_path).root == Digest.of(b"made")
    (tmp_path / "strange").write_bytes(b"strange")
    with pytest.raises(NotFound, match="no run in the store"):
        ask(store, "strange", tmp_path)


def test_an_address_below_a_runs_artifacts_names_the_run(store: FolderStore) -> None:
    graph, run_id = Graph(store), "0a" * 16
    place = store.root / "runs" / run_id / "artifacts" / "data.csv"
    for address in (
        f"runs:/{run_id}/data.csv",
        f"mlflow-artifacts:/0/{run_id}/artifacts/data.csv",
        str(place),
        place.as_uri(),
    ):
        assert run_named(graph, address) == run_id
    for address in ("/somewhere/runs/else", "http://example.org/runs:/x", f"runs:/{run_id[:8]}/x"):
        assert run_named(graph, address) is None


def test_a_run_whose_record_was_altered_is_told_by_its_row(store: FolderStore, tmp_path: Path) -> None:
    recorded(store, "maker", (b"in",), (b"made",))
    store.connection.execute("UPDATE entries SET payload = x'00'")
    found = ask(store, Digest.of(b"made"), tmp_path, Way.UP)
    assert names(found) == {"maker"}
    assert not any(isinstance(node, ModelNode) for node in found.nodes)
