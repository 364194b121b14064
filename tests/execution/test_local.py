"""The local executor: exit codes, streams, logs, what a run used up, what it leaves behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlproj.errors import ProjectError, StoreError
from mlproj.execution.local import LocalExecutor
from mlproj.model.events import ChildOutput, Event
from mlproj.model.moment import timestamp
from mlproj.ports import Execution, Task
from tests.execution.conftest import Bench

MIB = 1024 * 1024
PYTHON = sys.executable


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("true", 0),
        ("exit 7", 7),
        ("kill -9 $$", -9),
        ("kill -TERM $$", -15),
        ("(kill -9 $BASHPID); exit $?", 137),
        ("no-such-program-at-all", 127),
    ],
)
def test_the_exit_code_is_the_childs_own_or_minus_its_signal(bench: Bench, command: str, code: int) -> None:
    assert bench.run(command).exit_code == code


def test_the_bytes_are_recorded_and_reported_as_they_came(bench: Bench) -> None:
    bench.run(r"printf '\377\000a\r\nend'; printf 'err\n\376' >&2")
    assert bench.log("stdout") == bench.reported("stdout") == b"\xff\x00a\r\nend"
    assert bench.log("stderr") == bench.reported("stderr") == b"err\n\xfe"


def test_the_times_say_which_piece_of_which_stream_came_when(bench: Bench) -> None:
    bench.run("echo a; sleep 0.15; echo bb >&2; sleep 0.15; echo ccc")
    rows = [line.split() for line in bench.log("times").decode().splitlines()]
    assert [(stream, int(length)) for _, stream, length in rows] == [
        ("stdout", 2),
        ("stderr", 3),
        ("stdout", 4),
    ]
    assert all(re.fullmatch(r"\d+\.\d{3,}", seconds) for seconds, _, _ in rows)
    first, second, third = (float(seconds) for seconds, _, _ in rows)
    assert 0.1 < second - first < 1 and 0.1 < third - second < 1


def test_a_piece_is_reported_at_once(bench: Bench) -> None:
    arrived: list[float] = []

    def report(event: Event) -> None:
        if isinstance(event, ChildOutput):
            arrived.append(time.monotonic())

    LocalExecutor(terminal=(False, False)).execute(bench.task("echo now; sleep 0.6"), report)
    assert time.monotonic() - arrived[0] > 0.5


def test_a_million_lines_arrive_whole(bench: Bench) -> None:
    bench.run("seq 1000000")
    expected = b"".join(b"%d\n" % number for number in range(1, 1000001))
    assert bench.log("stdout") == expected
    assert sum(int(line.split()[2]) for line in bench.log("times").splitlines()) == len(expected)


def test_the_environment_and_the_folder_are_exactly_the_tasks(bench: Bench, tmp_path: Path) -> None:
    task = Task(
        argv=("/bin/bash", "-c", "/usr/bin/env; pwd"),
        directory=tmp_path,
        environ={"ONLY": "this"},
        logs=bench.task("").logs,
    )
    LocalExecutor(terminal=(False, False)).execute(task, bench.events.append)
    lines = set(bench.log("stdout").decode().splitlines())
    assert lines - {"_=/usr/bin/env", "SHLVL=0", "SHLVL=1"} == {"ONLY=this", f"PWD={tmp_path}", str(tmp_path)}


def test_standard_input_is_passed_through(tmp_path: Path) -> None:
    script = (
        "import pathlib\n"
        "from mlproj.execution.local import LocalExecutor\n"
        "from mlproj.ports import Task\n"
        f"here = pathlib.Path({str(tmp_path)!r})\n"
        "task = Task(argv=('cat',), directory=here, environ={'PATH': '/usr/bin:/bin'}, logs=here)\n"
        "LocalExecutor().execute(task, lambda event: None)\n"
    )
    subprocess.run((PYTHON, "-c", script), input=b"from outside", check=True)
    assert (tmp_path / "stdout").read_bytes() == b"from outside"


def test_a_child_that_closes_its_streams_is_waited_for_without_spinning(bench: Bench) -> None:
    before = time.process_time()
    execution = bench.run("exec >&- 2>&-; sleep 1; exit 3")
    assert execution.exit_code == 3
    assert execution.usage.wall_s >= 1
    assert time.process_time() - before < 0.4


def test_a_program_that_is_missing_is_one_sentence(bench: Bench, tmp_path: Path) -> None:
    task = Task(argv=("no-such-program",), directory=tmp_path, environ={}, logs=bench.task("").logs)
    with pytest.raises(ProjectError, match="the program `no-such-program` was not found"):
        LocalExecutor().execute(task, bench.events.append)


def test_a_folder_that_is_missing_is_one_sentence(bench: Bench, tmp_path: Path) -> None:
    task = Task(argv=("bash",), directory=tmp_path / "nowhere", environ={}, logs=bench.task("").logs)
    with pytest.raises(ProjectError, match=r"there is no folder `.*nowhere` to run in"):
        LocalExecutor().execute(task, bench.events.append)


@pytest.mark.parametrize("argument", ["a\0b", "x" * (3 * MIB)])
def test_what_the_system_does_not_take_as_a_command_is_one_sentence(
    bench: Bench, tmp_path: Path, argument: str
) -> None:
    task = Task(argv=("echo", argument), directory=tmp_path, environ={}, logs=bench.task("").logs)
    with pytest.raises(ProjectError, match="the program `echo` cannot be started: "):
        LocalExecutor().execute(task, bench.events.append)


def test_logs_that_cannot_be_written_are_the_stores_fault(bench: Bench, tmp_path: Path) -> None:
    task = Task(argv=("true",), directory=tmp_path, environ={}, logs=tmp_path / "absent")
    with pytest.raises(StoreError, match=r"the logs in `.*absent` cannot be written"):
        LocalExecutor().execute(task, bench.events.append)


def test_what_a_report_raises_ends_the_child_and_comes_out(
    bench: Bench, is_gone: Callable[[int], bool]
) -> None:
    pids: list[int] = []

    def report(event: Event) -> None:
        assert isinstance(event, ChildOutput)
        pids.append(int(event.data))
        raise BrokenPipeError("nobody listens")

    with pytest.raises(BrokenPipeError, match="nobody listens"):
        LocalExecutor(terminal=(False, False), patience=0.2).execute(
            bench.task("trap '' TERM INT; echo $$; while true; do sleep 0.05; done"), report
        )
    assert is_gone(pids[0])


def test_a_full_disk_ends_the_log_and_not_the_child(bench: Bench) -> None:
    task = bench.task("echo out; echo further; echo err >&2; exit 3")
    (task.logs / "stdout").symlink_to("/dev/full")
    execution = LocalExecutor(terminal=(False, False)).execute(task, bench.events.append)
    assert execution.exit_code == 3
    assert bench.notes == ["no space is left for the logs: the rest of `stdout` is not kept"]
    assert (task.logs / "stderr").read_bytes() == b"err\n"
    told = [event.data for event in bench.events if isinstance(event, ChildOutput)]
    assert b"".join(told).replace(b"err\n", b"") == b"out\nfurther\n"


def test_what_the_entry_point_leaves_behind_is_ended_and_said(
    bench: Bench, is_gone: Callable[[int], bool]
) -> None:
    began = time.monotonic()
    execution = bench.run("sleep 60 & echo $!; exit 4")
    assert execution.exit_code == 4
    assert is_gone(int(bench.log("stdout")))
    assert bench.notes == ["ended 1 process that the entry point left behind"]
    assert time.monotonic() - began < 15


def test_a_background_job_with_a_group_of_its_own_is_ended_too(
    bench: Bench, is_gone: Callable[[int], bool]
) -> None:
    bench.run("set -m; sleep 60 >/dev/null 2>&1 & echo $!")
    assert is_gone(int(bench.log("stdout")))


def test_a_daemon_in_a_session_of_its_own_is_left_and_not_waited_for(
    bench: Bench, is_gone: Callable[[int], bool]
) -> None:
    began = time.monotonic()
    execution = bench.run(
        "setsid --fork bash -c 'echo $$ > pid; exec sleep 30 >/dev/null 2>&1'; "
        "until test -s pid; do sleep 0.01; done; cat pid; echo said"
    )
    assert execution.exit_code == 0
    assert time.monotonic() - began < 15
    daemon = int(bench.log("stdout").split()[0])
    assert not is_gone(daemon)
    os.kill(daemon, signal.SIGKILL)


def test_output_of_a_late_pipe_reader_is_still_recorded(bench: Bench) -> None:
    bench.run("echo through > >(sleep 0.1; cat)")
    assert bench.log("stdout") == b"through\n"
    assert bench.notes == []


def test_usage_covers_grandchildren(bench: Bench) -> None:
    (bench.directory / "busy.py").write_text(
        "import time\nx = bytearray(100 * 2**20)\nuntil = time.process_time() + 1.0\n"
        "while time.process_time() < until: pass\n"
    )
    execution = bench.run(f"bash -c '{PYTHON} busy.py; true'; true")
    assert execution.exit_code == 0
    assert 100 * MIB < execution.usage.peak_rss_bytes < 200 * MIB
    assert 1.0 <= execution.usage.cpu_s < 3
    assert execution.usage.wall_s >= 1.0


def test_peak_memory_is_the_sum_over_the_tree(bench: Bench) -> None:
    hold = f"{PYTHON} -c 'x = bytearray(60 * 2**20); import time; time.sleep(3)'"
    execution = bench.run(f"{hold} & {hold} & wait")
    assert 120 * MIB < execution.usage.peak_rss_bytes < 200 * MIB


def test_cpu_time_of_a_child_that_nobody_waited_for_is_counted(bench: Bench) -> None:
    execution = bench.run(f"{PYTHON} -c 'while True: pass'; true", timeout=2)
    assert execution.usage.cpu_s > 0.1


def test_memory_of_a_short_run_is_not_our_own(bench: Bench) -> None:
    ours = bytearray(80 * MIB)
    execution = bench.run("echo x")
    assert len(ours) and 0 < execution.usage.peak_rss_bytes < 20 * MIB


def test_times_are_rfc_3339_in_utc(bench: Bench) -> None:
    execution = bench.run("sleep 0.05")
    form = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(form, execution.started) and re.fullmatch(form, execution.ended)
    assert execution.started < execution.ended
    assert timestamp(1.5) == "1970-01-01T00:00:01.500Z"


def test_it_runs_in_another_thread_and_leaves_signals_alone(bench: Bench) -> None:
    before = signal.getsignal(signal.SIGINT)
    results: list[Execution] = []
    thread = threading.Thread(target=lambda: results.append(bench.run("echo x; exit 2")))
    thread.start()
    thread.join()
    assert results[0].exit_code == 2
    assert signal.getsignal(signal.SIGINT) is before


def test_importing_the_executor_loads_nothing_heavy() -> None:
    script = "import sys, mlproj.execution.local; print(*sys.modules)"
    loaded = subprocess.run((PYTHON, "-c", script), capture_output=True, text=True, check=True).stdout.split()
    assert not {"psutil", "asyncio", "concurrent.futures", "sqlalchemy", "yaml", "rich"} & set(loaded)
