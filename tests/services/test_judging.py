"""Outputs of two runs in a real store, held against each other by content."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from mlproj.compare.judgement import Likeness
from mlproj.errors import Altered
from mlproj.model.digest import Digest, folder_manifest
from mlproj.model.run import Output, Run
from mlproj.model.tolerance import Tolerance, exact
from mlproj.services.judging import LARGEST, judge_outputs
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from tests.store.runs import begun, ended


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return open_store(tmp_path / ".mlproj", create=True)


def with_outputs(store: FolderStore, *outputs: Output) -> Run:
    run = ended(store.blobs, begun(store.blobs))
    assert run.outcome is not None
    return replace(run, outcome=replace(run.outcome, outputs=outputs))


def file(store: FolderStore, path: str, content: bytes) -> Output:
    digest = store.blobs.add_bytes(content)
    return Output(path=path, state="written", digest=digest, size=len(content))


def folder(store: FolderStore, path: str, files: dict[bytes, bytes]) -> Output:
    manifest = folder_manifest((name, store.blobs.add_bytes(content)) for name, content in files.items())
    return Output(path=path, state="written", kind="folder", digest=store.blobs.add_bytes(manifest))


def test_files_are_judged_one_by_one_also_in_folders(store: FolderStore) -> None:
    before = with_outputs(
        store,
        file(store, "metrics.json", b'{"rmse": 1.0}'),
        file(store, "same.bin", b"1"),
        folder(store, "report", {b"a.csv": b"x\n1\n", b"b.txt": b"b", b"gone": b"1"}),
    )
    after = with_outputs(
        store,
        file(store, "metrics.json", b'{"rmse": 1.001}'),
        file(store, "same.bin", b"1"),
        folder(store, "report", {b"a.csv": b"x\n1.0\n", b"b.txt": b"c"}),
    )
    judged = judge_outputs(store.blobs, before, after, lambda path: Tolerance(relative=0.01))
    assert [(each.path, each.judgement.likeness) for each in judged] == [
        ("metrics.json", Likeness.CLOSE),
        ("report/a.csv", Likeness.SAME),
        ("report/b.txt", Likeness.DIFFERENT),
        ("report/gone", Likeness.DIFFERENT),
    ]
    (first, *_) = judge_outputs(store.blobs, before, after, exact)
    assert first.judgement.likeness is Likeness.DIFFERENT and "`rmse` is 1.001" in first.judgement.why


def test_what_is_not_there_or_too_large_is_not_guessed_at(store: FolderStore) -> None:
    large = bytes(LARGEST + 1)
    before = with_outputs(store, file(store, "gone.json", b"[1]"), file(store, "large", large))
    after = with_outputs(store, file(store, "gone.json", b"[2]"), file(store, "large", large + b"1"))
    store.blobs.remove(Digest.of(b"[2]"))
    told = judge_outputs(store.blobs, before, after, exact)
    assert [each.judgement.likeness for each in told] == [Likeness.UNKNOWN] * 2
    assert "not kept" in told[0].judgement.why and "more than 64 MiB" in told[1].judgement.why


def test_a_list_of_files_that_was_altered_is_told(store: FolderStore) -> None:
    before = with_outputs(store, folder(store, "report", {b"a": b"1"}))
    output = folder(store, "report", {b"a": b"2"})
    assert output.digest is not None
    path = store.blobs.path(output.digest)
    path.chmod(0o600)
    path.write_bytes(b"nonsense\n")
    with pytest.raises(Altered, match="the output `report` is not what was recorded"):
        judge_outputs(store.blobs, before, with_outputs(store, output), exact)
