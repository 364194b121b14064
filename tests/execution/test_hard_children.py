"""Children that make it hard: they hide, close, stop or kill themselves, or leave others behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

import pytest

from tests.execution.conftest import Bench

PYTHON = sys.executable

DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        {streams}
        open("daemon", "w").write(f"{{os.getpid()}}\\n")
        time.sleep(60)
    os._exit(0)
os.wait()
while not os.path.exists("daemon") or not open("daemon").read(): time.sleep(0.005)
print("begun", flush=True)
{then}
"""
CLOSED = "null = os.open(os.devnull, os.O_RDWR); [os.dup2(null, number) for number in range(3)]"


def test_a_daemon_is_left_running_and_named(bench: Bench, is_gone: Callable[[int], bool]) -> None:
    (bench.directory / "child.py").write_text(DAEMON.format(streams=CLOSED, then=""))
    execution = bench.run(f"exec {PYTHON} child.py", MLPROJ_RUN_ID="a-run")
    daemon = int((bench.directory / "daemon").read_text())
    assert execution.exit_code == 0 and not is_gone(daemon)
    assert bench.notes == [f"left 1 process that the entry point gave a session of its own: {daemon}"]
    os.kill(daemon, signal.SIGKILL)


def test_a_daemon_that_keeps_the_streams_open_is_not_waited_for(
    bench: Bench, is_gone: Callable[[int], bool]
) -> None:
    (bench.directory / "child.py").write_text(DAEMON.format(streams="", then=""))
    execution = bench.run(f"exec {PYTHON} child.py", MLPROJ_RUN_ID="a-run")
    daemon = int((bench.directory / "daemon").read_text())
    assert execution.exit_code == 0 and bench.log("stdout") == b"begun\n"
    assert bench.notes == [f"left 1 process that the entry point gave a session of its own: {daemon}"]
    os.kill(daemon, signal.SIGKILL)


def test_a_daemon_is_named_whenever_it_takes_a_session_of_its_own(bench: Bench) -> None:
    times = 30
    for _ in range(times):  # it does so while we look whether anything is left
        bench.run("setsid sleep 3 > /dev/null 2>&1 & echo begun", MLPROJ_RUN_ID="a-run")
    assert len(bench.notes) == times
    assert all(note.startswith("left ") for note in bench.notes)


def test_a_daemon_goes_with_a_run_that_is_stopped(bench: Bench, is_gone: Callable[[int], bool]) -> None:
    (bench.directory / "child.py").write_text(DAEMON.format(streams=CLOSED, then="time.sleep(60)"))
    execution = bench.run(f"exec {PYTHON} child.py", timeout=3, MLPROJ_RUN_ID="a-run")
    assert execution.timed_out
    assert is_gone(int((bench.directory / "daemon").read_text()))


def test_another_runs_orphan_is_not_ours(bench: Bench) -> None:
    (bench.directory / "child.py").write_text(DAEMON.format(streams=CLOSED, then=""))
    bench.run(f"exec {PYTHON} child.py", MLPROJ_RUN_ID="a-run")
    bench.events.clear()
    bench.run("true", MLPROJ_RUN_ID="another")
    assert bench.notes == []
    os.kill(int((bench.directory / "daemon").read_text()), signal.SIGKILL)


def test_one_that_ignores_every_request_is_killed(bench: Bench) -> None:
    code = "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; time.sleep(60)"
    execution = bench.run(f"exec {PYTHON} -c '{code}'", timeout=2, patience=0.2)
    assert execution.exit_code == -signal.SIGKILL and execution.timed_out


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_one_that_closes_a_single_stream_goes_on_with_the_other(bench: Bench, closed: str) -> None:
    number, other = (1, 2) if closed == "stdout" else (2, 1)
    before = time.process_time()
    bench.run(f"exec {number}>&-; echo early >&{other}; sleep 0.8; echo late >&{other}")
    open_stream = "stderr" if closed == "stdout" else "stdout"
    assert bench.log(open_stream) == b"early\nlate\n" and bench.log(closed) == b""
    assert time.process_time() - before < 0.4


def test_what_a_child_of_the_child_says_soon_after_its_end_is_recorded(bench: Bench) -> None:
    bench.run("(sleep 0.1; echo late) & echo early", grace=10)
    assert (bench.log("stdout"), bench.notes) == (b"early\nlate\n", [])


def test_a_child_of_the_child_that_keeps_the_pipe_open_is_ended(
    bench: Bench, is_gone: Callable[[int], bool]
) -> None:
    bench.run("sh -c 'trap \"\" HUP INT TERM; echo $$; while :; do sleep 0.05; done' & sleep 0.2")
    assert is_gone(int(bench.log("stdout")))
    assert bench.notes[0].startswith("ended ")


def test_one_that_stops_itself_is_still_subject_to_its_time(bench: Bench) -> None:
    execution = bench.run("kill -STOP $$; echo never", timeout=0.3, patience=0.3)
    assert execution.timed_out and execution.exit_code < 0
    assert bench.log("stdout") == b""


def test_one_that_is_stopped_and_continued_comes_to_its_end(bench: Bench) -> None:
    execution = bench.run("(sleep 0.2; kill -CONT $$) & kill -STOP $$; wait; echo again; exit 3")
    assert (execution.exit_code, bench.log("stdout")) == (3, b"again\n")


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL, signal.SIGBUS])
def test_one_that_the_system_kills_ends_with_minus_the_signal(bench: Bench, number: signal.Signals) -> None:
    code = f'import os; print("said", flush=True); os.kill(os.getpid(), {int(number)})'
    execution = bench.run(f"ulimit -c 0; exec {PYTHON} -c '{code}'")
    assert (execution.exit_code, bench.log("stdout")) == (-number, b"said\n")


def test_one_in_a_group_of_its_own_is_stopped_all_the_same(
    bench: Bench, is_gone: Callable[[int], bool]
) -> None:
    # Each number in one write, so that the two do not run into each other.
    said = 'os.write(1, b"%d\\n" % os.getpid())'
    code = f"import os, time; os.fork(); os.setpgid(0, 0); {said}; time.sleep(60)"
    bench.run(f"{PYTHON} -c '{code}'; true", timeout=3)
    pids = [int(line) for line in bench.log("stdout").split()]
    assert len(pids) == 2 and all(map(is_gone, pids))


def test_one_that_becomes_another_program_is_still_the_child(bench: Bench) -> None:
    execution = bench.run(f'echo one; exec {PYTHON} -c \'import os; os.execlp("sh", "sh", "-c", "exit 9")\'')
    assert (execution.exit_code, bench.log("stdout")) == (9, b"one\n")
