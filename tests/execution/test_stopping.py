"""How a run is stopped: signals to us, a timeout, the ladder, and who has gone afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.execution.ladder import DEBOUNCE, STEPS, Ladder
from mlproj.execution.local import LocalExecutor
from mlproj.model.events import ChildOutput, Event
from mlproj.ports import Execution
from tests.execution.conftest import Bench

STUBBORN = "trap 'echo INT' INT; trap 'echo TERM' TERM; echo $$; while true; do sleep 0.05; done"


def interrupted(
    bench: Bench, command: str, *numbers: int, patience: float = 0.4, pause: float = 0.2
) -> Execution:
    """Runs the command and sends ourselves the signals, the first after its first output."""

    def send() -> None:
        for number in numbers:
            os.kill(os.getpid(), number)
            time.sleep(pause)

    sender = threading.Thread(target=send)

    def report(event: Event) -> None:
        bench.events.append(event)
        if isinstance(event, ChildOutput) and sender.ident is None:
            sender.start()

    executor = LocalExecutor(terminal=(False, False), patience=patience)
    with ignoring_leftovers():
        execution = executor.execute(bench.task(command), report)
        sender.join()
    return execution


@contextmanager
def ignoring_leftovers() -> Iterator[None]:
    """A signal that arrives after the run goes to the handlers from before, here to nobody."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    earlier = {number: signal.signal(number, lambda *_: None) for number in numbers}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_us_interrupts_the_whole_group(
    bench: Bench, is_gone: Callable[[int], bool], number: signal.Signals
) -> None:
    execution = interrupted(bench, "sleep 60 & echo $!; python3 -c 'import time; time.sleep(60)'", number)
    assert execution.interrupted == number
    assert execution.exit_code != 0
    assert execution.usage.wall_s < 15
    assert is_gone(int(bench.log("stdout").split()[0]))


def test_a_script_that_ends_itself_on_the_interrupt_keeps_its_exit_code(bench: Bench) -> None:
    execution = interrupted(bench, "trap 'exit 5' INT; echo ready; while true; do sleep 0.05; done", 2)
    assert (execution.exit_code, execution.interrupted) == (5, signal.SIGINT)


def test_one_that_listens_to_nothing_is_killed_after_both_waits(
    bench: Bench, is_gone: Callable[[int], bool]
) -> None:
    execution = interrupted(bench, STUBBORN, signal.SIGINT, patience=0.4)
    assert execution.exit_code == -signal.SIGKILL
    pid, *heard = bench.log("stdout").split()
    assert heard == [b"INT", b"TERM"]
    assert 0.8 < execution.usage.wall_s < 15
    assert is_gone(int(pid))


def test_a_second_signal_goes_a_step_further_at_once(bench: Bench) -> None:
    execution = interrupted(bench, STUBBORN, 2, 2, 2, patience=30)
    assert execution.exit_code == -signal.SIGKILL
    assert execution.usage.wall_s < 15


def test_a_signal_sent_twice_in_one_moment_counts_once(bench: Bench) -> None:
    execution = interrupted(
        bench, "trap 'sleep 0.2; exit 5' INT; echo ready; sleep 60 & wait", 2, 2, patience=30, pause=0.005
    )
    assert execution.exit_code == 5


def test_background_jobs_which_a_shell_shields_from_interrupts_go_soon_after_it(
    bench: Bench, is_gone: Callable[[int], bool]
) -> None:
    began = time.monotonic()
    interrupted(bench, "sleep 60 & echo $!; wait", signal.SIGINT, patience=30)
    assert is_gone(int(bench.log("stdout")))
    assert time.monotonic() - began < 15


def test_descendants_in_sessions_of_their_own_are_ended_on_an_interrupt(
    bench: Bench, is_gone: Callable[[int], bool]
) -> None:
    worker = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    execution = interrupted(bench, f'setsid python3 -c "{worker}"; true', signal.SIGTERM)
    assert execution.interrupted == signal.SIGTERM
    assert is_gone(int(bench.log("stdout").split()[0]))


def test_a_stubborn_grandchild_is_ended_though_its_parent_has_gone(
    bench: Bench, is_gone: Callable[[int], bool]
) -> None:
    stubborn = "trap '' INT TERM; echo $BASHPID; while true; do sleep 0.05; done"
    execution = interrupted(bench, f"({stubborn}) & wait", signal.SIGINT, patience=0.2)
    assert is_gone(int(bench.log("stdout").split()[0]))
    assert execution.exit_code == -signal.SIGINT


def test_a_stopped_child_is_ended(bench: Bench, is_gone: Callable[[int], bool]) -> None:
    execution = interrupted(bench, "echo $$; kill -STOP $$; sleep 60", signal.SIGINT, patience=0.2)
    assert execution.exit_code != 0
    assert is_gone(int(bench.log("stdout").split()[0]))


def test_a_timeout_ends_the_run_and_says_so(bench: Bench, is_gone: Callable[[int], bool]) -> None:
    execution = bench.run("sleep 60 & echo $!; wait", timeout=1)
    assert execution.timed_out and execution.interrupted is None
    assert 1 <= execution.usage.wall_s < 20
    assert is_gone(int(bench.log("stdout")))


def test_a_run_that_is_in_time_is_not_timed_out(bench: Bench) -> None:
    execution = bench.run("exit 3", timeout=5)
    assert (execution.exit_code, execution.timed_out) == (3, False)


def test_output_on_the_way_down_is_recorded(bench: Bench) -> None:
    bench.run(
        "trap 'echo saved; exit 0' INT; echo ready; while true; do sleep 0.05; done", timeout=2, patience=10
    )
    assert bench.log("stdout") == b"ready\nsaved\n"


def test_handlers_and_the_wakeup_descriptor_are_put_back(bench: Bench) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH, signal.SIGCHLD)
    before = [signal.getsignal(number) for number in numbers]
    bench.run("true")
    assert [signal.getsignal(number) for number in numbers] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_an_ignored_hangup_stays_ignored(bench: Bench) -> None:
    earlier = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        execution = bench.run(f"kill -HUP {os.getpid()}; sleep 0.1; exit 6")
    finally:
        signal.signal(signal.SIGHUP, earlier)
    assert (execution.exit_code, execution.interrupted) == (6, None)


def test_a_signal_to_a_whole_runner_process_ends_its_child(
    tmp_path: Path, is_gone: Callable[[int], bool]
) -> None:
    script = (
        "import os, pathlib\n"
        "from mlproj.execution.local import LocalExecutor\n"
        "from mlproj.ports import Task\n"
        f"here = pathlib.Path({str(tmp_path)!r})\n"
        "task = Task(argv=('bash', '-c', 'echo $$; sleep 60'), directory=here,"
        " environ=dict(os.environ), logs=here)\n"
        "execution = LocalExecutor(patience=0.5).execute(task, lambda event: print(event, flush=True))\n"
        "print(execution.interrupted, execution.exit_code)\n"
    )
    with subprocess.Popen((sys.executable, "-c", script), stdout=subprocess.PIPE, text=True) as runner:
        assert runner.stdout is not None
        runner.stdout.readline()
        runner.terminate()
        assert runner.stdout.read().splitlines()[-1] == "15 -2"
    assert runner.returncode == 0
    assert is_gone(int((tmp_path / "stdout").read_text()))


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 5)), max_size=30), st.floats(0.1, 5))
def test_the_ladder_is_climbed_in_order_and_never_back(
    moments: list[tuple[bool, float]], patience: float
) -> None:
    ladder, now = Ladder(patience), 0.0
    taken: list[signal.Signals] = []
    for wished, pause in moments:
        now += pause
        if wished:
            ladder.hasten(now)
        if (step := ladder.step(now)) is not None and (not taken or taken[-1] is not step):
            taken.append(step)
    assert tuple(taken) == STEPS[: len(taken)]
    assert ladder.begun == bool(taken)


def test_the_ladder_waits_its_time_between_steps() -> None:
    ladder = Ladder(3)
    ladder.begin(10)
    assert [ladder.step(now) for now in (10, 12.9, 13, 15.9, 16)] == [
        signal.SIGINT,
        None,
        signal.SIGTERM,
        None,
        signal.SIGKILL,
    ]
    assert not ladder.exhausted(18.9) and ladder.exhausted(19)


def test_the_ladder_takes_a_repeated_wish_only_after_a_moment() -> None:
    ladder = Ladder(3)
    ladder.hasten(10)
    assert ladder.step(10) is signal.SIGINT
    ladder.hasten(10 + DEBOUNCE / 2)
    assert ladder.step(10 + DEBOUNCE / 2) is None
    ladder.hasten(10 + DEBOUNCE * 2)
    assert ladder.step(10 + DEBOUNCE * 2) is signal.SIGTERM
