"""A hostile script in an isolated run: what it tries works in a plain run, and does not in there."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import LOCAL, Mlproj, Start, single
from tests.cli.test_tracking import SCRIPT
from tests.conftest import ProjectMaker, ending, need
from tests.mlflow_clients import ENDS, QUIET, ClientPython, client_python

__all__ = ["client_python"]

MARK = "the-secret-of-this-test"
ISOLATED = (*LOCAL, "--isolated")

HOSTILE = """\
import glob, json, os, socket, sys

aims = json.load(open("aims.json"))
done = {}

def attempt(name):
    def run(act):
        try:
            done[name] = bool(act())
        except (OSError, LookupError):
            done[name] = False
    return run

def connected(family, address):
    with socket.socket(family) as one:
        one.settimeout(3)
        one.connect(address)
        return True

@attempt("reads a key of the user")
def _(): return open(aims["key"]).read()

@attempt("reads the store")
def _(): return os.listdir(os.path.join(aims["store"], "blobs"))

@attempt("reads another project")
def _(): return open(aims["other"]).read()

@attempt("reads variables of other processes")
def _():
    for place in glob.glob("/proc/[0-9]*/environ"):
        try:
            if aims["mark"].encode() in open(place, "rb").read():
                return True
        except OSError:
            pass

@attempt("has a secret among its variables")
def _(): return aims["mark"] in os.environ.values()

@attempt("sees processes outside")
def _(): return os.kill(aims["process"], 0) is None

@attempt("calls a service of the machine")
def _(): return connected(socket.AF_INET, ("127.0.0.1", aims["port"]))

@attempt("calls an abstract socket")
def _(): return connected(socket.AF_UNIX, aims["abstract"])

@attempt("calls a socket in a folder")
def _(): return connected(socket.AF_UNIX, aims["socket"])

@attempt("writes outside")
def _(): return open(aims["outside"], "w").write("x")

@attempt("writes to its data")
def _(): return open(sys.argv[1], "a").write("x")

@attempt("looks at descriptors that are not its own")
def _():
    found = (f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd") if int(name) > 2)
    # One of its own process: where it is noted what its Python reads.
    return any(os.path.exists(path) and "/logs/reads/" not in os.readlink(path) for path in found)

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for descriptor in range(3):
            os.close(descriptor)
        os.execvp("sleep", ["sleep", aims["sleep"]])
    os._exit(0)

json.dump(done, open("done.json", "w"))
"""

PROJECT = {
    "MLproject": single(
        "python3 hostile.py {data}",
        outputs="[done.json]",
        parameters="{data: {type: path, default: none}}",
    ),
    "hostile.py": HOSTILE,
}


@pytest.fixture(autouse=True)
def bubblewrap() -> None:
    need("bubblewrap", shutil.which("bwrap") is not None)


@contextlib.contextmanager
def listening(family: int, address: Any) -> Iterator[socket.socket]:
    with socket.socket(family) as listener:
        listener.bind(address)
        listener.listen()
        yield listener


@pytest.fixture
def aims(tmp_path: Path, isolation: Path) -> Iterator[dict[str, Any]]:
    """What is there to be attacked."""
    key, other = isolation / ".ssh" / "id", tmp_path / "other" / "code.py"
    for path in (key, other):
        path.parent.mkdir()
        path.write_text(MARK)
    abstract, place = f"\0mlproj-{os.getpid()}", str(tmp_path / "socket")
    with (
        listening(socket.AF_INET, ("127.0.0.1", 0)) as service,
        listening(socket.AF_UNIX, abstract),
        listening(socket.AF_UNIX, place),
    ):
        yield {
            "key": str(key),
            "store": str(tmp_path / "store"),
            "other": str(other),
            "mark": MARK,
            "process": os.getpid(),
            "port": service.getsockname()[1],
            "abstract": abstract,
            "socket": place,
            "outside": str(tmp_path / "outside"),
            "sleep": f"30.{os.getpid()}{time.monotonic_ns() % 10**6}",
        }
    shutil.rmtree(key.parent)


def sleeping(seconds: str) -> list[int]:
    """The processes that sleep for so long."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if place.read_bytes() == f"sleep\0{seconds}\0".encode():
                found.append(int(place.parent.name))
    return found


@pytest.mark.parametrize("isolated", [False, True])
def test_what_a_hostile_script_can_do(
    make_project: ProjectMaker, mlproj: Mlproj, aims: dict[str, Any], tmp_path: Path, isolated: bool
) -> None:
    project = make_project({**PROJECT, "aims.json": json.dumps(aims)})
    data = tmp_path / "data.csv"
    data.write_text("a,b\n")
    arguments = (*(ISOLATED if isolated else LOCAL), "-P", f"data={data}")
    answer = mlproj("run", ".", *arguments, cwd=project, variables={"HARMLESS": MARK})
    survivors = sleeping(aims["sleep"])
    for pid in survivors:
        os.kill(pid, 9)
    assert answer.code == 0, answer.stderr
    done = json.loads((project / "done.json").read_text())
    # It may lie in a temporary folder of the run's own, and is nowhere then.
    done.pop("writes outside")
    assert (tmp_path / "outside").exists() is not isolated
    # A plain run is given the locks of what it writes.
    assert len(done) == 11
    assert [name for name, could in done.items() if could is isolated] == []
    assert (data.read_text() == "a,b\n") is isolated
    assert bool(survivors) is not isolated


def test_the_environment_cannot_be_written(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    script = "import os, sys; open(os.path.join(os.path.dirname(sys.executable), 'left-by-a-test'), 'w')"
    project = make_project({"MLproject": single("python3 write.py"), "write.py": script})
    answer = mlproj("run", ".", *ISOLATED, cwd=project)
    assert answer.code == 1 and "Read-only file system" in answer.stderr


def test_a_run_that_wants_the_network_is_told_that_it_has_none(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    script = "import urllib.request; urllib.request.urlopen('http://data.example.org/x.csv')"
    project = make_project({"MLproject": single("python3 get.py"), "get.py": script})
    answer = mlproj("run", ".", *ISOLATED, cwd=project)
    assert answer.code == 1 and "`--allow-network` gives it one" in answer.stderr
    reason = mlproj("show", "last", "--json").document["reason"]
    assert "it had no network, which it seems to have wanted" in reason
    missing = "python3 -c \"open('missing.txt')\""  # a FileNotFoundError is no ENOTFOUND
    other = make_project({"MLproject": single(missing)}, name="other")
    answer = mlproj("run", ".", *ISOLATED, cwd=other)
    assert answer.code == 1 and "network" not in answer.stderr


def test_with_the_network_the_machines_services_are_there(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    with listening(socket.AF_INET, ("127.0.0.1", 0)) as service:
        script = f"import socket; socket.create_connection(('127.0.0.1', {service.getsockname()[1]}))"
        project = make_project({"MLproject": single("python3 call.py"), "call.py": script})
        assert mlproj("run", ".", *ISOLATED, cwd=project).code == 1
        assert mlproj("run", ".", *ISOLATED, "--allow-network", cwd=project).code == 0
    assert mlproj("run", ".", *LOCAL, "--allow-network", cwd=project).code == 2


def test_what_a_script_logs_comes_through(make_project: ProjectMaker, mlproj: Mlproj, tmp_path: Path) -> None:
    project = make_project({"MLproject": single("python3 train.py"), "train.py": SCRIPT})
    answer = mlproj("run", ".", *ISOLATED, cwd=project)
    assert answer.code == 0, answer.stderr
    run = mlproj("show", "last", "--json").document
    assert run["metrics"] == {"rmse": 0.5} and run["tags"]["team"] == "blue"
    assert [output["path"] for output in run["outputs"]] == ["artifacts/note.txt"]
    assert len(run["children"]) == 2
    assert mlproj("verify").code == 0


LOGGING = """\
import mlflow

mlflow.log_metric("rmse", 0.5)
with open("made.txt", "w") as file:
    file.write("made")
mlflow.log_artifact("made.txt")
mlflow.log_dict({"a": 1}, "deep/down.json")
"""


@pytest.mark.parametrize("line", ENDS)
def test_mlflow_logs_from_in_there(
    make_project: ProjectMaker, mlproj: Mlproj, client_python: ClientPython, line: str
) -> None:
    python = client_python(line)
    project = make_project({"MLproject": single("python train.py"), "train.py": LOGGING})
    path = os.pathsep.join((str(python.parent), os.environ["PATH"]))
    files = project / "quiet.env"
    files.write_text("".join(f"{name}={value}\n" for name, value in QUIET.items()))
    answer = mlproj("run", ".", *ISOLATED, "--env-file", files.name, cwd=project, variables={"PATH": path})
    assert answer.code == 0, answer.stderr
    run = mlproj("show", "last", "--json").document
    assert run["metrics"] == {"rmse": 0.5}
    assert [output["path"] for output in run["outputs"]] == ["artifacts/deep/down.json", "artifacts/made.txt"]


def test_the_store_in_the_projects_folder_is_not_seen(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make_project({"MLproject": single("ls -A .mlproj; ls -A $MLPROJ_OUTPUT_DIR; touch .mlproj/x")})
    answer = mlproj("run", ".", *ISOLATED, cwd=project, variables={"MLPROJ_STORE": str(project / ".mlproj")})
    assert answer.code == 1 and answer.stdout == "runs\n"
    assert not (project / ".mlproj" / "x").exists() and (project / ".mlproj" / "blobs").is_dir()


def test_secrets_in_the_projects_folder_are_not_seen(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make_project({"MLproject": single("cat .env")})
    (project / ".env").write_text(MARK)
    answer = mlproj("run", ".", *ISOLATED, cwd=project)
    assert answer.code == 1 and MARK not in answer.stdout and "Permission denied" in answer.stderr
    answer = mlproj("run", ".", *ISOLATED, "--keep", ".env", cwd=project)
    assert answer.code == 0 and answer.stdout == MARK


def test_data_is_seen_wherever_links_lead(make_project: ProjectMaker, mlproj: Mlproj, tmp_path: Path) -> None:
    """A declared input that is a link to a link to a folder, and in it a file that is a link elsewhere."""
    for place, link in (("real", "away"), ("pool", "far")):
        (tmp_path / place).mkdir()
        (tmp_path / link).symlink_to(place)
    (tmp_path / "pool" / "one.csv").write_text("one")
    (tmp_path / "real" / "two.csv").write_text("two")
    (tmp_path / "real" / "beside.csv").symlink_to(tmp_path / "far" / "one.csv")
    (tmp_path / "pool" / "unseen.csv").write_text("unseen")
    command = f"cat data/*.csv {tmp_path}/far/one.csv; test ! -e {tmp_path}/pool/unseen.csv"
    project = make_project({"MLproject": single(command, inputs="[data]")})
    (project / "data").symlink_to(tmp_path / "away")
    answer = mlproj("run", ".", *ISOLATED, cwd=project)
    assert answer.code == 0, answer.stderr
    assert answer.stdout == "onetwoone"


def test_a_project_that_holds_the_home_folder_is_not_isolated(
    isolation: Path, make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project = make_project({"MLproject": single("true")})
    (project / "me").mkdir()
    answer = mlproj("run", ".", *ISOLATED, cwd=project, variables={"HOME": str(project / "me")})
    assert answer.code == 3 and "holds your home folder" in answer.stderr


def test_what_a_person_gives_in_a_file_is_given(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make_project({"MLproject": single("echo $GIVEN $NOT_GIVEN $LANG $HOME; ls -A ~")})
    (project / "given.env").write_text("GIVEN=given\n")
    variables = {"NOT_GIVEN": "not given", "LANG": "C.UTF-8"}
    answer = mlproj("run", ".", *ISOLATED, "--env-file", "given.env", cwd=project, variables=variables)
    assert answer.stdout == "given C.UTF-8 /home/mlproj\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_when_mlproj_ends(
    make_project: ProjectMaker, start: Start, number: signal.Signals
) -> None:
    seconds = f"31.{os.getpid()}{time.monotonic_ns() % 10**6}"
    command = (
        f"trap 'touch cleaned; exit 3' INT; (setsid sleep {seconds} &); sleep {seconds} & touch begun; wait"
    )
    project = make_project({"MLproject": single(f'"{command}"')})
    with ending(start("run", ".", *ISOLATED, cwd=project)) as run:
        while not (project / "begun").exists():
            time.sleep(0.02)
        assert sleeping(seconds)
        run.send_signal(number)
        run.wait(30)
    assert run.returncode == (-9 if number == signal.SIGKILL else 128 + number)
    deadline = time.monotonic() + 5
    while sleeping(seconds) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not sleeping(seconds)
    assert (project / "cleaned").exists() is (number != signal.SIGKILL)


def test_where_bubblewrap_cannot_the_run_fails_and_says_so(
    make_project: ProjectMaker, mlproj: Mlproj, tmp_path: Path
) -> None:
    broken = tmp_path / "bin" / "bwrap"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n")
    broken.chmod(0o755)
    project = make_project({"MLproject": single("true")})
    path = os.pathsep.join((str(broken.parent), os.environ["PATH"]))
    answer = mlproj("run", ".", *ISOLATED, cwd=project, variables={"PATH": path})
    assert answer.code == 4
    assert "the run could not be isolated: bwrap: No permissions to create new namespace" in answer.stderr


def test_there_is_no_way_to_a_server_without_the_network(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make_project({"MLproject": single("true")})
    with listening(socket.AF_INET, ("127.0.0.1", 0)):
        answer = mlproj("run", ".", *ISOLATED, "--tracking-uri", "http://127.0.0.1:9/", cwd=project)
    assert answer.code in (2, 3, 5)
