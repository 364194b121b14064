"""The page about tracking servers is gone through, with a server of MLflow's own."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.console import ROOT, perform, sessions
from tests.mlflow_clients import ClientPython, client_python
from tests.mlflow_servers import mlflow_server

__all__ = ["client_python"]

PAGE = ROOT / "docs" / "how-to" / "use-a-tracking-server.md"
SERVER = "http://localhost:5000"


def test_the_commands_of_the_page_do_what_it_shows(client_python: ClientPython, tmp_path: Path) -> None:
    python, project, folder = client_python("3"), tmp_path / "project", tmp_path / "server"
    project.mkdir()
    folder.mkdir()
    for name, content in re.findall(r"^```\w+\n# (\S+)\n(.*?)^```$", PAGE.read_text(), re.M | re.S):
        (project / name).write_text(content.replace("python ", f"{python} "))
    with mlflow_server(python, folder) as uri:
        for step in sessions(PAGE):
            perform(step.at(SERVER, uri), project)


def test_nothing_of_the_page_is_passed_over() -> None:
    assert len(sessions(PAGE)) == 6
