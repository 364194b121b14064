from __future__ import annotations

import pytest

from mlproj.errors import UsageError
from mlproj.model.moment import timestamp
from mlproj.model.run import Run
from mlproj.services.cleaning import Manner, Retention, expendable, gc, prune
from mlproj.services.verify import verify
from mlproj.store.folder import FolderStore
from mlproj.store_ports import Listed, RunQuery
from mlproj.testing import Recorder
from tests.store.runs import begun, ended

DAY = 86400.0
NOW = 1_800_000_000.0


def manner(*, dry_run: bool = False, now: float = NOW, grace_s: float = 0.0) -> Manner:
    return Manner(who="ada@lovelace", now=timestamp(now), grace_s=grace_s, dry_run=dry_run)


def row(number: int, *, days: float = 0, experiment: str = "Default", **flags: bool) -> Listed:
    """A run begun so many days before NOW."""
    facts = {"ended": True, "hidden": False, "forgotten": False, "tagged": False, **flags}
    return Listed(
        run_id=f"{number:032x}",
        name=str(number),
        experiment=experiment,
        created=timestamp(NOW - days * DAY),
        hidden_at=None,
        **facts,
    )


def going(rows: list[Listed], **rules: object) -> list[str]:
    return [found.name for found in expendable(rows, Retention(**rules), timestamp(NOW))]  # type: ignore[arg-type]  # each test gives what fits


def test_the_last_so_many_stay_whatever_their_age() -> None:
    rows = [row(number, days=10 - number) for number in range(5)]
    assert going(rows, keep_last=2) == ["0", "1", "2"]
    assert going(rows, keep_last=0) == ["0", "1", "2", "3", "4"]
    assert going(rows, keep_last=9) == []
    assert going(rows, older_than_s=7.5 * DAY) == ["0", "1", "2"]
    assert going(rows, older_than_s=7.5 * DAY, keep_last=4) == ["0"]


def test_tagged_running_hidden_and_forgotten_runs_are_not_gone_over() -> None:
    rows = [row(0, tagged=True), row(1, ended=False), row(2, hidden=True), row(3, forgotten=True), row(4)]
    assert going(rows, keep_last=0, keep_tagged=True) == ["4"]
    assert going(rows, keep_last=0) == ["0", "4"]
    assert going(rows, keep_last=2) == ["0"], "a running run is one of the last, a hidden one is not"


def test_an_experiments_runs_alone() -> None:
    rows = [row(0, experiment="a"), row(1, experiment="b"), row(2, experiment="a")]
    assert going(rows, keep_last=1, experiment="a") == ["0"]


def sealed(store: FolderStore, name: str, tags: tuple[tuple[str, str], ...] = ()) -> Run:
    run = begun(store.blobs, name=name, tags=tags)
    with store.begin(run):
        return store.seal(ended(store.blobs, run, model=name.encode()))


def left(store: FolderStore) -> list[str]:
    return [run.name for run in store.search(RunQuery(limit=None, deleted=True))]


def test_hidden_runs_are_collected_and_a_rehearsal_tells_the_same(store: FolderStore) -> None:
    for name in ("one", "two", "three"):
        sealed(store, name)
    for name in ("one", "three"):
        store.hide(store.find(name).run_id)
    rehearsed = gc(store, manner(dry_run=True), Recorder())
    assert left(store) == ["three", "two", "one"] and rehearsed.removed is None
    done = gc(store, manner(), Recorder())
    assert left(store) == ["two"]
    assert [run.name for run in done.runs] == [run.name for run in rehearsed.runs] == ["one", "three"]
    assert done.garbage == rehearsed.garbage
    assert done.removed is not None and done.removed.files == len(done.garbage.blobs) == 2
    assert verify(store).sound
    assert gc(store, manner(), Recorder()).runs == ()


def test_runs_hidden_lately_can_be_spared(store: FolderStore) -> None:
    run = sealed(store, "one")
    store.hide(run.run_id)
    hidden_at = store.listing()[0].hidden_at
    assert hidden_at is not None
    store.hide(run.run_id, hidden=False)
    assert store.listing()[0].hidden_at is None
    store.hide(run.run_id)
    lately = Manner(who="ada", now=hidden_at, grace_s=0.0, dry_run=False)
    assert gc(store, lately, Recorder(), hidden_for_s=DAY).runs == ()
    assert [row.name for row in gc(store, manner(now=NOW * 2), Recorder(), hidden_for_s=DAY).runs] == ["one"]


def test_pruning_leaves_tombstones_that_say_by_which_rule(store: FolderStore) -> None:
    sealed(store, "best", tags=(("keep", "yes"),))
    late = sealed(store, "tagged later")
    store.amend(late.run_id, "tag", {"key": "keep", "value": "yes"})
    gone = sealed(store, "gone")
    sealed(store, "newest")
    retention = Retention(keep_last=1, keep_tagged=True)
    assert [row.name for row in prune(store, retention, manner(dry_run=True), Recorder()).runs] == ["gone"]
    prune(store, retention, manner(), Recorder())
    assert left(store) == ["newest", "tagged later", "best"]
    with pytest.raises(Exception, match=r"ada@lovelace .* pruned: beyond the last 1, without a tag"):
        store.find(gone.run_id)
    assert verify(store).sound


def test_pruning_without_a_rule_is_a_usage_error(store: FolderStore) -> None:
    with pytest.raises(UsageError, match="nothing says which runs"):
        prune(store, Retention(keep_tagged=True), manner(), Recorder())
