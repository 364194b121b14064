"""Webhooks of a server with two workers, by MLflow's own client, and with receivers that are awkward."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mlflow_clients import QUIET, ClientPython
from tests.server.calling import Caller, calling, wait_until
from tests.server.guarded import guarded
from tests.server.hosted import MLPROJ, Hosted, hosted
from tests.webhook_receiver import HOLD, Receiver, receiving

FLOW = Path(__file__).with_name("webhook_flow.py")
OURS = "/api/2.0/mlproj/webhooks"
SECRET = "nobody is told this"
_TIMEOUT_S = 2
TOLD: tuple[tuple[str, dict[str, Any]], ...] = (
    ("registered_model.created", {"name": "wine", "tags": {"a": "b"}, "description": ""}),
    ("registered_model.created", {"name": "beer", "tags": {}, "description": "of hops"}),
    (
        "model_version.created",
        {
            "name": "wine",
            "version": "1",
            "source": "s3://bucket/wine",
            "run_id": None,
            "tags": {"t": "1"},
            "description": "the first",
        },
    ),
    ("model_version_tag.set", {"name": "wine", "version": "1", "key": "k", "value": "v"}),
    ("model_version_tag.deleted", {"name": "wine", "version": "1", "key": "k"}),
    ("model_version_alias.created", {"name": "wine", "alias": "champion", "version": "1"}),
    ("model_version_alias.deleted", {"name": "wine", "alias": "champion"}),
    # MLflow's client gives the tags of a prompt's version to the prompt, too.
    ("prompt.created", {"name": "ask", "tags": {"u": "v"}, "description": "first"}),
    (
        "prompt_version.created",
        {
            "name": "ask",
            "version": "1",
            "template": "Hello {{name}}",
            "tags": {"u": "v"},
            "description": "first",
        },
    ),
    ("prompt_alias.created", {"name": "ask", "alias": "best", "version": "1"}),
    ("prompt_alias.deleted", {"name": "ask", "alias": "best"}),
    ("prompt_tag.set", {"name": "ask", "key": "a", "value": "b"}),
    ("prompt_tag.deleted", {"name": "ask", "key": "a"}),
    ("prompt_version_tag.set", {"name": "ask", "version": "1", "key": "c", "value": "d"}),
    ("prompt_version_tag.deleted", {"name": "ask", "version": "1", "key": "c"}),
)
"""What MLflow 3.17's own server sends of the flow."""


@pytest.fixture(scope="module")
def server(isolation: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    folder = tmp_path_factory.mktemp("told")
    options = ("--workers", "2", "--webhook-allow-private", "--backend-store-uri", str(folder / "store"))
    variables = {"MLFLOW_WEBHOOK_REQUEST_TIMEOUT": str(_TIMEOUT_S)}
    with hosted(folder, *options, variables=variables) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def caller(server: Hosted) -> Iterator[Caller]:
    with calling(server.uri) as made:
        yield made


def added(caller: Caller, url: str, *events: str, **fields: Any) -> str:
    made = caller.done("POST", OURS, name="w", url=url, events=events, **fields)
    return str(made["webhook"]["webhook_id"])


def sent(caller: Caller, webhook_id: str) -> list[dict[str, Any]]:
    found = caller.done("GET", f"{OURS}/deliveries", webhook_id=webhook_id)
    return list(found.get("deliveries", ()))


def test_mlflows_client_makes_them_and_each_event_comes_once_signed(
    server: Hosted, receiver: Receiver, client_python: ClientPython, caller: Caller
) -> None:
    done = subprocess.run(
        (client_python("3"), FLOW, f"{receiver.uri}/all", SECRET),
        env={**os.environ, **QUIET, "MLFLOW_TRACKING_URI": server.uri},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    wait_until(lambda: any(each.event == TOLD[-1][0] for each in receiver.heard("/all")[2:]))
    time.sleep(1.5)  # in which the other worker could send something again
    heard = receiver.heard("/all")[2:]  # after what was to try it
    assert all(each.signed_by(SECRET) for each in heard)
    assert len({each.delivery for each in heard}) == len(heard)
    told = [(each.event, each.told["data"]) for each in heard]
    # Which the client does by the way, in a thread of its own.
    assert [each for each in told if each[1].get("key") != "_mlflow_experiment_ids"] == list(TOLD)
    shown = caller.raw("GET", OURS)[1] + caller.raw("GET", f"{OURS}/deliveries")[1]
    assert SECRET.encode() not in shown + server.log.read_bytes()
    (made,) = caller.done("GET", OURS)["webhooks"]
    caller.done("DELETE", f"webhooks/{made['webhook_id']}")


def test_a_receiver_that_fails_or_hangs_holds_up_nobody_else(caller: Caller, receiver: Receiver) -> None:
    receiver.answers |= {"/fails": [500, 503], "/hangs": [HOLD]}
    fails, hangs, quick = (
        added(caller, f"{receiver.uri}/{name}", "registered_model.created")
        for name in ("fails", "hangs", "quick")
    )
    began = time.monotonic()
    for number in range(3):
        caller.done("POST", "registered-models/create", name=f"quickly {number}")
    assert time.monotonic() - began < 8
    wait_until(lambda: len(receiver.heard("/quick")) == 3)
    assert len(receiver.heard("/hangs")) <= 1, "each is sent one after the other"
    wait_until(lambda: len(receiver.heard("/fails")) == 5 and len(receiver.heard("/hangs")) == 4)
    wait_until(lambda: all(each["state"] == "sent" for each in sent(caller, fails) + sent(caller, hangs)))
    for name in ("fails", "hangs", "quick"):
        ids = Counter(each.delivery for each in receiver.heard(f"/{name}"))
        assert len(ids) == 3
    assert sorted(each["attempts"] for each in sent(caller, fails)) in ([1, 1, 3], [1, 2, 2])
    assert [each["attempts"] for each in sent(caller, quick)] == [1, 1, 1]
    for webhook_id in (fails, hangs, quick):
        caller.done("DELETE", f"{OURS}/{webhook_id}")


def test_what_a_killed_worker_was_sending_is_sent_again(
    server: Hosted, caller: Caller, receiver: Receiver
) -> None:
    receiver.answers["/held"] = [HOLD]
    ours = added(caller, f"{receiver.uri}/held", "run.finished", "metric.crossed", when="rmse > 0.5")
    run = caller.done("POST", "runs/create", experiment_id="0")["run"]["info"]["run_id"]
    caller.done("POST", "runs/update", run_id=run, status="FINISHED")
    wait_until(lambda: bool(receiver.heard("/held")))
    killed = server.workers()
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(receiver.heard("/held")) == 2)
    first, second = receiver.heard("/held")
    assert (first.delivery, first.body) == (second.delivery, second.body)
    assert (first.event, first.told["data"]["run_id"]) == ("run.finished", run)
    wait_until(lambda: not {*killed} & {*server.workers()} and len(server.workers()) == 2)
    with calling(server.uri) as again:
        wait_until(lambda: [each["state"] for each in sent(again, ours)] == ["sent"])
        assert [each["attempts"] for each in sent(again, ours)] == [2]
        watched = again.done("POST", "runs/create", experiment_id="0")["run"]["info"]["run_id"]
        fields = {"key": "rmse", "value": 0.75, "timestamp": 1}
        again.done("POST", "runs/log-metric", run_id=watched, **fields)
        wait_until(lambda: len(receiver.heard("/held")) == 3)
        last = receiver.heard("/held")[-1]
        assert (last.event, last.told["data"]["value"]) == ("metric.crossed", 0.75)
        assert last.told["data"]["run_id"] == watched
        again.done("DELETE", f"{OURS}/{ours}")


def test_mlflows_routes_show_what_its_client_knows(caller: Caller, receiver: Receiver) -> None:
    mine = added(caller, receiver.uri, "run.finished")
    both = added(caller, receiver.uri, "run.finished", "prompt.created")
    found = {each["webhook_id"]: each for each in caller.done("GET", "webhooks")["webhooks"]}
    assert mine not in found
    assert found[both]["events"] == [{"entity": "PROMPT", "action": "CREATED"}]
    for method, path in (("GET", mine), ("DELETE", mine), ("PATCH", mine), ("POST", f"{mine}/test")):
        assert caller.refused(method, f"webhooks/{path}") == (404, "RESOURCE_DOES_NOT_EXIST")
    events = [{"entity": "PROMPT_TAG", "action": "SET"}]
    caller.done("PATCH", f"webhooks/{both}", events=events)
    ours = caller.done("GET", f"{OURS}/{both}")["webhook"]
    assert ours["events"] == ["prompt_tag.set", "run.finished"]
    refused: tuple[dict[str, Any], ...] = (
        {"events": ["run.finished"], "model": "m"},
        {"events": ["prompt.created"], "experiment_id": "0"},
        {"events": ["metric.crossed"]},
        {"events": ["run.finished"], "when": "rmse > 1"},
        {"events": ["metric.crossed"], "when": "rmse is high"},
        {"events": ["run.began"]},
        {"events": []},
        {"events": ["run.finished"], "secret": "s" * 1001},
    )
    for wrong in refused:
        refusal = caller.refused("POST", OURS, name="w", url=receiver.uri, **wrong)
        assert refusal == (400, "INVALID_PARAMETER_VALUE"), wrong
    entity = {"entity": "PROMPT", "action": "EXCEEDED"}
    assert caller.refused("POST", "webhooks", name="w", url=receiver.uri, events=[entity])[0] == 400
    for webhook_id in (mine, both):
        caller.done("DELETE", f"{OURS}/{webhook_id}")


def test_commands_keep_those_of_a_server(server: Hosted, caller: Caller, receiver: Receiver) -> None:
    def told(*arguments: str, code: int = 0) -> str:
        command = (*MLPROJ, "webhooks", *arguments, "--store", server.uri)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    limits = ("--when", "rmse > 0.5", "--experiment", "Default")
    made = json.loads(told("add", receiver.uri, "--on", "run.failed", *limits, "--name", "far", "--json"))
    assert (made["events"], made["when"]) == (["run.failed", "metric.crossed"], "rmse > 0.5")
    assert "took it" in told("test", "far") and len(receiver.heard()) == 1
    assert "far" in told("list") and "nothing was sent" in told("deliveries", "far")
    assert "a server sends what is due itself" in told("deliver", code=5)
    told("change", "far", "--paused")
    (paused,) = caller.done("GET", OURS)["webhooks"]
    assert (paused["status"], paused["when"]) == ("DISABLED", "rmse > 0.5")
    told("rm", made["webhook"])
    assert not caller.done("GET", OURS).get("webhooks")


def test_they_are_for_those_who_manage_the_server(tmp_path: Path) -> None:
    with guarded(tmp_path) as server, receiving() as receiver:
        root, ada = server.caller("root"), server.caller("ada")
        made = root.done("POST", OURS, name="mine", url=receiver.uri, events=["run.finished"], secret=SECRET)[
            "webhook"
        ]
        assert made["signed"] and root.done("POST", f"{OURS}/{made['webhook_id']}/test")["result"]["success"]
        assert receiver.heard()[0].signed_by(SECRET)
        for method, path in (
            ("GET", OURS),
            ("POST", OURS),
            ("GET", f"{OURS}/{made['webhook_id']}"),
            ("GET", f"{OURS}/deliveries"),
            ("DELETE", f"{OURS}/{made['webhook_id']}"),
            ("GET", "webhooks"),
            ("POST", f"webhooks/{made['webhook_id']}/test"),
        ):
            fields = {"name": "w", "url": receiver.uri, "events": ["run.finished"]} if path == OURS else {}
            assert ada.refused(method, path, **fields) == (403, "PERMISSION_DENIED")
        run = root.done("POST", "runs/create", experiment_id="0")["run"]["info"]["run_id"]
        script = server.by({}, f"/t/{server.users.run_token(run, 'root')}")
        assert script.refused("GET", OURS) == (403, "PERMISSION_DENIED")
        root.done("DELETE", f"{OURS}/{made['webhook_id']}")
        wait_until(lambda: len([deed for deed in server.users.audit.all() if deed.kind == "webhook"]) >= 4)
        deeds = [(deed.user, deed.action, deed.thing) for deed in server.users.audit.all()]
        assert ("root", f"POST {OURS}", "mine") in deeds
        assert ("root", f"DELETE {OURS}/{{webhook_id}}", made["webhook_id"]) in deeds
        assert SECRET not in str(server.users.audit.all())
