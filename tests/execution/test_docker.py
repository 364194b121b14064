"""What a container of a run is like from inside, and that nothing of it is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from docker import APIClient

from mlproj.errors import EnvironmentFailed, ProjectError
from mlproj.execution.containers import described
from mlproj.execution.docker import DockerExecutor
from mlproj.execution.frames import Frames
from mlproj.model.environment import CONTAINER_SHELL, Container, Mount
from mlproj.model.events import ChildOutput, Event, Note
from mlproj.planning.containers import CODE
from mlproj.ports import Execution, Task
from tests.cli.conftest import written
from tests.conftest import ending
from tests.engines import busybox, client, containers_below, debian

__all__ = ["busybox", "client", "debian"]

OWN = f"{os.getuid()}:{os.getgid()}"


@dataclass(kw_only=True)
class Berth:
    """A folder whose commands run in containers of one image."""

    directory: Path
    image: str
    events: list[Event] = field(default_factory=list)

    def run(
        self,
        command: str,
        *arguments: tuple[str, str | None],
        timeout: float | None = None,
        user: str = OWN,
        mounts: tuple[Mount, ...] = (),
        volumes: tuple[str, ...] = (),
        patience: float = 0.3,
    ) -> Execution:
        logs = self.directory.parent / "logs"
        logs.mkdir(exist_ok=True)
        for log in logs.iterdir():
            log.unlink()
        task = Task(
            argv=(*CONTAINER_SHELL, command),
            directory=self.directory,
            environ={"MLPROJ_RUN_ID": "a" * 32, "SAID": "x 'y' \"z\"\nnext $HOME"},
            logs=logs,
            timeout=timeout,
            secrets=("open sesame",),
            mounts=mounts,
        )
        container = Container(image=self.image, user=user, arguments=arguments, volumes=volumes)
        return DockerExecutor(container, patience=patience).execute(task, self.events.append)

    def said(self, stream: str = "stdout") -> str:
        return (self.directory.parent / "logs" / stream).read_text()

    @property
    def notes(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Note)]


@pytest.fixture
def clean(client: APIClient, tmp_path: Path) -> Iterator[None]:
    """Nothing is left in the engine."""
    yield
    assert containers_below(client, tmp_path) == []


@pytest.fixture
def berth(debian: str, clean: None, tmp_path: Path) -> Berth:
    (tmp_path / "project").mkdir()
    return Berth(directory=tmp_path / "project", image=debian)


@pytest.fixture
def small(busybox: str, clean: None, tmp_path: Path) -> Berth:
    (tmp_path / "project").mkdir()
    return Berth(directory=tmp_path / "project", image=busybox)


def test_a_command_runs_whole_inside_and_the_caller_owns_what_it_writes(berth: Berth) -> None:
    command = "id -u && touch made && head -1 /etc/os-release; echo done | cat; pwd; echo $0"
    assert berth.run(command).exit_code == 0
    uid, system, *rest = berth.said().splitlines()
    assert uid == str(os.getuid()) and "bookworm" in system
    assert rest == ["done", CODE, "bash"]
    assert (berth.directory / "made").stat().st_uid == os.getuid()


def test_another_user_owns_what_it_writes(berth: Berth) -> None:
    berth.directory.chmod(0o777)
    assert berth.run("touch made", user="12345:23456").exit_code == 0
    state = (berth.directory / "made").stat()
    assert (state.st_uid, state.st_gid) == (12345, 23456)


def test_an_image_without_bash_has_its_own_shell(small: Berth) -> None:
    assert small.run("echo $0; exit 3").exit_code == 3
    assert small.said() == "sh\n"


def test_variables_arrive_whole_and_secrets_are_not_shown(small: Berth) -> None:
    small.run('printf %s "$SAID"; echo open sesame >&2')
    assert small.said() == "x 'y' \"z\"\nnext $HOME"
    assert small.said("stderr") == "***\n"
    outputs = [event.data for event in small.events if isinstance(event, ChildOutput)]
    assert b"sesame" not in b"".join(outputs)


def test_much_output_on_both_streams_arrives_in_full(small: Berth) -> None:
    small.run("seq 200000; seq 200000 >&2")
    expected = "".join(f"{number}\n" for number in range(1, 200001))
    assert small.said() == expected and small.said("stderr") == expected


def test_what_is_mounted_is_seen_and_may_be_for_reading_only(small: Berth, tmp_path: Path) -> None:
    (tmp_path / "data: 1").mkdir()
    (tmp_path / "data: 1" / "x").write_text("content")
    mount = Mount(source=str(tmp_path / "data: 1"), target="/data", read_only=True)
    assert small.run("cat /data/x; touch /data/y", mounts=(mount,)).exit_code == 1
    assert small.said() == "content" and "Read-only" in small.said("stderr")
    small.run("cat /in/x; touch /in/y", volumes=(f"{tmp_path}/project:/in",), mounts=())
    assert (tmp_path / "project" / "y").exists()


def test_a_volume_may_have_the_place_of_the_project(small: Berth, tmp_path: Path) -> None:
    """As in projects that bring their code into a container of MLflow's by themselves."""
    assert small.run("touch made", volumes=(f"{small.directory}:{CODE}",)).exit_code == 0
    assert (small.directory / "made").exists()
    (tmp_path / "other").mkdir()
    mount = ("mount", f"type=bind,src={tmp_path}/other,dst={CODE}")
    assert small.run("ls; touch elsewhere", mount).exit_code == 0
    assert small.said() == "" and (tmp_path / "other" / "elsewhere").exists()


def test_a_container_that_runs_out_of_memory_says_so(berth: Berth) -> None:
    execution = berth.run("python3 -c 'bytearray(300_000_000)'", ("memory", "64m"), ("memory-swap", "64m"))
    assert execution.out_of_memory and execution.exit_code == -signal.SIGKILL
    assert not berth.run("exit 137").out_of_memory


def test_options_reach_the_engine(small: Berth) -> None:
    small.run(
        "cat /proc/sys/kernel/hostname; df -k /dev/shm | tail -1; pwd; echo $GIVEN; ip link | grep -c mtu",
        ("hostname", "harbour"),
        ("shm-size", "3m"),
        ("workdir", "/bin"),
        ("env", "GIVEN=by an option"),
        ("network", "none"),
    )
    name, shared, *rest = small.said().splitlines()
    assert name == "harbour" and shared.split()[1] == "3072"
    assert rest == ["/bin", "by an option", "1"]


def test_the_use_of_memory_and_processors_is_seen(berth: Berth) -> None:
    hold = "import time; x = bytearray(90 * 2**20); t = time.time()\nwhile time.time() - t < 1: pass"
    usage = berth.run(f"python3 -c '{hold}'").usage
    assert 85 * 2**20 < usage.peak_rss_bytes < 300 * 2**20
    assert 0 < usage.cpu_s < 10 and usage.wall_s > 1


@pytest.mark.parametrize("command", ["sleep 60", "trap '' INT TERM; sleep 60 & sleep 60; sleep 60"])
def test_a_timeout_ends_everything(small: Berth, command: str) -> None:
    execution = small.run(command, timeout=0.5)
    assert execution.timed_out and execution.exit_code != 0 and execution.usage.wall_s < 20


def test_an_interrupt_reaches_every_process_and_may_be_answered(small: Berth) -> None:
    trap = "(trap 'echo child; exit' INT; while :; do sleep 0.1; done) & "
    command = f"trap 'echo answered; sleep 0.2; exit 7' INT; {trap} echo ready; while :; do sleep 0.1; done"
    execution = small.run(command, timeout=4, patience=10)
    assert execution.exit_code == 7 and execution.timed_out
    assert {*small.said().splitlines()} >= {"ready", "answered"}


def test_an_error_of_whoever_listens_leaves_no_container(small: Berth) -> None:
    def fail(event: Event) -> None:
        raise RuntimeError("no more")

    container = Container(image=small.image, user=OWN)
    logs = small.directory.parent / "logs"
    logs.mkdir()
    task = Task(argv=(*CONTAINER_SHELL, "echo x; sleep 60"), directory=small.directory, environ={}, logs=logs)
    with pytest.raises(RuntimeError, match="no more"):
        DockerExecutor(container).execute(task, fail)


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        (("network", "no-such-network"), "no-such-network"),
        (("runtime", "no-such-runtime"), "no-such-runtime"),
        (("gpus", "all"), "cannot give a container a GPU"),
    ],
)
def test_what_the_engine_refuses_is_told(small: Berth, argument: tuple[str, str], said: str) -> None:
    with pytest.raises(EnvironmentFailed, match=said):
        small.run("true", argument)


def test_an_image_without_a_shell_is_told(small: Berth, client: APIClient, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    (last,) = [step for step in client.build(path=str(tmp_path / "empty"), decode=True) if "aux" in step]
    small.image = last["aux"]["ID"]
    try:
        with pytest.raises(ProjectError, match="has no shell"):
            small.run("true")
    finally:
        client.remove_image(small.image, force=True)


def test_an_engine_without_a_first_process_for_containers_does_without(small: Berth) -> None:
    execution = small.run("exit 4", ("init", "false"))
    assert execution.exit_code == 4


PROGRAM = """
import sys
from pathlib import Path
from mlproj.execution.docker import DockerExecutor
from mlproj.model.environment import CONTAINER_SHELL, Container
from mlproj.ports import Task

folder = Path(sys.argv[1])
task = Task(argv=(*CONTAINER_SHELL, "echo begun; sleep 60"), directory=folder, logs=folder,
            environ={"MLPROJ_RUN_ID": "b" * 32})
DockerExecutor(Container(image=sys.argv[2], user="0:0")).execute(task, lambda event: None)
"""


def test_what_a_killed_runner_left_is_removed_at_the_next_run(
    small: Berth, client: APIClient, tmp_path: Path
) -> None:
    (tmp_path / "killed").mkdir()
    with ending(
        subprocess.Popen((sys.executable, "-c", PROGRAM, tmp_path / "killed", small.image))
    ) as runner:
        assert written(tmp_path / "killed" / "stdout") == "begun\n"
        small.run("true")
        assert containers_below(client, tmp_path) == ["b" * 32], "one that is alive is left alone"
        runner.kill()
        runner.wait()
    small.run("true")
    # Whoever runs something next removes it, and another test may be first.
    assert {*small.notes} <= {"removed the container of run bbbbbbbb, whose runner was killed"}
    assert containers_below(client, tmp_path) == []


def test_a_container_that_somebody_removes_has_ended(small: Berth, client: APIClient) -> None:
    remover = threading.Thread(target=_remove, args=(client, small.directory))
    remover.start()
    execution = small.run("echo now > begun; sleep 60")
    remover.join()
    assert execution.exit_code == -signal.SIGKILL and not execution.timed_out


def _remove(client: APIClient, directory: Path) -> None:
    """Removes the container of the folder as soon as its command has begun."""
    written(directory / "begun")
    # One that the engine does not list as running yet is there all the same.
    for found in client.containers(all=True):
        if any(mount.get("Source") == str(directory) for mount in found["Mounts"]):
            client.remove_container(found["Id"], force=True)


@pytest.mark.parametrize("cut", [1, 3, 7, 8, 9, 1000])
def test_frames_are_put_together_wherever_they_are_cut(cut: int) -> None:
    def frame(number: int, data: bytes) -> bytes:
        return bytes((number, 0, 0, 0)) + len(data).to_bytes(4, "big") + data

    stream = frame(1, b"one") + frame(2, b"") + frame(2, b"two" * 5) + frame(0, b"none") + frame(1, b"!")
    frames, found = Frames(), {"stdout": b"", "stderr": b""}
    for begin in range(0, len(stream), cut):
        for name, piece in frames.feed(stream[begin : begin + cut]):
            found[name] += piece
    assert found == {"stdout": b"one!", "stderr": b"two" * 5}


def test_what_a_person_asks_for_comes_before_what_we_would_do(tmp_path: Path) -> None:
    arguments = (("user", "1:2"), ("workdir", "/w"), ("env", "A=theirs"), ("init", "false"))
    container = Container(image="x", user=OWN, arguments=arguments)
    task = Task(argv=("sh",), directory=tmp_path, environ={"A": "ours"}, logs=tmp_path)
    body = described(container, task, tmp_path / "lock")
    assert (body["User"], body["WorkingDir"], body["HostConfig"]["Init"]) == ("1:2", "/w", False)
    assert body["Env"].index("A=theirs") > body["Env"].index("A=ours")
