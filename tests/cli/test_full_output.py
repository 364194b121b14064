"""Standard output on a full disk: told in a sentence, and no run is lost by it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, LOCAL, Mlproj, single
from tests.conftest import ProjectMaker

SENTENCE = b"error: standard output cannot be written: No space left on device\n\nhint: "


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is always full")
@pytest.mark.parametrize(
    "arguments", [("run", ".", *LOCAL, "--json"), ("runs",), ("runs", "--json"), ("show",), ("doctor",)]
)
def test_output_that_cannot_be_written_is_one_sentence(
    make_project: ProjectMaker, mlproj: Mlproj, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    project = make_project({"MLproject": single("echo said")})
    assert mlproj("run", ".", *LOCAL, cwd=project).code == 0
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            (*COMMAND, *arguments),
            cwd=project,
            env={**os.environ, "MLPROJ_STORE": str(tmp_path / "store")},
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert done.returncode == 5
    assert SENTENCE in done.stderr and b"Traceback" not in done.stderr
    assert mlproj("show", "--json").document["status"] == "FINISHED"
