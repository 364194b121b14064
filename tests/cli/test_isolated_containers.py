"""Isolated runs in containers, in a real engine: what they see, whom they reach, and what is left of them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from mlproj.engine import RUN
from tests.cli.conftest import COMMAND, Mlproj, written
from tests.cli.test_docker import docker_project, finished
from tests.cli.test_tracking import SCRIPT
from tests.conftest import ProjectMaker, ending
from tests.engines import busybox, client, debian, runs_with_containers

__all__ = ["busybox", "client", "debian"]

ISOLATED = ("--isolated",)


def networks(client: APIClient) -> set[str]:
    """The runs that have a network of their own."""
    return {found["Labels"][RUN] for found in client.networks(filters={"label": RUN})}


def test_what_a_script_logs_comes_through_and_nothing_is_left(
    make_project: ProjectMaker, mlproj: Mlproj, client: APIClient, debian: str
) -> None:
    project = make_project({**docker_project(debian, "python3 train.py"), "train.py": SCRIPT})
    run = finished(mlproj, project, *ISOLATED)
    assert run["metrics"] == {"rmse": 0.5}
    assert "artifacts/note.txt" in [output["path"] for output in run["outputs"]]
    assert run["run_id"] not in networks(client) | runs_with_containers(client)


@pytest.fixture
def neighbour(client: APIClient, busybox: str) -> Iterator[str]:
    """The address of another container, on which it serves port 80."""
    made = client.create_container(busybox, ("httpd", "-f"), host_config=client.create_host_config())["Id"]
    try:
        client.start(made)
        yield client.inspect_container(made)["NetworkSettings"]["IPAddress"]
    finally:
        client.remove_container(made, force=True)


@pytest.mark.parametrize("isolated", [False, True])
def test_nothing_beyond_this_machine_is_reached(
    make_project: ProjectMaker, mlproj: Mlproj, busybox: str, neighbour: str, isolated: bool
) -> None:
    command = f"timeout 5 nc {neighbour} 80 </dev/null && echo reached || echo refused"
    project = make_project(docker_project(busybox, command))
    answer = mlproj("run", ".", *(ISOLATED if isolated else ()), cwd=project)
    assert answer.code == 0, answer.stderr
    assert answer.stdout == ("refused\n" if isolated else "reached\n")


def test_nothing_is_seen_but_project_data_and_outputs(
    make_project: ProjectMaker, mlproj: Mlproj, busybox: str, tmp_path: Path
) -> None:
    away, data = tmp_path / "away", tmp_path / "data.csv"
    away.mkdir()
    (away / "x").write_text("hidden")
    data.write_text("a,b\n")
    more = f"  volumes: ['{away}:/away']\n  environment: [OF_THE_CALLER, [OF_THE_PROJECT, mine]]\n"
    keys = "    parameters: {data: {type: path, default: none}}\n"
    command = (
        "cat {data} .env; ls -d /away; ls -A .mlproj; echo $OF_THE_CALLER $OF_THE_PROJECT;"
        " grep -c CapEff:.0000000000000000 /proc/self/status; echo x >> {data} || touch kept"
    )
    project = make_project(docker_project(busybox, command, more=more, keys=keys))
    (project / ".env").write_text("hidden")
    variables = {"OF_THE_CALLER": "hidden", "MLPROJ_STORE": str(project / ".mlproj")}
    answer = mlproj("run", ".", *ISOLATED, "-P", f"data={data}", cwd=project, variables=variables)
    assert answer.code == 0, answer.stderr
    assert answer.stdout == "a,b\nmine\n1\n"
    assert (project / "kept").exists() and data.read_text() == "a,b\n"
    assert f"left out `{away}:/away`" in answer.stderr and "left out `OF_THE_CALLER`" in answer.stderr


@pytest.mark.parametrize(
    "argument", ["privileged", "network=host", "pid=host", "mount=type=bind,src=/,dst=/x"]
)
def test_what_would_show_more_of_the_machine_is_refused(
    make_project: ProjectMaker, mlproj: Mlproj, busybox: str, argument: str
) -> None:
    project = make_project(docker_project(busybox, "true"))
    answer = mlproj("run", ".", *ISOLATED, "-A", argument, cwd=project)
    assert answer.code == 2 and f"`-A {argument.partition('=')[0]}`" in answer.stderr
    assert mlproj("run", ".", *ISOLATED, "-A", "memory=64m", "--no-tracking", cwd=project).code == 0


def test_a_bundle_does_not_get_to_see_the_machine_by_its_own_word(
    make_project: ProjectMaker, mlproj: Mlproj, busybox: str, tmp_path: Path
) -> None:
    away, bundle = tmp_path / "away", tmp_path / "run.zip"
    away.mkdir()
    (away / "x").write_text("of the machine\n")
    project = make_project(docker_project(busybox, "cat /away/x"))
    assert mlproj("run", ".", "-A", f"volume={away}:/away", cwd=project).code == 0
    assert mlproj("reproduce", "last", cwd=project).code == 0
    assert mlproj("export", "last", "-o", bundle, cwd=project).code == 0
    elsewhere = {"MLPROJ_STORE": str(tmp_path / "elsewhere")}
    for offered in (bundle, "last"):
        refused = mlproj("reproduce", offered, variables=elsewhere)
        assert refused.code == 6 and "`-A volume` shows its container" in refused.stderr
        assert "of the machine" not in refused.stdout + refused.stderr.replace("all of this machine", "")
    trusted = mlproj("reproduce", bundle, "--no-isolated", variables=elsewhere)
    assert trusted.code == 0 and "of the machine" in trusted.stderr


def test_the_network_of_a_killed_run_is_gone_after_the_next_look(
    make_project: ProjectMaker, mlproj: Mlproj, client: APIClient, busybox: str, tmp_path: Path
) -> None:
    project = make_project(docker_project(busybox, "echo ready > begun; sleep 60"))
    environ = {**os.environ, "MLPROJ_STORE": str(tmp_path / "store")}
    command = (*COMMAND, "run", ".", *ISOLATED)
    with ending(subprocess.Popen(command, cwd=project, env=environ, stderr=subprocess.DEVNULL)) as process:
        written(project / "begun")
        process.kill()
        process.wait()
    assert networks(client)
    killed: dict[str, Any] = mlproj("runs", "--json", cwd=project).document["runs"][0]
    assert killed["status"] == "KILLED"
    assert killed["run_id"] not in networks(client) | runs_with_containers(client)
