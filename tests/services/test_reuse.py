"""What of a recorded run is not trusted by whoever would reuse it, on parts that stand in for the world."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from msgspec.structs import replace

from mlproj.model.digest import folder_manifest
from mlproj.model.events import Reused, silent
from mlproj.model.run import Output, Run
from mlproj.model.source import Checkout
from mlproj.services.placing import Placing, Unplaceable
from mlproj.services.request import Context
from mlproj.services.run import run
from tests.services.test_run import World, train, world

__all__ = ["world"]


def again(world: World, **changes: object) -> Reused:
    """What is decided when the run is asked for again."""
    world.events.events.clear()
    tools = replace(world.tools, new_id=lambda: uuid.uuid4().hex)
    run(replace(world.request(), reuse=True, **changes), tools, world.events)
    (told,) = [event for event in world.events.events if isinstance(event, Reused)]
    return told


@pytest.fixture
def made(world: World) -> Run:
    world.executor.act = train(world.project)
    return world.run()


def test_a_finished_run_is_reused(world: World, made: Run) -> None:
    assert again(world).run_id == made.run_id
    assert len(world.executor.tasks) == 1


def test_a_run_at_a_server_is_its_own(world: World, made: Run) -> None:
    told = again(world, tracking_uri="http://server.example")
    assert told.run_id is None and "a tracking server" in told.because
    assert len(world.executor.tasks) == 2


def test_a_run_whose_id_was_announced_is_its_own(world: World, made: Run) -> None:
    told = again(world, run_id="a" * 32)
    assert told.run_id is None and "the id of the run was announced" in told.because
    environ = {**world.request().environ, "MLPROJ_RUN_ID_FILE": "somewhere"}
    assert again(world, run_id="b" * 32, environ=environ).run_id is not None


def test_a_run_that_came_from_elsewhere_is_not_reused(world: World, made: Run) -> None:
    world.store.amend(made.run_id, "attached", {"manifest": "sha256:" + "0" * 64})
    told = again(world)
    assert told.run_id is None and "came from elsewhere" in told.because


def test_a_list_of_files_that_climbs_is_not_followed(world: World, made: Run, tmp_path: Path) -> None:
    """A record that somebody else made could try."""
    blobs = world.store.blobs
    content = blobs.add_bytes(b"owned")
    assert made.outcome is not None
    checkout = Checkout(directory=world.project, root=world.project, uri="project")
    context = Context(request=world.request(), checkout=checkout, tools=world.tools, report=silent)
    for path in (b"../climbed", b"a/../../climbed", b"/" + bytes(tmp_path / "climbed")):
        manifest = blobs.add_bytes(folder_manifest([(path, content)]))
        output = Output(path="out", state="written", kind="folder", digest=manifest, size=5)
        climbing = replace(made, outcome=replace(made.outcome, outputs=(output,)))
        with pytest.raises(Unplaceable, match="leads out of itself"):
            Placing(context=context, store=world.store, run=climbing).put(("out",), place=True)
    assert not list(tmp_path.rglob("climbed"))
