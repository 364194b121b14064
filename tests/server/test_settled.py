"""What a registered model is made of is what its run left, and nobody puts something else in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.s3_server import S3Server
from tests.server.hosted import Hosted, hosted, kept

CASES = (("sqlite", "folder"), ("postgresql", "bucket"), ("mariadb", "folder"))
"""A database, and where contents are."""
FILES = "api/2.0/mlflow-artifacts/artifacts/0"


def asked(server: Hosted, method: str, route: str, /, **fields: Any) -> tuple[int, Any]:
    place = f"{server.uri}/api/2.0/{route}"
    if method == "GET":
        answer = urllib3.request(method, place, fields=fields)
    else:
        answer = urllib3.request(method, place, json=fields)
    return answer.status, answer.json()


def put(server: Hosted, path: str, content: bytes) -> tuple[int, bytes]:
    answer = urllib3.request("PUT", f"{server.uri}/{FILES}/{path}", body=content)
    return answer.status, answer.data


def run_with_model(server: Hosted) -> str:
    """A run that a client began, logged a model to, and ended."""
    _, made = asked(server, "POST", "mlflow/runs/create", experiment_id="0", start_time=1)
    run_id: str = made["run"]["info"]["run_id"]
    point = {"key": "rmse", "value": 0.5, "timestamp": 1}
    assert asked(server, "POST", "mlflow/runs/log-metric", run_id=run_id, **point)[0] == 200
    for name in ("MLmodel", "data/weights"):
        assert put(server, f"{run_id}/artifacts/model/{name}", b"one")[0] == 200
    assert asked(server, "POST", "mlflow/runs/update", run_id=run_id, status="FINISHED", end_time=2)[0] == 200
    return run_id


def registered(server: Hosted, run_id: str) -> str:
    source = f"mlflow-artifacts:/0/{run_id}/artifacts/model"
    status, made = asked(
        server, "POST", "mlflow/model-versions/create", name="wine", source=source, run_id=run_id
    )
    assert status == 200
    version: str = made["model_version"]["version"]
    return version


def promoted(server: Hosted, version: str) -> tuple[int, str]:
    status, told = asked(
        server,
        "POST",
        "mlflow/model-versions/transition-stage",
        name="wine",
        version=version,
        stage="Production",
        archive_existing_versions=False,
    )
    return status, told.get("message", "")


@pytest.mark.parametrize(("backend", "place"), CASES)
def test_files_that_were_replaced_pass_no_rule_and_those_that_are_registered_stay(
    backend: str, place: str, s3: S3Server, tmp_path: Path
) -> None:
    where = kept(backend, tmp_path, s3.bucket() if place == "bucket" else None)
    with hosted(tmp_path, *where.options) as server:
        run_id = run_with_model(server)
        below = f"{run_id}/artifacts/model"
        assert asked(server, "POST", "mlflow/registered-models/create", name="wine")[0] == 200
        rules = "rules: {metrics: {rmse: {at_most: 0.8}}}"
        assert asked(server, "POST", "mlproj/models/rules", name="wine", rules=rules)[0] == 200

        # Another file of the same size, another one, one that is gone, and one that no record has.
        for name, content, told in (
            ("MLmodel", b"two", "`artifacts/model/MLmodel` is another one"),
            ("data/weights", b"longer", "`artifacts/model/data/weights` is another one"),
        ):
            assert put(server, f"{below}/{name}", content)[0] == 200
            version = registered(server, run_id)
            assert promoted(server, version)[0] == 409 and told in promoted(server, version)[1]
            assert (
                asked(server, "DELETE", "mlflow/model-versions/delete", name="wine", version=version)[0]
                == 200
            )
            assert put(server, f"{below}/{name}", b"one")[0] == 200
        gone = f"{server.uri}/{FILES}/{below}/data/weights"
        assert urllib3.request("DELETE", gone).status == 200
        version = registered(server, run_id)
        assert "is not there any more" in promoted(server, version)[1]
        assert asked(server, "DELETE", "mlflow/model-versions/delete", name="wine", version=version)[0] == 200
        assert put(server, f"{below}/data/weights", b"one")[0] == 200

        version = registered(server, run_id)
        assert promoted(server, version) == (200, "")
        for path in ("MLmodel", "data", "data/weights", "more.txt"):
            status, told_why = put(server, f"{below}/{path}", b"evil")
            assert status == 400 and b"a version of a registered model is made of" in told_why
            removed = urllib3.request("DELETE", f"{server.uri}/{FILES}/{below}/{path}")
            assert removed.status == 400
        for path in (below, f"{run_id}/artifacts"):
            assert put(server, path, b"evil")[0] == 400
            assert urllib3.request("DELETE", f"{server.uri}/{FILES}/{path}").status == 400
        status, _ = asked(
            server, "POST", f"mlflow-artifacts/mpu/create/0/{below}", path="MLmodel", num_parts=1
        )
        assert status == 400
        assert put(server, f"{run_id}/artifacts/beside.txt", b"new")[0] == 200
        assert urllib3.request("GET", f"{server.uri}/{FILES}/{below}/MLmodel").data == b"one"
        assert not server.events("bug")
    where.command("verify")


def test_what_no_record_of_a_run_has_proves_nothing(tmp_path: Path) -> None:
    """Somebody logs a model to a run that has been sealed."""
    where = kept("sqlite", tmp_path)
    with hosted(tmp_path, *where.options) as server:
        run_id = run_with_model(server)
        assert asked(server, "POST", "mlflow/registered-models/create", name="wine")[0] == 200
        rules = "rules: {metrics: {rmse: {at_most: 0.8}}}"
        assert asked(server, "POST", "mlproj/models/rules", name="wine", rules=rules)[0] == 200
        assert put(server, f"{run_id}/artifacts/other/MLmodel", b"evil")[0] == 200
        source = f"mlflow-artifacts:/0/{run_id}/artifacts/other"
        made = asked(
            server, "POST", "mlflow/model-versions/create", name="wine", source=source, run_id=run_id
        )
        assert made[0] == 200
        status, told = promoted(server, made[1]["model_version"]["version"])
        assert status == 409 and "they are not on its record" in told
