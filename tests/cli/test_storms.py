"""Children that print without measure: to the caller, into the record, and back from it."""

from __future__ import annotations

import filecmp
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, LOCAL, Mlproj, Start, single, written
from tests.conftest import ProjectMaker, ending

MEMORY_LIMIT_KIB = 90 * 1024

EVERY_BYTE = """
import os
for _ in range(4000):
    os.write(1, bytes(range(256)) * 17)
    os.write(2, bytes(range(255, -1, -1)))
"""
BARS = """
import sys
for number in range(20000):
    bar = "#" * (number // 1000)
    print(f"\\r{number // 200:3}%|{bar:20}| {number}/20000", end="", file=sys.stderr, flush=True)
print("\\ndone", flush=True)
"""
ALTERNATING = """
import sys
for number in range(100000):
    print("line", number, flush=True)
    print("line", number, flush=True, file=sys.stderr)
"""
ONE_LINE = """
import os
for number in range(1600):
    os.write(1, b"%064d" % number * 1024)
os.write(2, b"no newline")
"""


# The kernel counts a process from its fork on, when it still is as large as whoever forked.
MEASURED = """
import pathlib, resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
pathlib.Path(sys.argv[1]).write_text(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code)
"""


@dataclass(frozen=True)
class Ran:
    """A finished run: where its two streams went, and the peak memory of the runner in KiB."""

    code: int
    stdout: Path
    stderr: Path
    memory: int


def ran(*arguments: str, cwd: Path, name: str, limit: str = "") -> Ran:
    stdout, stderr = cwd.parent / f"{name}.out", cwd.parent / f"{name}.err"
    environ = {**os.environ, "MLPROJ_STORE": str(cwd.parent / "store"), "MLPROJ_LOG_LIMIT": limit}
    memory = cwd.parent / f"{name}.memory"
    command = (sys.executable, "-c", MEASURED, str(memory), *COMMAND, *arguments)
    with stdout.open("wb") as out, stderr.open("wb") as err:
        code = subprocess.run(command, cwd=cwd, env=environ, stdout=out, stderr=err).returncode
    return Ran(code, stdout, stderr, int(memory.read_text()))


@pytest.mark.parametrize(
    "script",
    [EVERY_BYTE, BARS, ALTERNATING, ONE_LINE],
    ids=["no UTF-8", "bars", "alternating", "a line of 100 MB"],
)
def test_a_storm_comes_to_the_caller_and_back_from_the_record_as_it_was(
    make_project: ProjectMaker, mlproj: Mlproj, script: str
) -> None:
    project = make_project({"MLproject": single(f"{sys.executable} child.py"), "child.py": script})
    expected = {}
    for name in ("stdout", "stderr"):
        expected[name] = project.parent / name
    with expected["stdout"].open("wb") as out, expected["stderr"].open("wb") as err:
        subprocess.run((sys.executable, "child.py"), cwd=project, stdout=out, stderr=err, check=True)
    done = ran("run", ".", *LOCAL, cwd=project, name="run", limit="200MB")
    assert done.code == 0 and done.memory < MEMORY_LIMIT_KIB
    assert filecmp.cmp(done.stdout, expected["stdout"], shallow=False)
    assert done.stderr.read_bytes().startswith(expected["stderr"].read_bytes())
    run = mlproj("show", "--json").document
    assert run["status"] == "FINISHED" and run["record"] is not None
    sizes = {log["name"]: log["size"] for log in run["logs"]}
    assert sizes["times"] < 2_000_000 and not any(log["cut"] for log in run["logs"])
    back = ran("logs", cwd=project, name="logs")
    assert back.code == 0 and back.memory < MEMORY_LIMIT_KIB
    assert filecmp.cmp(back.stdout, expected["stdout"], shallow=False)
    assert filecmp.cmp(back.stderr, expected["stderr"], shallow=False)


def test_of_what_is_beyond_the_limit_both_ends_are_on_the_record(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project = make_project({"MLproject": single("'seq 20000000; echo done >&2'")})
    done = ran("run", ".", *LOCAL, cwd=project, name="run", limit="1MiB")
    assert done.code == 0 and done.memory < MEMORY_LIMIT_KIB
    whole = done.stdout.stat().st_size
    assert whole == 168_888_897
    (log,) = (log for log in mlproj("show", "--json").document["logs"] if log["name"] == "stdout")
    assert (log["cut"], log["cut_at"]) == (whole - 1024 * 1024, 512 * 1024)
    assert "1.0 MB of 168.9 MB" in mlproj("show").stdout
    answer = mlproj("logs")
    assert answer.stdout.startswith("1\n2\n") and answer.stdout.endswith("\n19999999\n20000000\n")
    assert f"\n[mlproj: {log['cut']:,} bytes were not kept here]\n" in answer.stdout
    assert len(answer.stdout) == log["size"]
    note = f"note: of stdout {log['cut']:,} bytes were not kept, after the first 524,288"
    assert answer.stderr.splitlines() == ["done", note]
    assert mlproj("logs", "--stream", "stdout").stdout == answer.stdout
    assert mlproj("verify").code == 0
    workspace = project.parent / "store" / "runs"
    assert not [path for path in workspace.rglob("*") if path.is_file()]


def test_a_limit_that_is_none_is_a_usage_error(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make_project({"MLproject": single("true")})
    answer = mlproj("run", ".", *LOCAL, cwd=project, variables={"MLPROJ_LOG_LIMIT": "much"})
    assert answer.code == 2 and "MLPROJ_LOG_LIMIT" in answer.stderr


def test_both_ends_are_kept_of_a_run_whose_runner_was_killed(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project = make_project({"MLproject": single("'seq 1000000; touch printed; exec sleep 60'")})
    environ = {**os.environ, "MLPROJ_STORE": str(project.parent / "store"), "MLPROJ_LOG_LIMIT": "100000"}
    command = (*COMMAND, "run", ".", *LOCAL)
    with ending(subprocess.Popen(command, cwd=project, env=environ, stdout=subprocess.PIPE)) as runner:
        assert runner.stdout is not None
        for line in runner.stdout:
            if line == b"1000000\n":
                break
        runner.kill()
    run = mlproj("show", "--json").document
    assert run["status"] == "KILLED"
    (log,) = (log for log in run["logs"] if log["name"] == "stdout")
    assert (log["cut"], log["cut_at"]) == (6_888_896 - 100_000, 50_000)
    answer = mlproj("logs", "--stream", "stdout")
    assert answer.stdout.startswith("1\n2\n") and answer.stdout.endswith("\n1000000\n")
    assert "[mlproj: 6,788,896 bytes were not kept here]\n" in answer.stdout
    assert mlproj("verify").code == 0


def test_a_storm_is_followed_to_its_end(
    make_project: ProjectMaker, mlproj: Mlproj, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    command = "'echo begin; echo x > begun; until test -e follow; do sleep 0.05; done; seq 3000000; echo end'"
    project = make_project({"MLproject": single(command)})
    monkeypatch.setenv("MLPROJ_LOG_LIMIT", "1MiB")
    runner = start("run", ".", *LOCAL, cwd=project)
    written(project / "begun")
    follower = start("logs", "-f", cwd=project)
    assert follower.stdout is not None
    assert follower.stdout.readline() == b"begin\n"
    (project / "follow").touch()
    runner.communicate(timeout=120)
    rest, _ = follower.communicate(timeout=120)
    assert runner.returncode == follower.returncode == 0
    lines = rest.decode().splitlines()
    cut = [line for line in lines if line.startswith("[mlproj: ")]
    assert all(line.endswith(" bytes were not kept here]") for line in cut)
    assert "end" in lines and "2999999" in lines and "1" in lines
    missing = sum(int(line.split()[1].replace(",", "")) for line in cut)
    shown = sum(len(line) + 1 for line in lines if line.isdigit())
    whole = sum(len(str(number)) + 1 for number in range(1, 3_000_001))
    # A line that was cut has lost its beginning or its end.
    assert abs(whole - shown - missing) <= 2 * len(cut)


def test_a_killed_child_leaves_its_output(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make_project({"MLproject": single("'seq 100000; kill -SEGV $$'")})
    assert mlproj("run", ".", *LOCAL, cwd=project).code == 1
    assert mlproj("show", "--json").document["exit_code"] == -signal.SIGSEGV
    assert mlproj("logs").stdout.endswith("\n100000\n")
