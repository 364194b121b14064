from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from mlproj.errors import Altered, UsageError
from mlproj.model.digest import Digest
from mlproj.model.run import Output, Run
from mlproj.services.artifacts import artifacts, get_artifact
from mlproj.store.folder import FolderStore


def test_artifacts_are_listed_file_by_file(store: FolderStore, run: Run) -> None:
    assert [(item.path, item.size, item.state) for item in artifacts(store, run)] == [
        ("model.bin", 5, "written"),
        ("report/img/a.svg", 5, "written"),
        ("report/index.html", 3, "written"),
        ("plot.png", 0, "missing"),
    ]


def test_an_artifact_is_copied_out(store: FolderStore, run: Run, tmp_path: Path) -> None:
    assert get_artifact(store, run, "model.bin", tmp_path) == (tmp_path / "model.bin",)
    assert (tmp_path / "model.bin").read_bytes() == b"model"
    get_artifact(store, run, "report/index.html", tmp_path / "new.html")
    assert (tmp_path / "new.html").read_bytes() == b"<p>"
    get_artifact(store, run, "report/", tmp_path / "copy")
    assert (tmp_path / "copy" / "img" / "a.svg").read_bytes() == b"<svg>"
    (tmp_path / "there").mkdir()
    get_artifact(store, run, "report", tmp_path / "there")
    assert (tmp_path / "there" / "report" / "index.html").read_bytes() == b"<p>"
    get_artifact(store, run, ".", tmp_path / "all")
    assert (tmp_path / "all" / "report" / "index.html").read_bytes() == b"<p>"


def test_an_artifact_that_is_not_there_or_in_the_way_is_refused(
    store: FolderStore, run: Run, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="left no file") as unknown:
        get_artifact(store, run, "model.bni", tmp_path)
    assert unknown.value.hint == "did you mean `model.bin`?"
    with pytest.raises(UsageError, match="left no file"):
        get_artifact(store, run, "plot.png", tmp_path)
    (tmp_path / "model.bin").touch()
    with pytest.raises(UsageError, match="there already"):
        get_artifact(store, run, "model.bin", tmp_path)


def test_an_altered_artifact_is_not_handed_out(store: FolderStore, run: Run, tmp_path: Path) -> None:
    store.blobs.path(Digest.of(b"model")).write_bytes(b"other")
    with pytest.raises(Altered):
        get_artifact(store, run, "model.bin", tmp_path)
    assert not (tmp_path / "model.bin").exists()


def test_an_altered_list_of_files_leads_out_of_no_folder(
    store: FolderStore, run: Run, tmp_path: Path
) -> None:
    assert run.outcome is not None
    listing = store.blobs.add_bytes(f"{Digest.of(b'model').hex}  ../../stray\n".encode())
    output = Output(path="report", state="written", kind="folder", digest=listing)
    altered = replace(run, outcome=replace(run.outcome, outputs=(output,)))
    with pytest.raises(Altered, match="outside"):
        get_artifact(store, altered, "report", tmp_path / "a" / "b")
    assert not (tmp_path / "stray").exists()
