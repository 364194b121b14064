"""The auditor's walk: a run handed over in a file, done again without network where none of it was seen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from tests.conda_channels import forge
from tests.conftest import commit_all
from tests.engines import client, debian
from tests.examples import test_conda, test_elasticnet

__all__ = ["client", "debian"]

ALONE = ("unshare", "--net") if os.geteuid() == 0 else ()
"""Takes the network away; without the right to, what is asked of mlproj has to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A store and caches that no other machine has."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def call(
        self, *arguments: str | Path, cwd: Path, alone: bool = False
    ) -> subprocess.CompletedProcess[str]:
        caches = {name: str(self.folder / name) for name in ("MLPROJ_CACHE_DIR", "UV_CACHE_DIR")}
        environ = {**os.environ, **caches, "MLPROJ_STORE": str(self.folder / "store"), **self.variables}
        command = (*(ALONE if alone else ()), sys.executable, "-m", "mlproj", *arguments)
        return subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True)

    def told(self, *arguments: str | Path, cwd: Path) -> dict[str, Any]:
        done = self.call(*arguments, "--json", cwd=cwd)
        assert done.returncode == 0, done.stdout + done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A bundle, what the run was, and a machine that has seen neither it nor its project."""

    bundle: Path
    run: dict[str, Any]
    auditor: Machine

    def reproduce(self, *options: str | Path, code: int, alone: bool = True) -> dict[str, Any]:
        folder = self.auditor.folder / "desk"
        folder.mkdir(parents=True, exist_ok=True)
        done = self.auditor.call("reproduce", self.bundle, *options, "--json", cwd=folder, alone=alone)
        assert done.returncode == code, done.stdout + done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document


def handed_over(folder: Path, example: Path, parts: str, *options: str, **variables: str) -> Case:
    """Runs a project with changes that are not committed, and leaves nothing but the bundle."""
    maker = Machine(folder=folder / "maker", variables=variables)
    project = folder / "project"
    shutil.copytree(example, project, ignore=test_elasticnet.LEFT_BEHIND)
    commit_all(project)
    (project / "notes.txt").write_text("not committed\n")
    with next(iter(sorted(project.glob("*.py")))).open("a") as script:
        script.write("\n# not committed\n")
    run = maker.told("run", ".", *options, cwd=project)
    assert run["source"]["dirty"] is True
    bundle = folder / "run.zip"
    maker.told("export", run["run_id"], "-o", bundle, "--with", parts, cwd=project)
    shutil.rmtree(project)
    shutil.rmtree(maker.folder)
    return Case(bundle=bundle, run=run, auditor=Machine(folder=folder / "auditor"))


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("elasticnet")
    return handed_over(folder, test_elasticnet.EXAMPLE, "data,environment", "-e", "train", "-P", "alpha=0.3")


def test_it_is_identical_where_nothing_of_it_was_seen(net: Case) -> None:
    found = net.reproduce("--offline", code=0)
    assert found["verdict"]["grade"] == "identical"
    assert {item["grade"] for item in found["verdict"]["items"]} == {"identical"}
    assert found["reproduces"] == net.run["run_id"] and found["plan"] == net.run["plan"]
    assert found["source"]["snapshot"] == net.run["source"]["snapshot"]
    assert found["verdict"]["record"] == net.run["record"]


def test_a_changed_byte_of_the_bundle_ends_with_7(net: Case, tmp_path: Path) -> None:
    content = bytearray(net.bundle.read_bytes())
    content[content.index(b"age,sex,bmi") + 2] ^= 1
    (tmp_path / "run.zip").write_bytes(content)
    done = net.auditor.call("reproduce", tmp_path / "run.zip", "--offline", cwd=tmp_path, alone=True)
    assert done.returncode == 7 and "data/diabetes.csv" in done.stderr


def test_changed_data_is_refused_by_name_before_anything_runs(net: Case, tmp_path: Path) -> None:
    data = tmp_path / "diabetes.csv"
    shutil.copy(test_elasticnet.EXAMPLE / "data" / "diabetes.csv", data)
    content = bytearray(data.read_bytes())
    content[-2] ^= 1
    data.write_bytes(content)
    found = net.reproduce("--offline", "--data", data, code=6)
    assert found["verdict"]["failure"]["stage"] == "data"
    assert "`data`" in found["verdict"]["failure"]["reason"]
    assert found["verdict"]["runs"] == []
    varied = net.reproduce("--offline", "--override-data", f"data={data}", code=6)
    assert varied["verdict"]["grade"] == "different"
    assert [cause["kind"] for cause in varied["verdict"]["causes"]][:1] == ["data"]


def test_another_package_is_named(net: Case, tmp_path: Path) -> None:
    net.reproduce("--offline", code=0)
    state = net.auditor.told("show", net.run["run_id"], cwd=tmp_path)["environment"]
    name = state["lock_file"].removeprefix("sha256:")
    lock = (net.auditor.folder / "store" / "blobs" / "sha256" / name[:2] / name[2:]).read_text()
    pinned = tmp_path / "requirements.txt"
    packages = [block.split('"')[1::2][:2] for block in lock.split("[[packages]]")[1:]]
    pinned.write_text(
        "".join(f"{name}=={'1.5.2' if name == 'joblib' else version}\n" for name, version in packages)
    )
    uv = Path(sys.executable).with_name("uv")
    compiled = subprocess.run(
        (uv, "pip", "compile", "--quiet", "--no-header", "--format", "pylock.toml", pinned),
        capture_output=True,
        check=True,
        cwd=tmp_path,
    )
    (tmp_path / "pylock.toml").write_bytes(compiled.stdout)
    found = net.reproduce("--override-env", tmp_path / "pylock.toml", code=0, alone=False)
    (cause,) = [cause for cause in found["verdict"]["causes"] if cause["kind"] == "lock"]
    assert cause["details"] == ["`joblib` 1.5.3 -> 1.5.2"]
    assert "pylock.toml" in found["verdict"]["variations"][0]


@pytest.fixture(scope="module")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("wine")
    (folder / "channels").mkdir()
    (folder / "channels" / "conda-forge").symlink_to(forge(tmp_path_factory))
    case = handed_over(
        folder,
        test_conda.EXAMPLE,
        "data,environment",
        CONDA_CHANNEL_ALIAS=(folder / "channels").as_uri(),
    )
    shutil.rmtree(folder / "channels")
    return case


def test_a_conda_run_is_identical(wine: Case) -> None:
    found = wine.reproduce("--offline", code=0)
    assert found["verdict"]["grade"] == "identical"
    assert found["environment"]["kind"] == "conda" and found["plan"] == wine.run["plan"]


@pytest.fixture(scope="module")
def contained(debian: str, client: APIClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """A run in an image that only its bundle holds."""
    folder = tmp_path_factory.mktemp("contained")
    made = client.create_container(debian, "true")
    image = client.commit(made["Id"], "mlproj-test/audited", "1", message=str(folder))["Id"]
    client.remove_container(made["Id"])
    example = folder / "example"
    (example / "data").mkdir(parents=True)
    (example / "data" / "numbers.txt").write_text("1\n2\n3\n")
    (example / "sum.py").write_text(
        "import json\n"
        "total = sum(map(int, open('data/numbers.txt')))\n"
        "json.dump({'total': total}, open('metrics.json', 'w'))\n"
    )
    (example / "MLproject").write_text(
        "name: contained\ndocker_env: {image: 'mlproj-test/audited:1'}\nentry_points:\n  main:\n"
        "    command: python3 sum.py\n    inputs: [data]\n    metrics: [metrics.json]\n"
    )
    case = handed_over(folder, example, "data,image")
    client.remove_image(image, force=True)
    yield case
    client.remove_image(image, force=True)


def test_a_docker_run_is_identical(contained: Case, client: APIClient) -> None:
    found = contained.reproduce("--offline", code=0)
    assert found["verdict"]["grade"] == "identical"
    assert found["metrics"] == {"total": 6.0}
    assert found["environment"]["image"]["id"] == contained.run["environment"]["image"]["id"]
