"""The page about a team's history is gone through: each server started, each command called."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from tests.databases import new_uri
from tests.docs.background import placed, started
from tests.docs.console import ROOT, perform, sessions, workplace
from tests.mlflow_servers import free_port
from tests.s3_server import S3Server

PAGE = ROOT / "docs" / "tutorial" / "one-history-for-a-team.md"
DATABASE, BUCKET = "postgresql://mlproj@127.0.0.1/mlproj", "s3://team/mlproj"
_SERVER = "mlproj server "


def test_the_commands_of_the_page_do_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3: S3Server
) -> None:
    monkeypatch.setenv("MLPROJ_CACHE_DIR", os.environ["MLPROJ_CACHE_DIR"])
    folder = workplace(tmp_path)
    ports = {f"http://127.0.0.1:{port}": f"http://127.0.0.1:{free_port()}" for port in (5000, 5001, 5002)}
    places = {**ports, DATABASE: new_uri("postgresql"), BUCKET: s3.bucket()}
    steps = [placed(step, places) for step in sessions(PAGE)]
    assert sum(step.command.startswith(_SERVER) for step in steps) == 3
    with contextlib.ExitStack() as held:
        for step in steps:
            if step.command.startswith(_SERVER):
                held.enter_context(started(step.command, folder))
            else:
                perform(step, folder)
