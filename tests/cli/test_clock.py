"""A clock that jumps while a run goes on: the record stays in order, and nothing takes less than no time."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, LOCAL, Mlproj, single, written
from tests.conftest import ProjectMaker, ending, need

JUMPING = "'echo before; echo {jump} > $FAKETIME_TIMESTAMP_FILE; sleep 0.3; echo after; echo err >&2'"


@pytest.fixture
def clock(tmp_path: Path) -> dict[str, str]:
    """Variables under which the time is off by what the file says; the monotonic clock is not."""
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    need("faketime", bool(libraries))
    offset = tmp_path / "offset"
    offset.write_text("+0\n")
    return {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


@pytest.mark.parametrize("jump", ["-90d", "+90d"])
def test_a_run_during_which_the_clock_jumps_took_as_long_as_it_took(
    make_project: ProjectMaker, mlproj: Mlproj, clock: dict[str, str], jump: str
) -> None:
    project = make_project({"MLproject": single(JUMPING.replace("{jump}", jump))})
    assert mlproj("run", ".", *LOCAL, "--run-name", "one", cwd=project, variables=clock).code == 0
    # By the clock, this one is of another season.
    assert mlproj("run", ".", *LOCAL, "--run-name", "two", cwd=project, variables=clock).code == 0
    runs = mlproj("runs", "--json", variables=clock).document["runs"]
    assert [run["name"] for run in runs] == ["two", "one"]
    apart = moment(runs[0]["created"]) - moment(runs[1]["created"])
    assert abs(abs(apart.days) - 90) <= 1
    for run in runs:
        took = (moment(run["ended"]) - moment(run["started"])).total_seconds()
        assert 0.3 <= run["usage"]["wall_s"] < 60
        assert took == pytest.approx(run["usage"]["wall_s"], abs=0.002)
    assert mlproj("show", "last", "--json", variables=clock).document["name"] == "two"
    for told in (mlproj("runs").stdout, mlproj("show", "one").stdout):
        assert not re.search(r"-\d[\d.]* (s|min|h)\b", told)
    assert mlproj("logs", "one").stdout == "before\nafter\n"
    assert mlproj("verify", variables=clock).code == 0


def test_a_run_that_is_closed_for_its_dead_runner_does_not_end_before_it_began(
    make_project: ProjectMaker, mlproj: Mlproj, clock: dict[str, str]
) -> None:
    project = make_project({"MLproject": single("'echo $$ > begun; exec sleep 30'")})
    environ = {**os.environ, **clock, "MLPROJ_STORE": str(project.parent / "store")}
    Path(clock["FAKETIME_TIMESTAMP_FILE"]).write_text("+90d\n")
    with ending(subprocess.Popen((*COMMAND, "run", ".", *LOCAL), cwd=project, env=environ)) as runner:
        child = int(written(project / "begun"))
        runner.kill()
    os.kill(child, signal.SIGKILL)
    run = mlproj("show", "--json").document
    assert run["status"] == "KILLED" and run["started"] <= run["ended"]
    assert mlproj("verify").code == 0
