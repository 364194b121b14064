"""The local executor, where it isolates: a run is as any other to those who watch it, and leaves nothing."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from mlproj.errors import EnvironmentFailed
from mlproj.execution.local import LocalExecutor
from mlproj.execution.processes import own_peak
from mlproj.model.environment import Confinement, Mount
from mlproj.ports import Task
from tests.conftest import need
from tests.execution.conftest import Bench

MIB = 1024 * 1024
PYTHON = sys.executable
SEEN = tuple(Mount(source=place, target=place) for place in {sys.prefix, sys.base_prefix})


class IsolatedBench(Bench):
    """As `Bench`, for tasks that see its folder and our Python."""

    def task(self, command: str, *, timeout: float | None = None, **variables: str) -> Task:
        task = super().task(command, timeout=timeout, **variables)
        own = Mount(source=str(self.directory), target=str(self.directory))
        return replace(task, confinement=Confinement(), mounts=(*SEEN, own))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    need("bubblewrap", shutil.which("bwrap") is not None)
    return IsolatedBench(directory=tmp_path)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("true", 0),
        ("exit 7", 7),
        ("exit 200", 200),
        ("kill -9 $$", -9),
        ("kill -TERM $$", -15),
        ("kill -INT $$", -2),
        ("kill -PIPE $$", -13),
        ("kill -SEGV $$", -11),
        ("(kill -9 $BASHPID); exit $?", 137),
        ("no-such-program-at-all", 127),
    ],
)
def test_the_exit_code_is_the_commands_own_or_minus_its_signal(bench: Bench, command: str, code: int) -> None:
    assert bench.run(command).exit_code == code
    assert b"mlproj: line" not in bench.log("stderr")


def test_standard_input_and_variables_are_the_runs_own(bench: Bench) -> None:
    bench.run("echo $GIVEN; [ -t 0 ] || cat | wc -c", GIVEN="a value")
    assert bench.log("stdout") == b"a value\n0\n"


def test_no_variable_reaches_what_shuts_it_in(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> None:
    noted = tmp_path_factory.mktemp("elsewhere") / "linker"
    bench.run("echo $LD_DEBUG", LD_DEBUG="files", LD_DEBUG_OUTPUT=str(noted))
    assert b"\nfiles\n" in bench.log("stdout")
    assert list(noted.parent.iterdir()) == []


def test_memory_and_time_are_those_of_all_of_its_processes(bench: Bench) -> None:
    busy = f"{PYTHON} -c 'import time; x = bytearray(120 * 2**20); sum(range(40_000_000)); time.sleep(3)'"
    usage = bench.run(f"{busy} & {busy} & wait").usage
    assert usage.peak_rss_bytes > 200 * MIB
    assert usage.cpu_s > 0.5
    small = bench.run("sleep 0.1").usage
    assert small.peak_rss_bytes < 30 * MIB and small.cpu_s < 0.3


def test_what_a_short_command_used_is_known_too(bench: Bench) -> None:
    # What the kernel says of a short command is at least what whoever starts it ever had.
    size = own_peak() + 100 * MIB
    usage = bench.run(f"{PYTHON} -c 'bytearray({size})'").usage
    assert usage.peak_rss_bytes > size and usage.cpu_s > 0


def test_output_that_comes_late_is_taken_in(bench: Bench) -> None:
    bench.run("exec > >(sleep 0.1; cat); echo late")
    assert bench.log("stdout") == b"late\n"


def test_what_it_leaves_behind_is_asked_to_end_and_ended(bench: Bench) -> None:
    stubborn = "setsid bash -c 'trap \"touch asked\" TERM; while :; do sleep 0.05; done'"
    began = time.monotonic()
    execution = bench.run(f"{stubborn} & sleep 0.3")
    assert execution.exit_code == 0 and (bench.directory / "asked").exists()
    assert time.monotonic() - began < 30
    assert not _running("touch asked", bench.directory)


def test_a_timeout_climbs_the_ladder(bench: Bench) -> None:
    execution = bench.run("trap 'touch asked' INT; sleep 60; touch went_on; sleep 60", timeout=3, patience=3)
    assert execution.timed_out and execution.usage.wall_s < 30
    assert (bench.directory / "asked").exists() and (bench.directory / "went_on").exists()


def test_a_command_that_ignores_everything_is_killed(bench: Bench) -> None:
    execution = bench.run("trap '' INT TERM; while :; do sleep 0.05; done", timeout=2)
    assert execution.timed_out and execution.exit_code == -signal.SIGKILL


def test_a_place_that_cannot_be_shown_is_told(bench: Bench) -> None:
    task = replace(bench.task("true"), mounts=(Mount(source="/no/such/place", target="/x"),))
    with pytest.raises(EnvironmentFailed, match=r"could not be isolated: bwrap: .*/no/such/place"):
        LocalExecutor(terminal=(False, False)).execute(task, bench.events.append)


def test_the_private_folders_are_gone_afterwards(bench: Bench) -> None:
    bench.run(
        "touch /tmp/x ~/y; mkdir /tmp/closed; touch /tmp/closed/z; chmod 0 /tmp/closed", HOME="/home/mlproj"
    )
    assert not list((bench.directory / "logs").glob("private-*"))


def _running(text: str, folder: Path) -> bool:
    """Whether a process in the folder has the text in its command."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if text in (place / "cmdline").read_text() and (place / "cwd").readlink() == folder:
                return True
        except OSError:
            continue
    return False
