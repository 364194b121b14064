"""One project under every kind of environment: the same results, and a record of the same shape."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlproj.model.digest import Digest
from tests.cli.conftest import Mlproj, mlproj
from tests.conda_channels import forge
from tests.conftest import ProjectMaker, need
from tests.engines import DEBIAN, client, debian

__all__ = ["client", "debian", "mlproj"]

KINDS = {"local": "system", "virtualenv": "virtualenv", "conda": "conda", "docker": "docker"}
"""What `--env-manager` is told, and what the record calls it."""
DECLARED = {
    "virtualenv": "python_env: python_env.yaml\n",
    "conda": "conda_env: conda.yaml\n",
    "docker": f"docker_env: {DEBIAN}\n",
}

PROJECT = """\
name: same
entry_points:
  main:
    parameters: {number: {type: int, default: 3}, data: {type: path, default: data.txt}}
    inputs: [further.txt]
    outputs: [out.txt]
    metrics: [metrics.json]
    command: python3 work.py {number} {data} && echo "it's done"
"""
WORK = """\
import json, os, sys
number, data = int(sys.argv[1]), open(sys.argv[2]).read()
open("out.txt", "w").write(data * number + open("further.txt").read())
open("metrics.json", "w").write(json.dumps({"length": len(data) * number}))
open(os.path.join(os.environ["MLPROJ_OUTPUT_DIR"], "more.txt"), "w").write("more")
print(os.environ.get("VIRTUAL_ENV") == "/the/callers/own", "/the/callers/own" in sys.path)
"""


@pytest.fixture
def project_for(
    make_project: ProjectMaker, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Callable[[str], Path]:
    """Makes the project with the environment that the manager is for, on a machine that can have it."""

    def project(manager: str) -> Path:
        files = {"work.py": WORK, "data.txt": "some data\n", "further.txt": "!\n"}
        files |= {"python_env.yaml": "dependencies: []\n", "MLproject": DECLARED.get(manager, "") + PROJECT}
        if manager == "docker":
            request.getfixturevalue("debian")
        if manager == "conda":
            source = forge(tmp_path_factory).as_uri()
            files["conda.yaml"] = f"channels: [{source}, nodefaults]\ndependencies: [python]\n"
        return make_project(files)

    return project


def document(mlproj: Mlproj, project: Path, manager: str, **variables: str) -> dict[str, Any]:
    given = ("--env-manager", manager, "-P", "number=4", "--json")
    answer = mlproj("run", ".", *given, cwd=project, variables=variables)
    assert answer.code == 0, answer.stderr
    return answer.document


def shape(value: Any) -> Any:
    """The names in a document, and of what type each is; of lists what is in the first place."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


@pytest.mark.parametrize("manager", KINDS)
def test_the_same_project_does_the_same(
    manager: str, project_for: Callable[[str], Path], mlproj: Mlproj
) -> None:
    project = project_for(manager)
    run = document(mlproj, project, manager)
    assert run["environment"]["kind"] == KINDS[manager]
    assert run["metrics"] == {"length": 40}
    assert {item["path"]: item["digest"] for item in run["outputs"]} == {
        "out.txt": Digest.of(b"some data\n" * 4 + b"!\n"),
        "metrics.json": Digest.of(b'{"length": 40}'),
        "artifacts/more.txt": Digest.of(b"more"),
    }
    assert {item["name"]: item["digest"] for item in run["inputs"]} == {
        "data": Digest.of(b"some data\n"),
        "further.txt": Digest.of(b"!\n"),
    }
    local = document(mlproj, project, "local")
    for differing in ("environment", "source", "notes"):
        one, other = run.pop(differing), local.pop(differing)
        assert list(one) == list(other)
    assert shape(run) == shape(local)


@pytest.mark.parametrize("manager", KINDS)
def test_it_does_the_same_in_isolation(
    manager: str, project_for: Callable[[str], Path], mlproj: Mlproj
) -> None:
    need("bubblewrap", manager == "docker" or shutil.which("bwrap") is not None)
    project = project_for(manager)
    plain = document(mlproj, project, manager)
    given = ("--env-manager", manager, "-P", "number=4", "--isolated", "--json")
    answer = mlproj("run", ".", *given, cwd=project)
    assert answer.code == 0, answer.stderr
    isolated = answer.document
    assert isolated["isolation"] == {"readable": [], "variables": [], "network": False}
    for same in ("plan", "outputs", "inputs", "metrics", "environment"):
        assert isolated[same] == plain[same]


@pytest.mark.parametrize("manager", DECLARED)
def test_nothing_of_the_callers_python_gets_in(
    manager: str, project_for: Callable[[str], Path], mlproj: Mlproj
) -> None:
    project = project_for(manager)
    document(mlproj, project, manager, VIRTUAL_ENV="/the/callers/own", PYTHONPATH="/the/callers/own")
    assert mlproj("logs", "last", cwd=project).stdout.startswith("False False\n")


@pytest.mark.parametrize("manager", KINDS)
def test_a_run_is_done_again_where_nothing_is_left_of_it(
    manager: str, project_for: Callable[[str], Path], mlproj: Mlproj, tmp_path: Path
) -> None:
    project = project_for(manager)
    run = document(mlproj, project, manager)
    shutil.copytree(project, tmp_path / "elsewhere")
    shutil.rmtree(project)
    answer = mlproj("reproduce", run["run_id"], "--data", tmp_path / "elsewhere", "--json")
    assert answer.code == 0, answer.stdout + answer.stderr
    again = answer.document
    assert again["verdict"]["grade"] == "identical"
    assert (again["plan"], again["reproduces"]) == (run["plan"], run["run_id"])
    assert again["environment"]["lock"] == run["environment"]["lock"]
    assert again["verdict"]["causes"] == []
