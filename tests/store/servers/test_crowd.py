"""Several servers over one database: what clients write at once is all there, and the chain is whole."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from mlproj.model.record import EntryKind
from mlproj.model.search import Search
from mlproj.model.tracking import Page
from mlproj.services.verify import verify
from mlproj.store.folder import FolderStore
from mlproj.store.tracking.opening import open_tracking
from tests.databases import KINDS, new_uri
from tests.server.calling import Caller, calling
from tests.store.servers.scene import serving

CLIENTS = 6
ROUNDS = 15


class Crowd:
    """Two servers over one database, and clients of both."""

    def __init__(self, store: FolderStore, addresses: list[str]) -> None:
        self.store = store
        self._addresses = addresses

    def all_do(self, act: Callable[[Caller, int], None]) -> None:
        """Has every client do this at once, with its number. Fails where one of them does."""
        failures: list[BaseException] = []

        def client(number: int) -> None:
            try:
                with calling(self._addresses[number % len(self._addresses)]) as caller:
                    act(caller, number)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures

    def one(self) -> Caller:
        return Caller(self._addresses[0])


@pytest.fixture(params=KINDS)
def crowd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Crowd]:
    uri = new_uri(request.param)
    with ExitStack() as stack:
        scenes = [stack.enter_context(serving(uri, tmp_path / "beside")) for _ in range(2)]
        yield Crowd(scenes[0].store, [scene.address for scene in scenes])


def test_points_of_one_run_are_all_there_and_none_twice(crowd: Crowd) -> None:
    first = crowd.one()
    run_id = first.done("POST", "runs/create", experiment_id="0")["run"]["info"]["run_id"]

    def log(caller: Caller, number: int) -> None:
        for step in range(ROUNDS):
            points = [
                {"key": key, "value": number, "timestamp": 1, "step": step}
                for key in ("shared", f"of-{number}")
            ]
            # Everyone sends one point that everyone sends.
            points.append({"key": "same", "value": 1.5, "timestamp": 1, "step": step})
            caller.done("POST", "runs/log-batch", run_id=run_id, metrics=points)

    crowd.all_do(log)
    for key, count in (("shared", CLIENTS * ROUNDS), ("same", ROUNDS), ("of-0", ROUNDS)):
        history = first.done("GET", "metrics/get-history", run_id=run_id, metric_key=key)["metrics"]
        assert len(history) == len({(point["step"], point["value"]) for point in history}) == count
    with closing(open_tracking(crowd.store)) as tracking:
        sums = {one.latest.key: one.count for one in tracking.runs.summaries(run_id)}
    assert sums["shared"] == CLIENTS * ROUNDS and sums["same"] == ROUNDS
    first.close()


def test_the_chain_is_whole_however_many_append_to_it(crowd: Crowd) -> None:
    first = crowd.one()
    late = first.done("POST", "runs/create", experiment_id="0")["run"]["info"]["run_id"]
    first.done("POST", "runs/update", run_id=late, status="FINISHED", end_time=5)

    def end_runs(caller: Caller, number: int) -> None:
        for step in range(ROUNDS):
            run_id = caller.done("POST", "runs/create", experiment_id="0", start_time=1)["run"]["info"][
                "run_id"
            ]
            caller.done("POST", "runs/log-metric", run_id=run_id, key="a", value=step, timestamp=1, step=step)
            caller.done("POST", "runs/update", run_id=run_id, status="FINISHED", end_time=2)
            for changed in (late, run_id):
                caller.done("POST", "runs/set-tag", run_id=changed, key=f"{number}-{step}", value="x")
                caller.done("POST", "runs/log-metric", run_id=changed, key="b", value=number, timestamp=step)

    crowd.all_do(end_runs)
    sealed = CLIENTS * ROUNDS
    kinds = [entry.kind for entry in crowd.store.entries()]
    assert (kinds.count(EntryKind.RUN), kinds.count(EntryKind.AMENDMENT)) == (sealed + 1, sealed * 4)
    checked = verify(crowd.store)
    assert checked.sound, checked.problems
    first.close()


def test_names_are_taken_once_and_versions_numbered_without_gaps(crowd: Crowd) -> None:
    taken: list[Any] = []

    def register(caller: Caller, number: int) -> None:
        status, answer = caller("POST", "experiments/create", name="wanted")
        taken.append((status, answer.get("error_code")))
        status, answer = caller("POST", "registered-models/create", name="wine")
        taken.append((status, answer.get("error_code")))
        for _ in range(ROUNDS):
            caller.done("POST", "model-versions/create", name="wine", source="s3://bucket/wine")

    crowd.all_do(register)
    assert taken.count((200, None)) == 2
    assert taken.count((400, "RESOURCE_ALREADY_EXISTS")) == len(taken) - 2 == 2 * (CLIENTS - 1)
    with closing(open_tracking(crowd.store)) as tracking:
        latest = tracking.registry.get("wine").latest
        assert max(each.version for each in latest) == CLIENTS * ROUNDS
        assert len(tracking.experiments.search(Search(), Page(limit=10))[0]) == 2


def test_the_halves_of_a_trace_that_are_sent_at_once_are_both_there(crowd: Crowd) -> None:
    """One client sends what is told of it, the others a span each, as MLflow's client does in threads."""
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}
    traces = [f"{number + 1:032x}" for number in range(ROUNDS * 2)]
    together = threading.Barrier(CLIENTS, timeout=60)

    def tell(caller: Caller, number: int) -> None:
        for trace in traces:
            together.wait()
            if number == 0:
                info = {
                    "trace_id": f"tr-{trace}",
                    "trace_location": place,
                    "state": "ERROR",
                    "tags": {"k": "v"},
                }
                times = {"request_time": "2026-01-01T00:00:00Z", "execution_duration": "2s"}
                caller.done("POST", "/api/3.0/mlflow/traces", trace={"trace_info": {**info, **times}})
            else:
                span = {"traceId": trace, "spanId": f"{number:016x}", "name": f"{number}"}
                spans = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
                headers = {"content-type": "application/json", "x-mlflow-experiment-id": "0"}
                assert caller.raw("POST", "/v1/traces", json.dumps(spans), headers)[0] == 200

    crowd.all_do(tell)
    first = crowd.one()
    for trace in traces:
        read = first.done("GET", "/api/3.0/mlflow/traces/get", trace_id=f"tr-{trace}")["trace"]
        info = read["trace_info"]
        assert (info["state"], info["execution_duration"], info["tags"]["k"]) == ("ERROR", "2s", "v")
        assert info["request_time"] == "2026-01-01T00:00:00Z"
        assert sorted(span["name"] for span in read["spans"]) == ["1", "2", "3", "4", "5"]
    first.close()
