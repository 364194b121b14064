"""The example run handed over: confirmed by coreutils and a validator of RO-Crates, and brought in again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import commit_all
from tests.examples.test_elasticnet import EXAMPLE, LEFT_BEHIND
from tests.roc_validator import Validate, validate

__all__ = ["validate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """A run of a dirty tree, and the bundle of it with everything that can be taken along."""

    folder: Path
    run: dict[str, Any]
    exported: dict[str, Any]

    @property
    def bundle(self) -> Path:
        return self.folder / "run.zip"

    @property
    def unpacked(self) -> Path:
        return self.folder / "unpacked"


def mlproj(*arguments: str | Path, store: Path, cwd: Path, code: int = 0) -> str:
    done = subprocess.run(
        (sys.executable, "-m", "mlproj", *arguments),
        cwd=cwd,
        env={**os.environ, "MLPROJ_STORE": str(store)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def handed(tmp_path_factory: pytest.TempPathFactory) -> Handed:
    folder = tmp_path_factory.mktemp("handed")
    project = folder / "elasticnet"
    shutil.copytree(EXAMPLE, project, ignore=LEFT_BEHIND)
    commit_all(project)
    with (project / "train.py").open("a") as script:
        script.write("\n# not committed\n")
    (project / ".env").write_text("TOKEN=secret\n")
    store = folder / "store"
    run = json.loads(mlproj("run", ".", "-e", "train", "--json", store=store, cwd=project))
    told = mlproj(
        *("export", "last", "-o", folder / "run.zip", "--with", "data,environment", "--json"),
        store=store,
        cwd=project,
    )
    subprocess.run(("unzip", "-q", folder / "run.zip", "-d", folder / "unpacked"), check=True)
    return Handed(folder=folder, run=run, exported=json.loads(told))


def test_sha256sum_confirms_every_file(handed: Handed) -> None:
    subprocess.run(
        ("sha256sum", "--check", "--quiet", "--strict", "manifest-sha256.txt"),
        cwd=handed.unpacked,
        check=True,
    )


def test_digests_of_the_record_are_those_of_the_files(handed: Handed) -> None:
    def digest(path: str) -> str:
        return f"sha256:{hashlib.sha256((handed.unpacked / path).read_bytes()).hexdigest()}"

    assert digest("record.json") == handed.run["record"]
    assert digest("plan.json") == handed.run["plan"]
    assert digest("data/data/diabetes.csv") == handed.run["inputs"][0]["digest"]
    outputs = {output["path"]: output["digest"] for output in handed.run["outputs"]}
    assert digest("outputs/model.joblib") == outputs["model.joblib"]
    snapshot = handed.run["source"]["snapshot"]
    assert digest(f"manifests/{snapshot.removeprefix('sha256:')}.txt") == snapshot
    assert (handed.unpacked / "source" / "train.py").read_text().endswith("# not committed\n")


def test_secrets_are_named_and_not_handed_over(handed: Handed) -> None:
    assert not (handed.unpacked / "source" / ".env").exists()
    assert b"TOKEN=secret" not in handed.bundle.read_bytes()
    assert "source/.env" in [left["path"] for left in handed.exported["left_out"]]


def test_every_package_of_the_lock_is_there(handed: Handed) -> None:
    lock = (handed.unpacked / "lock" / "pylock.toml").read_text()
    packages = sorted(path.name.split("-")[0] for path in (handed.unpacked / "environment").iterdir())
    assert len(packages) == handed.run["environment"]["packages"] == lock.count("[[packages]]")
    assert {"numpy", "scikit_learn", "pip"} <= set(packages)


def test_the_validator_of_ro_crates_passes_it(handed: Handed, validate: Validate) -> None:
    for crate in (handed.bundle, handed.unpacked):
        report = validate(crate)
        assert report["issues"] == [] and report["passed"] is True
        assert report["checks"] > 40


def test_the_validator_would_not_pass_everything(handed: Handed, validate: Validate, tmp_path: Path) -> None:
    crate = tmp_path / "crate"
    shutil.copytree(handed.unpacked, crate)
    metadata = json.loads((crate / "ro-crate-metadata.json").read_text())
    for entity in metadata["@graph"]:
        entity.pop("instrument", None)
    (crate / "ro-crate-metadata.json").write_text(json.dumps(metadata))
    report = validate(crate)
    assert report["passed"] is False
    assert any("instrument" in issue["message"] for issue in report["issues"])


def test_the_crate_tells_of_the_run(handed: Handed) -> None:
    graph = json.loads((handed.unpacked / "ro-crate-metadata.json").read_text())["@graph"]
    entities = {entity["@id"]: entity for entity in graph}
    assert len(entities) == len(graph), "each entity once"
    (action,) = [entity for entity in graph if entity["@type"] == "CreateAction"]
    times = [action[key].replace("+00:00", "Z") for key in ("startTime", "endTime")]
    assert times == [handed.run["started"], handed.run["ended"]]
    assert entities[action["instrument"]["@id"]]["name"] == "elasticnet: train"
    assert {each["@id"] for each in action["object"]} >= {"data/data/diabetes.csv", "#parameter-alpha"}
    assert {each["@id"] for each in action["result"]} == {"outputs/model.joblib", "outputs/metrics.json"}
    assert entities["outputs/model.joblib"]["sha256"] == (
        hashlib.sha256((handed.unpacked / "outputs" / "model.joblib").read_bytes()).hexdigest()
    )


def test_it_is_a_run_of_another_store(handed: Handed, tmp_path: Path) -> None:
    def there(*arguments: str | Path) -> str:
        return mlproj(*arguments, store=tmp_path / "other", cwd=tmp_path)

    assert json.loads(there("verify", handed.bundle, "--json"))["sound"] is True
    told = json.loads(there("import", handed.bundle, "--json"))
    assert told["new"] is True and told["record"] == handed.run["record"]
    shown = json.loads(there("show", "last", "--json"))
    for key in ("run_id", "plan", "metrics", "parameters", "source", "outputs", "environment"):
        assert shown[key] == handed.run[key], key
    there("verify")
    there("diff", "last", handed.run["run_id"])
    there("gc", "--grace", "1s")
    there("verify")
    there("artifacts", "last", "get", "model.joblib", "--to", str(tmp_path))
    assert (tmp_path / "model.joblib").read_bytes() == (
        handed.unpacked / "outputs" / "model.joblib"
    ).read_bytes()
    shutil.move(handed.folder / "elasticnet", handed.folder / "moved")
    try:
        there("export", "last", "-o", tmp_path / "again.zip", "--with", "data,environment")
    finally:
        shutil.move(handed.folder / "moved", handed.folder / "elasticnet")
    there("verify", tmp_path / "again.zip")
    there("rm", "last")
    there("gc", "--grace", "1s")
    there("verify")
    assert not list((tmp_path / "other" / "blobs" / "sha256").rglob("*/*"))


def test_a_changed_byte_is_named_and_keeps_it_out(handed: Handed, tmp_path: Path) -> None:
    content = bytearray(handed.bundle.read_bytes())
    place = content.index(b"alpha") + 1
    content[place] ^= 1
    (tmp_path / "bad.zip").write_bytes(content)
    told = mlproj("verify", tmp_path / "bad.zip", store=tmp_path / "other", cwd=tmp_path, code=7)
    assert "has been altered" in told
    mlproj("import", tmp_path / "bad.zip", store=tmp_path / "other", cwd=tmp_path, code=7)
    assert not (tmp_path / "other").exists()
