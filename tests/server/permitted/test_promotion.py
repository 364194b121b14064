"""Who may say by which rules, and who may promote by them, at a server with users."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mlproj.model.access import Kind, Level
from mlproj.model.run import Run
from tests.server.calling import Caller
from tests.server.guarded import Guarded, guarded
from tests.services.test_promotion import record
from tests.store.runs import begun

OURS = "/api/2.0/mlproj/models"
RULES = "rules:\n  metrics:\n    rmse: {at_most: 0.8}\n"
WINE: dict[str, Any] = {"name": "wine", "version": "1"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Guarded]:
    with guarded(tmp_path) as server:
        yield server


def made(server: Guarded, rmse: float) -> Run:
    """A run in an experiment of Ada's, registered as the first version of her model."""
    ada = server.caller("ada")
    ada.done("POST", "experiments/create", name="hers")
    run = begun(server.store.blobs)
    assert run.job is not None
    run = record(server.store, replace(run, job=replace(run.job, experiment="hers")), rmse=rmse)
    ada.done("POST", "registered-models/create", name="wine")
    source = f"runs:/{run.run_id}/model"
    ada.done("POST", "model-versions/create", name="wine", source=source, run_id=run.run_id)
    ada.done("POST", f"{OURS}/rules", name="wine", rules=RULES, why="as agreed")
    return run


def let_in(server: Guarded, level: Level) -> Caller:
    server.users.rights.grant("bob", Kind.MODEL, "wine", level)
    return server.caller("bob")


def test_who_promotes_by_rules_does_not_make_them(server: Guarded) -> None:
    made(server, 0.5)
    stranger = server.caller("bob")
    for path in ("history", "rules"):
        assert stranger.refused("GET", f"{OURS}/{path}", name="wine")[0] == 404
    for path in ("checks", "promote"):
        assert stranger.refused("POST", f"{OURS}/{path}", **WINE)[0] == 404
    reader = let_in(server, Level.READ)
    assert reader.done("GET", f"{OURS}/rules", name="wine") == {"rules": RULES}
    assert reader.refused("POST", f"{OURS}/promote", **WINE) == (403, "PERMISSION_DENIED")
    editor = let_in(server, Level.EDIT)
    assert editor.refused("POST", f"{OURS}/rules", name="wine") == (403, "PERMISSION_DENIED")
    server.caller("ada").done("POST", f"{OURS}/promote", **WINE, why="good")
    changes = editor.done("GET", f"{OURS}/history", name="wine")["changes"]
    assert [(each["change"]["act"], each["change"]["who"]) for each in changes] == [
        ("created", "ada"),
        ("version created", "ada"),
        ("rules set", "ada"),
        ("stage", "ada"),
    ]
    assert changes[-1]["change"]["why"] == "good"


def test_rules_tell_nothing_of_a_run_that_is_anothers(server: Guarded) -> None:
    made(server, 0.5)
    bob = let_in(server, Level.EDIT)
    (check,) = bob.done("POST", f"{OURS}/checks", **WINE)["checks"]
    assert not check["holds"] and "0.5" not in check["told"]
    further = "rules:\n  metrics:\n    rmse: {at_least: 0.1}\n"
    for each in bob.done("POST", f"{OURS}/checks", **WINE, rules=further)["checks"]:
        assert not each["holds"]
    moved = {**WINE, "stage": "Production"}
    status, answer = bob("POST", "model-versions/transition-stage", **moved)
    assert (status, answer["error_code"]) == (409, "INVALID_STATE")


def test_rules_that_cannot_be_read_are_refused(server: Guarded) -> None:
    made(server, 0.5)
    ada = server.caller("ada")
    status, answer = ada("POST", f"{OURS}/rules", name="wine", rules="rules:\n  sauce: clean\n")
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "rules:2" in answer["message"] and "source" in answer["message"]
    assert ada.done("GET", f"{OURS}/rules", name="wine") == {"rules": RULES}
    assert ada.refused("POST", f"{OURS}/promote", **WINE, rules="- 1")[0] == 400
