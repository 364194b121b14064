from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from mlproj.errors import Altered
from mlproj.model.run import Run
from mlproj.services.diff import SIZE_LIMIT, Patch, diff
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from tests.store.runs import LOCK, SOURCE, begun, ended

NEWER_LOCK = (
    b'lock-version = "1.0"\n[[packages]]\nname = "numpy"\nversion = "2.1.0"\n'
    b'[[packages]]\nname = "six"\nversion = "1.17.0"\n'
)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return open_store(tmp_path / ".mlproj", create=True)


def run_of(store: FolderStore, source: dict[bytes, bytes], lock: bytes = LOCK) -> Run:
    return ended(store.blobs, begun(store.blobs, source=source, lock=lock))


def patches(store: FolderStore, before: dict[bytes, bytes], after: dict[bytes, bytes]) -> tuple[Patch, ...]:
    return diff(store, run_of(store, before), run_of(store, after)).patches


def test_source_differs_as_a_patch(store: FolderStore) -> None:
    after = {**SOURCE, b"train.py": b"print('training')\nprint('more')", b"new.py": b"x = 1\n"}
    del after[b"MLproject"]
    assert [patch.text for patch in patches(store, dict(SOURCE), after)] == [
        "--- a/MLproject\n+++ /dev/null\n@@ -1 +0,0 @@\n-name: sample\n",
        "--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+x = 1\n",
        "--- a/train.py\n+++ b/train.py\n@@ -1 +1,2 @@\n print('training')\n+print('more')\n"
        "\\ No newline at end of file\n",
    ]


@pytest.mark.parametrize(
    ("content", "note"),
    [(b"\x00\x01", "not text"), (b"\xff\xfe", "not text"), (b"x" * (SIZE_LIMIT + 1), "too large")],
)
def test_what_cannot_be_shown_line_by_line_is_named(store: FolderStore, content: bytes, note: str) -> None:
    (patch,) = patches(store, {b"data": b"text\n"}, {b"data": content})
    assert patch.text == "" and patch.note is not None and note in patch.note


def test_a_file_that_was_not_kept_is_named(store: FolderStore) -> None:
    before, after = run_of(store, {b"data": b"one\n"}), run_of(store, {b"data": b"two\n"})
    store.blobs.remove(
        next(digest for digest in store.blobs.digests() if store.blobs.path(digest).read_bytes() == b"two\n")
    )
    (patch,) = diff(store, before, after).patches
    assert patch == Patch(path="data", note="its content was not kept")


def test_locks_differ_by_package(store: FolderStore) -> None:
    found = diff(store, run_of(store, dict(SOURCE)), run_of(store, dict(SOURCE), NEWER_LOCK)).difference
    assert [(change.name, change.before, change.after) for change in found.packages] == [
        ("numpy", "2.0.0", "2.1.0"),
        ("six", None, "1.17.0"),
    ]
    assert found.same_plan is False
    assert found.files == ()


def test_a_run_does_not_differ_from_itself(store: FolderStore) -> None:
    run = run_of(store, dict(SOURCE))
    found = diff(store, run, run)
    assert found.patches == ()
    assert found.difference.same_plan is True
    assert [metric.delta for metric in found.difference.metrics] == [0.0, 0.0]


def test_a_lock_that_cannot_be_read_and_a_run_from_elsewhere_are_compared_all_the_same(
    store: FolderStore,
) -> None:
    before, after = run_of(store, dict(SOURCE)), run_of(store, dict(SOURCE), b"= nonsense")
    assert diff(store, before, after).difference.packages == ()
    foreign = replace(before, plan=None, job=None)
    assert diff(store, before, foreign).difference.same_plan is None


def test_an_altered_manifest_is_told(store: FolderStore) -> None:
    run = run_of(store, dict(SOURCE))
    assert run.job is not None
    store.blobs.path(run.job.source.snapshot).write_bytes(b"nonsense\n")
    with pytest.raises(Altered, match="list of source files"):
        diff(store, run, run)
