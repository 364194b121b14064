"""Third parties verify what mlproj signs: their packages, in a virtualenv of their own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mlproj.exports.keys import KeyType, PrivateKey
from mlproj.services.attestation import attest
from mlproj.services.checkpoint import note
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from tests.mlflow_clients import Recipe, built_once
from tests.store.runs import DATA, begun, ended

RECIPE = Recipe(
    requirements=("in-toto-attestation==0.9.3", "securesystemslib[crypto]==1.6.0"),
    pythons=("3.12", "3.11", "3.13", "3.10"),
)
PROGRAM = Path(__file__).with_name("third_party.py")


@pytest.fixture(scope="session")
def reader(isolation: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_once("in-toto", RECIPE, tmp_path_factory.mktemp("probes"), "in-toto packages")


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    store = open_store(tmp_path / ".mlproj", create=True)
    run = begun(store.blobs, name="trained")
    with store.begin(run):
        store.seal(ended(store.blobs, run))
    return store


def told(reader: Path, envelope: bytes, key: PrivateKey, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "envelope.json").write_bytes(envelope)
    (folder / "key.pub.pem").write_text(key.public.pem)
    # -I: nothing of ours is on its path.
    command = (reader, "-I", PROGRAM, "envelope.json", "key.pub.pem")
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("kind", KeyType)
def test_their_packages_verify_and_parse_an_attestation(
    kind: KeyType, store: FolderStore, reader: Path, tmp_path: Path
) -> None:
    key, run = PrivateKey.new(kind), store.find("trained")
    answer = told(reader, attest(store, run, key, "https://ci.example.org/job/1"), key, tmp_path)
    assert answer.returncode == 0, answer.stderr
    said: dict[str, Any] = json.loads(answer.stdout)
    assert said["keyids"] == [key.keyid]
    assert run.outcome is not None and run.record is not None
    subjects = {item["name"]: item["digest"] for item in said["statement"]["subject"]}
    model, report, _ = run.outcome.outputs
    assert model.digest is not None and report.digest is not None
    assert subjects == {"model.bin": {"sha256": model.digest.hex}, "report": {"dirHash": report.digest.hex}}
    definition, details = said["provenance"]["buildDefinition"], said["provenance"]["runDetails"]
    assert definition["externalParameters"]["entryPoint"] == "train"
    assert definition["externalParameters"]["parameters"] == {"alpha": 0.5, "kind": "linear model"}
    needed = {item["name"]: item.get("digest") for item in definition["resolvedDependencies"]}
    assert needed["source"] == {"gitCommit": "c" * 40}
    assert needed["data/data"] == {"sha256": DATA.hex}
    assert {"source snapshot", "lock", "python"} < set(needed)
    assert details["builder"]["id"] == "https://ci.example.org/job/1"
    assert details["metadata"]["invocationId"] == run.run_id
    assert details["metadata"]["startedOn"].startswith("2026-11-24T06:00:01")
    made = {item["name"]: item["digest"]["sha256"] for item in details["byproducts"]}
    assert made["record"] == run.record.hex and {"stdout", "stderr"} < set(made)


@pytest.mark.parametrize("kind", KeyType)
def test_they_verify_a_checkpoint(kind: KeyType, store: FolderStore, reader: Path, tmp_path: Path) -> None:
    key = PrivateKey.new(kind)
    answer = told(reader, note(store, key, "here", "2026-11-24T06:00:00.000Z"), key, tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == {
        "keyids": [key.keyid],
        "payload_type": "application/vnd.mlproj.checkpoint+json",
    }


def test_they_refuse_what_was_changed(store: FolderStore, reader: Path, tmp_path: Path) -> None:
    key = PrivateKey.new(KeyType.ED25519)
    envelope = attest(store, store.find("trained"), key, "urn:here")
    document = json.loads(envelope)
    document["payloadType"] = "application/json"
    answer = told(reader, json.dumps(document).encode(), key, tmp_path)
    assert answer.returncode != 0 and "VerificationError" in answer.stderr
