from __future__ import annotations

from pathlib import Path

from mlproj.services.verify import verify
from mlproj.store.opening import open_store
from mlproj.store_ports import RunQuery
from tests.benchmarks.past import lengthen
from tests.store.runs import begun, ended


def test_a_history_made_in_no_time_is_one_that_verifies(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store", create=True)
    run = begun(store.blobs, tags=(("a", "b"),))
    with store.begin(run):
        store.seal(ended(store.blobs, run))
    lengthen(store.root, 50)
    verification = verify(store)
    assert verification.problems == ()
    assert (verification.entries, verification.runs) == (50, 50)
    newest = store.search(RunQuery(limit=1))[0]
    assert newest.name == "run-49" and store.find(newest.run_id[:10]) == newest
