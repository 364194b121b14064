"""What comes from a run's server after its end: its children, and what was away or came later."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from mlproj.errors import Interrupted, StoreError, UsageError
from mlproj.model.run import Status
from mlproj.model.tracking import (
    Metric,
    RunStatus,
)
from mlproj.services.sync import Offices, is_complete, sync
from mlproj.services.verify import verify
from mlproj.testing import FakeServer
from tests.services.mirroring import (
    HUGE,
    NOTE,
    mirrored,
    offices,
    only,
    run_there,
    scripted,
    sweeping,
)
from tests.services.test_run import World, world

__all__ = ["world"]


def test_a_server_that_is_away_at_the_end_is_read_later(world: World) -> None:
    def leave() -> None:
        world.server.failure = StoreError("gone")

    world.executor.act = scripted(world.server, then=leave)
    run = mirrored(world)
    assert run.status is Status.FINISHED and run.outcome is not None
    assert run.outcome.server_read is False and run.outcome.logged is None
    assert [note for note in run.outcome.notes if "gone" in note and "mlproj runs sync" in note]
    assert not is_complete(run)

    (still,) = sync(world.store, (), offices(world), world.events)
    assert still.failure is not None and still.added == 0

    world.server.failure = None
    (synced,) = sync(world.store, (), offices(world), world.events)
    assert synced.failure is None and is_complete(synced.run)
    kinds = [amendment.kind for amendment in synced.run.amendments]
    assert sorted(kinds) == sorted(
        ["param", "tag", "metrics", "dataset", "model", "output", "output", "synced"]
    )
    index = world.store.index(run.run_id)
    assert index["metrics"] == {"loss": (1 / 3, 2, 2, 1 / 3, 1.0, 3)}
    written = {(path, "missing", None, 0) for path in ("model.txt", "metrics.json")}
    served = {(file.path, "served", file.digest, file.size) for file in (NOTE, HUGE)}
    assert index["outputs"] == written | served
    assert only(world.server).status is RunStatus.FINISHED and only(world.server).ended is not None
    assert verify(world.store).sound

    assert sync(world.store, (), offices(world), world.events) == ()
    (again,) = sync(world.store, (run.name,), offices(world), world.events)
    assert again.added == 0 and again.failure is None


def test_runs_that_a_script_began_there_are_children_here(world: World) -> None:
    world.executor.act = sweeping(world)
    run = mirrored(world)
    nested, left = world.store.children(run.run_id)
    assert [child.name for child in (nested, left)] == ["nested", "open"]
    for child in (nested, left):
        assert child.plan == run.plan and child.job is not None and child.outcome is not None
        assert child.job.parent == run.run_id and child.job.parameters == ()
        assert child.outcome.server_read is True and child.outcome.logged is not None
        assert child.outcome.logged.params == (("alpha", child.name),)
        assert child.outcome.logged.tags == ()
        assert child.outcome.latest == {"loss": 0.5}
    assert nested.outcome is not None and left.outcome is not None
    assert (nested.outcome.status, nested.outcome.usage.wall_s) == (Status.FAILED, 1.0)
    assert left.outcome.status is Status.FINISHED and "left it open" in str(left.outcome.reason)
    assert {each.status for each in world.server.runs.values()} == {RunStatus.FINISHED, RunStatus.FAILED}
    assert verify(world.store).sound
    (again,) = sync(world.store, (run.run_id,), offices(world), world.events)
    assert again.added == 0 and len(world.store.children(run.run_id)) == 2


def test_a_child_that_was_hidden_here_does_not_come_back(world: World) -> None:
    world.executor.act = sweeping(world)
    run = mirrored(world)
    nested, left = world.store.children(run.run_id)
    world.store.hide(nested.run_id)
    (again,) = sync(world.store, (run.run_id,), offices(world), world.events)
    assert again.added == 0 and world.store.children(run.run_id) == (left,)


def test_children_are_read_later_where_their_server_is_away(world: World) -> None:
    def leave() -> None:
        world.server.failure = StoreError("gone")

    world.executor.act = sweeping(world, then=leave)
    run = mirrored(world)
    assert world.store.children(run.run_id) == ()
    world.server.failure = None
    (synced,) = sync(world.store, (), offices(world), world.events)
    assert synced.failure is None and synced.added == 3
    assert [child.name for child in world.store.children(run.run_id)] == ["nested", "open"]
    assert dict(world.server.runs[run_there(run)].params) == {"alpha": "0.5", "word": "plain"}
    assert [metric.key for metric in world.server.runs[run_there(run)].metrics] == ["rmse"]
    assert verify(world.store).sound
    assert sync(world.store, (), offices(world), world.events) == ()


def test_a_child_that_could_not_be_read_whole_is_completed_with_its_parent(world: World) -> None:
    class Tired(FakeServer):
        def history(self, run_id: str, key: str) -> Iterator[Metric]:
            if key == "loss":
                raise StoreError("tired")
            return super().history(run_id, key)

    world.server = Tired()
    world.executor.act = sweeping(world)
    run = mirrored(world)
    assert not is_complete(run)
    children = world.store.children(run.run_id)
    assert [child.outcome and child.outcome.server_read for child in children] == [False, False]
    rested = FakeServer(runs=world.server.runs, points=world.server.points)
    place = Offices(server=lambda uri: rested, tracking=world.tools.tracking)
    (synced,) = sync(world.store, (), place, world.events)
    assert synced.failure is None and all(map(is_complete, world.store.children(run.run_id)))
    index = world.store.index(children[0].run_id)
    assert index["metrics"] == {"loss": (0.5, 0, 7, 0.5, 0.5, 1)}
    assert verify(world.store).sound


def test_what_is_logged_there_after_the_end_can_be_brought_in(world: World) -> None:
    run = mirrored(world)
    world.server.log(only(world.server).run_id, tags=(("reviewed", "yes"),))
    (synced,) = sync(world.store, (run.run_id,), offices(world), world.events)
    assert [(item.kind, item.content) for item in synced.run.amendments] == [
        ("tag", {"key": "reviewed", "value": "yes"})
    ]


def test_a_run_renamed_here_keeps_that_name(world: World) -> None:
    run = mirrored(world, run_name="one")
    world.server.log(only(world.server).run_id, tags=(("mlflow.runName", "other"),))
    world.store.rename(run.run_id, "two")
    (synced,) = sync(world.store, (run.run_id,), offices(world), world.events)
    assert synced.run.name == "two"


def test_only_a_run_at_a_server_can_be_synced(world: World) -> None:
    run = world.run()
    assert is_complete(run)
    with pytest.raises(UsageError, match="at no server"):
        sync(world.store, (run.run_id,), offices(world), world.events)


def test_who_does_not_wait_for_what_is_read_back_ends_only_that(world: World) -> None:
    class Slow(FakeServer):
        def history(self, run_id: str, key: str) -> Iterator[Metric]:
            os.kill(os.getpid(), signal.SIGINT)
            raise AssertionError("the signal was not heard")

    world.server = Slow()
    world.executor.act = scripted(world.server)
    run = mirrored(world)
    assert run.status is Status.FINISHED and run.outcome is not None
    assert run.outcome.interrupted is None and run.outcome.server_read is False
    assert run.outcome.logged is not None and run.outcome.logged.params == (("depth", "3"),)
    assert only(world.server).status is RunStatus.FINISHED


def test_a_run_that_is_stopped_is_read_back_all_the_same(world: World) -> None:
    def stop() -> None:
        raise Interrupted(signal.SIGTERM)

    world.executor.act = scripted(world.server, then=stop)
    run = mirrored(world)
    assert run.status is Status.KILLED and run.outcome is not None and run.outcome.server_read
    assert only(world.server).status is RunStatus.KILLED
