"""Real clients of three lines of MLflow go through their calls against `mlproj server`: the newest one over
every database, let in each way; contents are in a folder, or in a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mlflow_clients import ClientPython
from tests.s3_server import S3Server
from tests.server.hosted import ACCESSES, hosted, kept, let_in
from tests.server.test_clients import FURTHER, FURTHER_PARTS, go_through

CASES = (
    ("3", "sqlite", "anybody", "folder"),
    ("3", "sqlite", "password", "bucket"),
    ("3", "sqlite", "token", "folder"),
    ("3", "postgresql", "anybody", "folder"),
    ("3", "postgresql", "password", "folder"),
    ("3", "postgresql", "token", "bucket"),
    ("3", "mariadb", "anybody", "bucket"),
    ("3", "mariadb", "password", "folder"),
    ("3", "mariadb", "token", "folder"),
    ("2.22", "postgresql", "token", "folder"),
    ("1.30", "mariadb", "password", "folder"),
)
"""A line of the client, a database, a way to be let in, and where contents are."""


@pytest.mark.parametrize(("line", "backend", "access", "place"), CASES)
def test_a_client_knows_no_difference(
    line: str,
    backend: str,
    access: str,
    place: str,
    client_python: ClientPython,
    s3: S3Server,
    tmp_path: Path,
) -> None:
    python = client_python(line)
    where = kept(backend, tmp_path, s3.bucket() if place == "bucket" else None)
    with hosted(tmp_path, *where.options, *ACCESSES[access]) as server:
        variables = let_in(access, where).variables
        go_through(python, server.uri, tmp_path, variables=variables)
        go_through(python, server.uri, tmp_path, program=FURTHER, parts=FURTHER_PARTS, variables=variables)
        assert not server.events("bug") and not server.events("worker died")
        assert len({event["worker"] for event in server.events("request")}) > 1
    where.command("verify")
