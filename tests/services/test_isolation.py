"""Whether this machine can isolate a run is tried, and the reason is told where it cannot."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mlproj.model.environment import Isolation
from mlproj.model.run import Usage
from mlproj.ports import Execution
from mlproj.services.isolation import advice, possible
from tests.conftest import need

USAGE = Usage(wall_s=1, cpu_s=1, peak_rss_bytes=1)
ENDED = Execution(exit_code=1, started="", ended="", usage=USAGE)


def test_it_is_possible_where_bubblewrap_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    need("bubblewrap", shutil.which("bwrap") is not None)
    assert possible() is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "bubblewrap is not installed" in str(possible())


def test_what_bubblewrap_says_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join((str(tmp_path), os.environ["PATH"])))
    assert str(possible()).endswith("bwrap: setting up uid map: Permission denied")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("socket.gaierror: [Errno -3] Temporary failure in name resolution", True),
        ("curl: (6) Could not resolve host: example.org", True),
        ("OSError: [Errno 101] Network is unreachable", True),
        ("Error: getaddrinfo EAI_AGAIN registry.example.org", True),
        ("ConnectionRefusedError: [Errno 111] Connection refused", True),
        ("ValueError: could not convert string to float", False),
        ("", False),
    ],
)
def test_the_want_of_a_network_is_only_told_where_the_output_speaks_of_it(
    tmp_path: Path, text: str, told: bool
) -> None:
    (tmp_path / "stderr").write_text("a\n" * 100_000 + text)
    assert bool(advice(Isolation(), ENDED, tmp_path)) is told
    assert advice(Isolation(network=True), ENDED, tmp_path) == ""
