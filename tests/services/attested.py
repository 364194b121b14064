"""A store with an attestation and a checkpoint, for tests that tamper with them."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlproj.exports.intoto import BUILDER
from mlproj.exports.keys import KeyType, PrivateKey
from mlproj.model.run import Run
from mlproj.services.attestation import Attestations, attest
from mlproj.services.checkpoint import Growth, note, read_checkpoint
from mlproj.services.findings import Problem
from mlproj.services.verify import Verification, verify
from mlproj.store.database import FILE
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from tests.store.runs import begun, ended

KEY, OTHER = PrivateKey.new(KeyType.ED25519), PrivateKey.new(KeyType.ECDSA)
NOON = "2026-11-24T12:00:00.000Z"


def record(store: FolderStore, name: str) -> Run:
    run = begun(store.blobs, name=name)
    with store.begin(run):
        return store.seal(ended(store.blobs, run, model=b"model of " + name.encode()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """A store with three runs, of which the second is attested, and a checkpoint of it as it is."""

    store: FolderStore
    envelope: bytes
    checkpoint: bytes

    def execute(self, *statements: str) -> None:
        with contextlib.closing(sqlite3.connect(self.store.root / FILE)) as connection, connection:
            for statement in statements:
                assert connection.execute(statement).rowcount > 0, "the tampering changed nothing"

    def verified(self, *keys: PrivateKey) -> tuple[Verification, Attestations]:
        attestations = Attestations([key.public for key in keys])
        return verify(self.store, further=[attestations]), attestations

    def against(self) -> tuple[Problem, ...]:
        noted = read_checkpoint(self.checkpoint, "checkpoint.json", [KEY.public])
        return verify(self.store, further=[Growth(noted)]).problems


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, bytes]:
    root = tmp_path_factory.mktemp("attested") / ".mlproj"
    store = open_store(root, create=True)
    for name in ("first", "second", "third"):
        record(store, name)
    envelope = attest(store, store.find("second"), KEY, BUILDER)
    noted = note(store, KEY, "here", NOON)
    store.close()
    return root, envelope, noted


@pytest.fixture
def attested(made: tuple[Path, bytes, bytes], tmp_path: Path) -> Iterator[Attested]:
    root, envelope, noted = made
    shutil.copytree(root, tmp_path / ".mlproj")
    store = open_store(tmp_path / ".mlproj", create=False)
    yield Attested(store=store, envelope=envelope, checkpoint=noted)
    store.close()
