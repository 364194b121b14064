"""What webhooks are told of, each time once, whichever database holds what is on its way."""

from __future__ import annotations

import contextlib
import json
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mlproj.errors import NotFound, UsageError
from mlproj.model.moment import timestamp
from mlproj.model.registry import By, Stage
from mlproj.model.threshold import Threshold
from mlproj.model.tracking import Batch, Metric, NewRun, Page, RunStatus
from mlproj.model.webhooks import (
    CROSSED,
    EVENTS,
    RUN_ENDS,
    TRANSITIONED,
    Answered,
    Delivery,
    DeliveryState,
    NewWebhook,
    WebhookChanges,
)
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_served_store, open_store
from mlproj.store.tracking.opening import StoredTracking, open_tracking
from mlproj.store.webhooks import queue
from mlproj.store.webhooks.opening import StoredWebhooks, open_webhooks
from tests.databases import KINDS, new_uri

URL = "https://hooks.example.org/"
GOOD = Answered(status=200)
BAD = Answered(status=500, error="answered 500", again=True)


class Clock:
    """Goes on when it is told to, but for a moment at each look."""

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def __call__(self) -> str:
        self.seconds += 0.001
        return timestamp(self.seconds)


class World:
    """A store, what is tracked in it, and its webhooks as two processes have them."""

    def __init__(self, store: FolderStore, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.tracking: StoredTracking = open_tracking(store)
        self.webhooks: StoredWebhooks = open_webhooks(store, None)
        self.others: StoredWebhooks = open_webhooks(store, None)

    def close(self) -> None:
        for opened in (self.tracking, self.webhooks, self.others, self.store):
            opened.close()

    def add(self, *events: str, **fields: Any) -> str:
        new = NewWebhook(name="w", url=URL, events=events, **fields)
        return self.webhooks.add(new).webhook_id

    def told(self, webhook_id: str) -> list[tuple[str, dict[str, Any]]]:
        """What is sent to a webhook, in order; all of it is taken."""
        assert self.webhooks.queue.take(webhook_id, "test", 60)
        found = []
        while (due := self.webhooks.queue.next(webhook_id, "test", 60)) is not None:
            assert due.outgoing is not None
            body = json.loads(due.outgoing.body)
            found.append((f"{body['entity']}.{body['action']}", body["data"]))
            self.webhooks.queue.settle(due, GOOD, again_in=None)
        self.webhooks.queue.release(webhook_id, "test")
        return found

    def run(self, experiment: str = "0", **metrics: float) -> str:
        new = NewRun(experiment_id=experiment, name="r", user="ada", started=1_700_000_000_000)
        run_id = self.tracking.runs.create(new).run_id
        self.log(run_id, **metrics)
        return run_id

    def log(self, run_id: str, **metrics: float) -> None:
        points = tuple(
            Metric(key=key, value=value, timestamp=1_700_000_000_000, step=0)
            for key, value in metrics.items()
        )
        self.tracking.runs.log(run_id, Batch(metrics=points))

    def end(self, run_id: str, status: RunStatus = RunStatus.FINISHED) -> None:
        self.tracking.runs.update(run_id, status=status, ended=1_700_000_001_000)

    def deliveries(self) -> list[Delivery]:
        return list(self.webhooks.deliveries(None, 100))


on_each = pytest.mark.parametrize("world", ("folder", *KINDS), indirect=True)
"""For what databases do not do alike."""


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    clock, root, kind = Clock(), tmp_path / ".mlproj", getattr(request, "param", "folder")
    if kind == "folder":
        opened = open_store(root, create=True, clock=clock)
    else:
        opened = open_served_store(new_uri(kind), root, create=True, clock=clock)
    with contextlib.closing(World(opened, clock)) as made:
        yield made


def rmse(number: float) -> Threshold:
    return Threshold(key="rmse", operator=">", number=number)


@on_each
def test_ends_of_runs_are_told_once_however_many_look(world: World) -> None:
    before = world.run()
    world.end(before)
    hears = world.add(*RUN_ENDS)
    other = world.tracking.experiments.create("other").experiment_id
    only = world.add(*RUN_ENDS, experiment_id=other)
    silent = world.add(*RUN_ENDS, active=False)
    runs = [world.run() for _ in range(3)]
    elsewhere = world.run(other)
    for run_id, status in zip(runs, (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED), strict=True):
        world.end(run_id, status)
    world.end(elsewhere)
    with ThreadPoolExecutor(4) as pool:
        looks = [pool.submit(each.queue.notice) for each in (world.webhooks, world.others) * 4]
        for look in looks:
            look.result()
    told = world.told(hears)
    assert [(event, data["run_id"]) for event, data in told] == [
        *zip(RUN_ENDS, runs, strict=True),
        ("run.finished", elsewhere),
    ]
    assert told[1][1] == {
        "run_id": runs[1],
        "run_name": "r",
        "experiment_id": "0",
        "experiment_name": "Default",
        "status": "FAILED",
        "start_time": 1_700_000_000_000,
        "end_time": 1_700_000_001_000,
    }
    assert [data["run_id"] for _, data in world.told(only)] == [elsewhere]
    assert not world.told(silent)
    # One that goes on again after its end, and ends again.
    world.tracking.runs.update(runs[0], status=RunStatus.RUNNING)
    world.tracking.runs.update(runs[0], status=RunStatus.FAILED)
    world.webhooks.queue.notice()
    assert [event for event, _ in world.told(hears)] == ["run.failed"]
    world.webhooks.change(silent, WebhookChanges(active=True))
    world.webhooks.queue.notice()
    assert not world.told(silent), "what was while it did not listen is past"


def test_a_metric_at_its_threshold_is_told_of_each_run_once(world: World) -> None:
    over = world.run(rmse=0.9)
    world.end(over)
    already = world.run(rmse=0.9)
    hears = world.add(CROSSED, condition=rmse(0.5))
    goes_on, ends, late = world.run(rmse=0.4), world.run(rmse=0.7), world.run(rmse=0.1, loss=9.0)
    world.end(ends)
    world.end(late)
    world.webhooks.queue.notice()
    ((event, data),) = world.told(hears)
    assert event == CROSSED and data["run_id"] == ends
    assert (data["metric"], data["value"], data["comparison"], data["threshold"]) == ("rmse", 0.7, ">", 0.5)
    world.log(goes_on, rmse=0.6)
    world.log(late, rmse=0.8)
    world.log(already, rmse=0.95)
    world.log(goes_on, loss=1.0)
    for each in (world.webhooks, world.others, world.webhooks):
        each.queue.notice()
    assert {data["run_id"] for _, data in world.told(hears)} == {goes_on, late}


@on_each
def test_a_metric_of_a_models_version_is_told_by_its_run_and_by_what_was_logged_of_it(world: World) -> None:
    registry, models = world.tracking.registry, world.tracking.models
    registry.create("wine")
    registry.create_version("wine", source="s3://b/0", run_id=world.run(rmse=0.9))
    hears = world.add(CROSSED, TRANSITIONED, condition=rmse(0.5), model="wine")
    assert registry.create("other")
    registry.create_version("other", source="s3://b/1", run_id=world.run(rmse=0.9))
    registry.create_version("wine", source="s3://b/2", run_id=world.run(rmse=0.8))
    model = models.create("0", name="m").model_id
    registry.create_version("wine", source="s3://b/3", model_id=model)
    world.webhooks.queue.notice()
    assert [(data["name"], data["version"]) for _, data in world.told(hears)] == [("wine", "2")]
    registry.rename("wine", "port")
    watch = world.run()
    point = Metric(key="rmse", value=0.6, timestamp=1_700_000_000_000, step=0, model_id=model)
    world.tracking.runs.log(watch, Batch(metrics=(point,)))
    world.webhooks.queue.notice()
    world.webhooks.queue.notice()
    told = [(event, data["name"], data["version"]) for event, data in world.told(hears)]
    assert told == [(CROSSED, "port", "3")]


def test_changes_of_the_registry_are_told_in_their_transaction(world: World) -> None:
    hears = world.add(*EVENTS[:-1])
    registry = world.tracking.registry
    registry.create("wine")
    with pytest.raises(NotFound):
        registry.set_version_tag("wine", 7, "a", "b")
    for number in (1, 2):
        registry.create_version("wine", source=f"s3://bucket/{number}")
    registry.transition("wine", 1, Stage.PRODUCTION, archive_existing=False)
    by = By(who="ada", why="better")
    registry.transition("wine", 2, Stage.PRODUCTION, archive_existing=True, by=by)
    registry.transition("wine", 2, Stage.PRODUCTION, archive_existing=False)
    registry.set_tag("wine", "a", "b")
    told = world.told(hears)
    assert [event for event, _ in told] == [
        "registered_model.created",
        *("model_version.created",) * 2,
        *(TRANSITIONED,) * 3,
    ]
    assert told[4][1] == {
        "name": "wine",
        "version": "2",
        "from_stage": "None",
        "to_stage": "Production",
        "run_id": None,
        "who": "ada",
        "why": "better",
    }
    assert (told[5][1]["version"], told[5][1]["to_stage"]) == ("1", "Archived")


@on_each
def test_one_at_a_time_sends_and_another_takes_over_from_who_was_killed(world: World) -> None:
    hears = world.add("registered_model.created")
    world.tracking.registry.create("wine")
    queues = (world.webhooks.queue, world.others.queue)
    assert [each.waiting() for each in queues] == [[hears]] * 2
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda number: queues[number % 2].take(hears, str(number), 10), range(8)))
    assert taken.count(True) == 1
    holder = str(taken.index(True))
    assert not queues[0].waiting() and not queues[1].take(hears, "late", 10)
    first = queues[0].next(hears, holder, 10)
    assert first is not None and first.attempt == 1
    world.clock.seconds += 11
    assert queues[1].waiting() == [hears] and queues[1].take(hears, "heir", 10)
    assert queues[0].next(hears, holder, 10) is None, "it is somebody else's by now"
    second = queues[1].next(hears, "heir", 10)
    assert second is not None and second.attempt == 2
    assert second.outgoing == first.outgoing, "under the same id"
    queues[1].settle(second, GOOD, again_in=None)
    queues[0].settle(first, BAD, again_in=1)
    (delivery,) = world.deliveries()
    assert (delivery.state, delivery.attempts, delivery.status) == (DeliveryState.SENT, 2, 200)


def test_what_fails_waits_and_may_be_tried_again_by_hand(world: World) -> None:
    hears = world.add("registered_model.created")
    world.tracking.registry.create("wine")
    ours = world.webhooks.queue
    assert ours.take(hears, "me", 60)
    due = ours.next(hears, "me", 60)
    assert due is not None
    ours.settle(due, BAD, again_in=5)
    assert ours.next(hears, "me", 60) is None
    ours.release(hears, "me")
    assert not ours.waiting()
    world.clock.seconds += 6
    assert ours.waiting() == [hears] and ours.take(hears, "me", 60)
    due = ours.next(hears, "me", 60)
    assert due is not None and due.attempt == 2
    ours.settle(due, BAD, again_in=None)
    ours.release(hears, "me")
    (delivery,) = world.deliveries()
    assert (delivery.state, delivery.status, delivery.error) == (DeliveryState.FAILED, 500, "answered 500")
    assert world.webhooks.retry((delivery.number + 1,)) == 0
    assert world.webhooks.retry(()) == 1 and ours.waiting() == [hears]
    assert len(world.told(hears)) == 1


@on_each
def test_the_log_and_what_waits_are_kept_within_bounds(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "KEPT", 3)
    monkeypatch.setattr(queue, "MOST_WAITING", 4)
    hears, gone = world.add("registered_model.created"), world.add("registered_model.created")
    for number in range(5):
        world.tracking.registry.create(f"sent {number}")
    world.told(hears)
    for number in range(6):
        world.tracking.registry.create(f"waits {number}")
    world.webhooks.remove(gone)
    world.webhooks.queue.prune()
    world.webhooks.queue.prune()
    states = [each.state for each in world.deliveries()]
    assert states == [DeliveryState.WAITING] * 4 + [DeliveryState.FAILED] * 2 + [DeliveryState.SENT]
    assert "newer ones wait" in str(world.deliveries()[4].error)
    with pytest.raises(NotFound):
        world.webhooks.get(gone)


def test_secrets_are_kept_encrypted_by_a_key_that_is_the_owners_alone(world: World, tmp_path: Path) -> None:
    hears = world.add("registered_model.created", secret="the secret of it")
    key = world.store.root / "webhooks.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    rows = world.store.connection.execute("SELECT secret FROM webhooks").fetchall()
    assert rows and "the secret" not in str(rows)
    assert world.others.outgoing(hears, "{}", "d").secret == "the secret of it"
    assert "secret of it" not in str(world.webhooks.get(hears)) and world.webhooks.get(hears).signed
    world.tracking.registry.create("wine")
    key.unlink()
    assert world.webhooks.queue.take(hears, "me", 60)
    due = world.webhooks.queue.next(hears, "me", 60)
    assert due is not None and due.outgoing is None and "MLFLOW_WEBHOOK_SECRET" in str(due.error)
    world.webhooks.change(hears, WebhookChanges(secret="another"))
    assert world.webhooks.outgoing(hears, "{}", "d").secret == "another"
    world.webhooks.change(hears, WebhookChanges(secret=""))
    assert not world.webhooks.get(hears).signed
    with pytest.raises(UsageError):
        open_webhooks(world.store, "no key").add(NewWebhook(name="w", url=URL, events=EVENTS, secret="s"))


def test_they_are_listed_by_page_the_newest_first(world: World) -> None:
    made = [world.add("registered_model.created") for _ in range(3)]
    ours = world.add("run.finished")
    first, token = world.webhooks.listing(Page(limit=2))
    assert [each.webhook_id for each in first] == [ours, made[2]]
    rest, more = world.webhooks.listing(Page(limit=2, token=token))
    assert [each.webhook_id for each in rest] == [made[1], made[0]] and more is None
    mlflows, _ = world.webhooks.listing(Page(limit=10), among=("registered_model.created",))
    assert len(mlflows) == 3
    with pytest.raises(UsageError):
        world.webhooks.listing(Page(limit=2, token="x"))
    with pytest.raises(NotFound):
        world.add("run.finished", experiment_id="77")
    with pytest.raises(NotFound):
        world.add("registered_model.created", model="nobody's")
