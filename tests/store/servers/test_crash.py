"""The database is killed while clients write: what was acknowledged is there, and the same server goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from mlproj.services.verify import verify
from mlproj.store.folder import FolderStore
from tests.conftest import need
from tests.databases import KINDS, Server, present, started
from tests.server.calling import Caller, calling
from tests.store.servers.scene import serving

WRITERS = 4
AFTER = 40
"""So many points each writes once the database is back."""


class Killable(msgspec.Struct, frozen=True):
    """What is served over a database that can be killed."""

    server: Server
    store: FolderStore
    address: str


@pytest.fixture(params=KINDS)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Killable]:
    need(request.param, present(request.param))
    with (
        started(request.param, synced=True) as server,
        serving(server.uri(), tmp_path / "beside") as scene,
    ):
        yield Killable(server, scene.store, scene.address)


class Writer(threading.Thread):
    """Logs one point after the other to a run of its own, each until it is acknowledged."""

    def __init__(self, address: str, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id
        self.acknowledged = 0
        self.statuses: set[int] = set()
        self.enough = threading.Event()
        self._address = address

    def run(self) -> None:
        with calling(self._address) as caller:
            while not self.enough.is_set():
                point = {"key": "loss", "value": self.acknowledged, "timestamp": 1, "step": self.acknowledged}
                status, _ = caller("POST", "runs/log-metric", run_id=self.run_id, **point)
                self.statuses.add(status)
                if status == 200:
                    self.acknowledged += 1

    def wait_for(self, points: int) -> None:
        until = time.monotonic() + 120
        while self.acknowledged < points:
            assert time.monotonic() < until and self.is_alive(), (self.acknowledged, self.statuses)
            time.sleep(0.02)


def test_nothing_acknowledged_is_lost_when_the_database_is_killed(scene: Killable) -> None:
    caller = Caller(scene.address)
    writers = [Writer(scene.address, begun(caller)) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(2):
            reached = [writer.acknowledged for writer in writers]
            for writer, before in zip(writers, reached, strict=True):
                writer.wait_for(before + AFTER)
            scene.server.database.kill()
            time.sleep(0.3)
            scene.server.database.start()
        for writer in writers:
            writer.wait_for(writer.acknowledged + AFTER)
    finally:
        for writer in writers:
            writer.enough.set()
        for writer in writers:
            writer.join()
    assert set().union(*(writer.statuses for writer in writers)) <= {200, 503}
    for writer in writers:
        caller.done("POST", "runs/update", run_id=writer.run_id, status="FINISHED", end_time=2)
        answer = caller.done("GET", "metrics/get-history", run_id=writer.run_id, metric_key="loss")
        steps = [point["step"] for point in answer["metrics"]]
        # One may be there that was never answered.
        assert steps[: writer.acknowledged] == list(range(writer.acknowledged))
        assert len(steps) <= writer.acknowledged + 1
    caller.close()
    checked = verify(scene.store)
    assert checked.sound and checked.runs == WRITERS, checked.problems


def begun(caller: Caller) -> str:
    run_id: str = caller.done("POST", "runs/create", experiment_id="0", start_time=1)["run"]["info"]["run_id"]
    return run_id


def test_a_database_that_stays_away_is_told_and_tried_again(scene: Killable) -> None:
    with calling(scene.address) as caller:
        run_id = begun(caller)
        scene.server.database.kill()
        refused = caller.refused("POST", "runs/set-tag", run_id=run_id, key="a", value="b")
        assert refused == (503, "TEMPORARILY_UNAVAILABLE")
        scene.server.database.start()
        caller.done("POST", "runs/set-tag", run_id=run_id, key="a", value="b")
    assert scene.store.head()[0] == 0
