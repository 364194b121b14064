"""The page about runs at a server is gone through, with a server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.console import ROOT, perform, sessions
from tests.remote.store.serving import serving

PAGE = ROOT / "docs" / "how-to" / "record-at-a-server.md"
SERVER = "http://localhost:5000"


def test_the_commands_of_the_page_do_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.setenv("MLPROJ_CACHE_DIR", str(tmp_path / "cache"))
    for name, content in re.findall(r"^```\w+\n# (\S+)\n(.*?)^```$", PAGE.read_text(), re.M | re.S):
        (project / name).write_text(content)
    steps = sessions(PAGE)
    assert len(steps) == 9
    with serving(tmp_path / "server") as (uri, _):
        for step in steps:
            perform(step.at(SERVER, uri), project)
