"""Every route there is, with every id of another user's: nothing comes back, and nothing is done to it.

The routes are those of the server's own description, and so is what they take: a route that is added is
walked, too. What is answered is held against the answer to the same request with ids that never were.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlproj.model.access import Kind, Level
from mlproj.server.app import create_app
from mlproj.server.failures import NO_STORE
from mlproj.store.tracking.opening import open_tracking
from tests.server.calling import Caller
from tests.server.conftest import files_of
from tests.server.guarded import Guarded, guarded
from tests.server.permitted.operations import STORE, Operation, operations
from tests.server.permitted.world import World, never, seen, settle

TAKEN = {
    ("post /api/2.0/mlflow/experiments/create", "name"),
    ("post /api/2.0/mlflow/registered-models/create", "name"),
    ("post /api/3.0/mlflow/traces", "trace_id"),
    ("post /v1/traces", "trace_id"),
}
"""Where whoever makes something chooses its id or name, and hears that another's is taken."""
GIVEN = {("post /api/3.0/mlflow/traces", "assessment_id")}
"""Where whoever makes something chooses its id, which names it within what is theirs alone."""
OF_USERS = "/2.0/mlflow/users/"
"""Where users are managed; elsewhere whoever manages a thing may name anybody, to let them in."""
OF_MANAGERS = (
    "chain/head",
    "faults",
    "registry",
    "size",
    "blobs/list",
    "contents/folders",
    "garbage/forget",
    "garbage/needed",
    "garbage/find",
    "garbage/remove",
)
OF_WEBHOOKS = (
    ("post", "get", ""),
    ("get", "patch", "delete", "/{webhook_id}"),
    ("post", "/{webhook_id}/test"),
)
"""Methods, and what of the path is below that of webhooks: theirs who manage the server."""
OF_WHOLE_RUNS = ("runs/begin", "runs/seal", "runs/bring", "leases/source", "blobs/begin", "blobs/end")
REFUSED = {
    # A name that they have themselves.
    "post /api/2.0/mlflow/experiments/create": 400,
    "post /api/2.0/mlflow/registered-models/create": 400,
    "post /api/2.0/mlflow/experiments/permissions/create": 400,
    "post /api/2.0/mlflow/registered-models/permissions/create": 400,
    # What was not removed cannot come back, and a part that was not sent makes no whole.
    "post /api/2.0/mlflow/experiments/restore": 404,
    "post /api/2.0/mlflow-artifacts/mpu/complete/{artifact_path}": 400,
    # Nobody gets these from us.
    "post /api/2.0/mlflow/artifacts/presigned-upload-url": 400,
    "post /api/2.0/mlflow/artifacts/presigned-download-url": 400,
    # Where whole runs are kept: what is for those who manage the server, and what takes a whole run.
    **dict.fromkeys((f"post {STORE}{path}" for path in OF_MANAGERS), 403),
    **dict.fromkeys((f"post {STORE}{path}" for path in OF_WHOLE_RUNS), 400),
    # What is filled in is no list of files.
    f"post {STORE}contents/add-folder": 400,
    f"put {STORE}blobs/send": 400,
    f"put {STORE}blobs/parts/{{digest}}/{{upload}}/{{number}}": 400,
    **{
        f"{method} /api/2.0/{whose}/webhooks{below}": 403
        for whose in ("mlflow", "mlproj")
        for *methods, below in OF_WEBHOOKS
        for method in methods
    },
    "get /api/2.0/mlproj/webhooks/deliveries": 403,
    "post /api/2.0/mlproj/webhooks/deliveries/retry": 403,
}
"""What is refused to everybody of what is asked here."""
SOUND = {*range(200, 500), NO_STORE}
"""The statuses of answers that somebody thought of."""
CHANCE = re.compile(
    rb"\b[0-9a-f]{32,}\b|\b\d{13}\b|\b[a-z]+-[a-z]+-\d{1,3}\b|\d{4}-\d\d-\d\dT[\d:.]+Z|/l/u\.bob/\S+?/api"
)
"""Ids, moments, names and signatures that two answers to the same request do not share."""


class Walked:
    """Ada's and Bob's worlds at one server, and what it says of its routes."""

    def __init__(self, server: Guarded) -> None:
        tracking = open_tracking(server.store)
        for number in range(40):  # so that no id of an experiment is a number that means something else
            tracking.experiments.create(f"nobody's {number}")
        self.app = create_app(tracking, files_of(server.store), proxied=True, store=server.store)
        self.operations = operations(self.app.openapi())
        tracking.close()
        self.ada, self.bob = server.caller("ada"), server.caller("bob")
        self.adas, self.bobs = settle(self.ada, "ada"), settle(self.bob, "bob")


@pytest.fixture
def walked(tmp_path: Path) -> Iterator[Walked]:
    with guarded(tmp_path) as server:
        yield Walked(server)


def cases(operation: Operation) -> Iterator[tuple[str, ...]]:
    """Each field that names something alone, and all of them."""
    names = [
        name
        for name in operation.ids
        if (name != "username" or OF_USERS in operation.path) and (operation.name, name) not in GIVEN
    ]
    if len(names) > 1:
        yield tuple(names)
    for name in names:
        yield (name,)
    if not names:
        yield ()


def plain(answer: tuple[int, bytes], world: World) -> tuple[int, bytes]:
    """An answer without what tells which world was asked for, and without chance."""
    status, content = answer
    content = CHANCE.sub(b"<chance>", content).replace(world.mark.encode(), b"<mark>")
    number = rb"\b" + world.known["experiment_id"].encode() + rb"\b"
    return status, re.sub(number, b"<number>", content)


def test_nothing_of_anothers_comes_back_and_nothing_is_done_to_it(walked: Walked) -> None:
    before, wrong = seen(walked.ada, walked.adas), []
    for operation in walked.operations:
        for fields in cases(operation):
            nobodys = never(walked.adas)
            theirs, none = (
                operation.sent(walked.bob, dict.fromkeys(fields, world), walked.bobs)
                for world in (walked.adas, nobodys)
            )
            if any((operation.name, field) in TAKEN for field in fields):
                assert b"already exists" in theirs[1] or b"exists already" in theirs[1] or theirs[0] == 404
                assert b"content" not in theirs[1]
            elif plain(theirs, walked.adas) != plain(none, nobodys):
                wrong.append((operation.name, fields, theirs, none))
            for told in (b"ada content", b"ada-metric", b"ada-param", b"ada-logged", b"ada data", b"ada run"):
                assert told not in theirs[1], (operation.name, fields, theirs)
            assert {theirs[0], none[0]} <= SOUND, (operation.name, fields, theirs, none)
    assert not wrong, "\n".join(map(str, wrong))
    assert seen(walked.ada, walked.adas) == before


def test_the_walk_asks_what_is_answered_to_whom_it_belongs(walked: Walked) -> None:
    """What would be refused to its owner, too, tells nothing."""
    refused, world = dict[str, int](), walked.adas
    for number, operation in enumerate(walked.operations):
        if OF_USERS in operation.path:
            continue
        status, _ = operation.sent(walked.ada, {}, world)
        if status != 200:
            refused[operation.name] = status
        if operation.method != "get":
            world = settle(walked.ada, "ada", f"ada{number}")
    there = {operation.name for operation in walked.operations}
    assert refused == {name: status for name, status in REFUSED.items() if name in there}


def test_every_way_to_a_route_is_described(walked: Walked) -> None:
    described = {each.path for each in walked.operations}
    for route in walked.app.routes:
        path = re.sub(r":path\}", "}", getattr(route, "path", ""))
        path = path.replace("/ajax-api/", "/api/").replace("/2.0/preview/mlflow/", "/2.0/mlflow/")
        assert path in described or path == "/openapi.json"


def test_what_may_be_read_may_not_be_changed(tmp_path: Path) -> None:
    with guarded(tmp_path) as server:
        walked = Walked(server)
        before = seen(walked.ada, walked.adas)
        experiment, name = walked.adas.known["experiment_id"], walked.adas.known["name"]
        server.users.rights.grant("bob", Kind.EXPERIMENT, experiment, Level.READ)
        server.users.rights.grant("bob", Kind.MODEL, name, Level.READ)
        assert seen(walked.bob, walked.adas) == before
        for operation in walked.operations:
            for fields in cases(operation):
                status, content = operation.sent(walked.bob, dict.fromkeys(fields, walked.adas), walked.bobs)
                assert status in SOUND, (operation.name, fields, content)
        assert seen(walked.ada, walked.adas) == before


def test_a_reader_by_default_is_kept_from_what_says_so(tmp_path: Path) -> None:
    with guarded(tmp_path, default=Level.READ) as server:
        walked = Walked(server)
        assert seen(walked.bob, walked.adas)
        experiment, name = walked.adas.known["experiment_id"], walked.adas.known["name"]
        server.users.rights.grant("bob", Kind.EXPERIMENT, experiment, Level.NONE)
        server.users.rights.grant("bob", Kind.MODEL, name, Level.NONE)
        for operation in walked.operations:
            for fields in cases(operation):
                _, content = operation.sent(walked.bob, dict.fromkeys(fields, walked.adas), walked.bobs)
                assert b"ada content" not in content, (operation.name, fields, content)
        for spelt in (f"0{experiment}", f"000{experiment}"):
            assert walked.bob.refused("GET", "experiments/get", experiment_id=spelt)[0] == 404
            assert not walked.bob.done("POST", "runs/search", experiment_ids=[spelt], max_results=5)
        assert _found(walked.bob) == {"Default", "bob experiment", *(f"nobody's {n}" for n in range(40))}


def _found(caller: Caller) -> set[str]:
    found = caller.done("POST", "experiments/search", max_results=1000)
    return {each["name"] for each in found["experiments"]}
