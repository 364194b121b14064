"""What is moved, deleted, named anew or handed on stays whose it is."""

from __future__ import annotations

from mlproj.model.access import Kind, Level
from tests.server.permitted.test_attacks import DENIED, MISSING, Between, between

__all__ = ["between"]


def test_a_run_is_not_moved_out_of_sight_or_into_it(between: Between) -> None:
    path = "/api/2.0/mlproj/runs/move"
    moves = ((between.hers, between.his), (between.his, between.hers))
    for run, experiment in moves:
        fields = {"run_id": run["run_id"], "experiment_id": experiment["experiment_id"]}
        assert between.bob.refused("POST", path, **fields) == MISSING


def test_who_may_log_to_an_experiment_takes_no_run_out_of_it(between: Between) -> None:
    rights, theirs = between.server.users.rights, between.hers["experiment_id"]
    rights.grant("bob", Kind.EXPERIMENT, theirs, Level.EDIT)
    run = between.ada.done("POST", "runs/create", experiment_id=theirs)["run"]["info"]["run_id"]
    fields = {"run_id": run, "experiment_id": between.his["experiment_id"]}
    path = "/api/2.0/mlproj/runs/move"
    assert between.bob.refused("POST", path, **fields) == DENIED
    assert between.ada.done("GET", "runs/get", run_id=run)["run"]["info"]["experiment_id"] == theirs
    rights.grant("bob", Kind.EXPERIMENT, theirs, Level.MANAGE)
    between.bob.done("POST", path, **fields)


def test_what_is_deleted_stays_anothers(between: Between) -> None:
    own = {"experiment_id": between.hers["experiment_id"]}
    between.ada.done("POST", "experiments/delete", **own)
    for path in ("experiments/restore", "experiments/delete"):
        assert between.bob.refused("POST", path, **own) == MISSING
    everything = between.bob.done("POST", "experiments/search", max_results=100, view_type="ALL")
    assert [each["name"] for each in everything["experiments"]] == ["bob experiment"]
    between.ada.done("POST", "experiments/restore", **own)


def test_a_name_that_is_given_again_does_not_come_with_its_old_rights(between: Between) -> None:
    ada, bob = between.ada, between.bob
    ada.done("POST", "registered-models/create", name="wine")
    between.server.users.rights.grant("bob", Kind.MODEL, "wine", Level.MANAGE)
    ada.done("POST", "registered-models/rename", name="wine", new_name="port")
    assert bob.done("GET", "registered-models/get", name="port")
    ada.done("POST", "registered-models/create", name="wine")
    assert bob.refused("GET", "registered-models/get", name="wine") == MISSING
    ada.done("DELETE", "registered-models/delete", name="port")
    ada.done("POST", "registered-models/create", name="port")
    assert bob.refused("GET", "registered-models/get", name="port") == MISSING


def test_a_prompt_of_anothers_is_not_told_to_be_one(between: Between) -> None:
    prompt = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    between.ada.done("POST", "registered-models/create", name="greeting", tags=prompt)
    between.ada.done("POST", "registered-models/create", name="plain")
    said = [
        between.bob("POST", "registered-models/create", name=name, tags=tags)[1]["message"]
        for name in ("greeting", "plain")
        for tags in ([], prompt)
    ]
    assert len({message.replace("greeting", "plain") for message in said}) == 1
    filtered = {"filter": "tags.`mlflow.prompt.is_prompt` = 'true'", "max_results": 10}
    assert between.bob.done("GET", "registered-models/search", **filtered) == {}


def test_rights_are_given_by_whoever_manages_alone(between: Between) -> None:
    bob, rights = between.bob, between.server.users.rights
    for level in (None, Level.READ, Level.EDIT):
        if level is not None:
            rights.grant("bob", Kind.EXPERIMENT, between.hers["experiment_id"], level)
            rights.grant("bob", Kind.MODEL, between.hers["name"], level)
        wanted = {"username": "bob", "permission": "MANAGE"}
        answer = MISSING if level is None else DENIED
        for path, thing in (
            ("experiments/permissions", {"experiment_id": between.hers["experiment_id"]}),
            ("registered-models/permissions", {"name": between.hers["name"]}),
        ):
            assert bob.refused("POST", f"{path}/create", **wanted, **thing) == answer
            assert bob.refused("PATCH", f"{path}/update", **wanted, **thing) == answer
            assert bob.refused("DELETE", f"{path}/delete", username="ada", **thing) == answer
            assert bob.refused("GET", f"{path}/get", username="ada", **thing) == answer
    for path, fields in (
        ("users/create", {"username": "eve", "password": "12345678"}),
        ("users/update-admin", {"username": "bob", "is_admin": True}),
        ("users/update-password", {"username": "ada", "password": "12345678"}),
        ("users/delete", {"username": "ada"}),
    ):
        method = {"create": "POST", "delete": "DELETE"}.get(path.partition("/")[2], "PATCH")
        assert bob.refused(method, path, **fields) == DENIED
    assert bob.refused("GET", "users/get", username="ada") == bob.refused("GET", "users/get", username="x")


def test_ones_own_password_is_changed_by_whoever_knows_it(between: Between) -> None:
    new = {"username": "bob", "password": "a new password"}
    assert between.bob.refused("PATCH", "users/update-password", **new)[0] == 400
    wrong = {**new, "current_password": "a guess"}
    assert between.bob.refused("PATCH", "users/update-password", **wrong)[0] == 400
    right = {**new, "current_password": "the one of bob"}
    between.bob.done("PATCH", "users/update-password", **right)
    assert between.bob.refused("GET", "users/current")[0] == 401
