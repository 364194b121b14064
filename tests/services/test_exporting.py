from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from mlproj.errors import Altered, DataError, EnvironmentFailed, UsageError
from mlproj.model.digest import Digest
from mlproj.model.run import Run
from mlproj.model.source import OmittedFile
from mlproj.services.bundle_verification import verify_bundle
from mlproj.store.folder import FolderStore
from tests.services.bundles import LIMITS, PARTS, TABLE, contents, export, run_with_data
from tests.store.runs import SOURCE, begun, ended


def sound(path: Path) -> bool:
    found = verify_bundle(path, LIMITS)
    assert found.problems == ()
    return found.sound


def test_a_bundle_holds_what_the_record_names(store: FolderStore, run: Run, tmp_path: Path) -> None:
    export(store, run, tmp_path / "run.zip")
    held = contents(tmp_path / "run.zip")
    (entry,) = store.entries()
    assert held["record.json"] == entry.payload
    assert Digest.of(held["chain/1.json"]) == entry.link
    assert run.plan is not None and Digest.of(held["plan.json"]) == run.plan.identity
    assert {name: held[f"source/{name.decode()}"] for name in SOURCE} == SOURCE
    assert held["outputs/model.bin"] == b"model" and held["outputs/report/img/a.svg"] == b"<svg>"
    assert held["logs/stdout"] == b"training\nloss 1\n"
    assert b"numpy" in held["lock/pylock.toml"]
    document = json.loads(held["bundle.json"])
    assert [(left["path"], left["reason"]) for left in document["left_out"]] == [
        ("outputs/plot.png", "the run did not write it")
    ]
    assert sound(tmp_path / "run.zip")


def test_coreutils_confirm_it(store: FolderStore, run: Run, tmp_path: Path) -> None:
    export(store, run, tmp_path / "run.zip")
    out = tmp_path / "out"
    subprocess.run(("unzip", "-q", tmp_path / "run.zip", "-d", out), check=True)
    subprocess.run(
        ("sha256sum", "--check", "--quiet", "--strict", "manifest-sha256.txt"), cwd=out, check=True
    )
    listed = {line[66:] for line in (out / "manifest-sha256.txt").read_text().splitlines()}
    there = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert listed == there - {"manifest-sha256.txt"}
    # As the documentation has it.
    line = "find -L . -type f | cut -c3- | LC_ALL=C sort | xargs -d '\\n' sha256sum -- | sha256sum"
    found = subprocess.run(
        ("bash", "-c", line), cwd=out / "outputs" / "report", capture_output=True, text=True, check=True
    )
    assert run.outcome is not None
    (report,) = [output for output in run.outcome.outputs if output.path == "report"]
    assert found.stdout.split()[0] == (report.digest or report.path)[7:]


def test_twice_is_the_same_bytes(store: FolderStore, tmp_path: Path) -> None:
    run = run_with_data(store, tmp_path / "project")
    export(store, run, tmp_path / "one.zip", "data")
    export(store, run, tmp_path / "two.zip", "data")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_data_goes_along_if_it_is_asked_for(store: FolderStore, tmp_path: Path) -> None:
    run = run_with_data(store, tmp_path / "project")
    assert not any(name.startswith("data/") for name in _names(store, run, tmp_path / "without.zip"))
    found = export(store, run, tmp_path / "with.zip", "data")
    held = contents(tmp_path / "with.zip")
    assert held["data/data.csv"] == TABLE
    assert {path: held[f"data/parts/{path.decode()}"] for path in PARTS} == PARTS
    assert ("data/far/x", None) in [(left.path, left.digest) for left in found.left_out]
    assert sound(tmp_path / "with.zip")


def _names(store: FolderStore, run: Run, path: Path) -> set[str]:
    export(store, run, path)
    return set(contents(path))


@pytest.mark.parametrize("path", ["data.csv", "parts/one.csv"])
def test_data_that_changed_is_named_and_no_file_is_left(
    store: FolderStore, tmp_path: Path, path: str
) -> None:
    run = run_with_data(store, tmp_path / "project")
    (tmp_path / "project" / path).write_bytes(b"!,y\n1,2\n" if path == "data.csv" else b"3\n")
    with pytest.raises(DataError, match=r"data\.csv|parts"):
        export(store, run, tmp_path / "run.zip", "data")
    assert sorted(each.name for each in tmp_path.iterdir()) == [".mlproj", "project"]


def test_data_that_is_gone_is_named(store: FolderStore, tmp_path: Path) -> None:
    run = run_with_data(store, tmp_path / "project")
    (tmp_path / "project" / "data.csv").unlink()
    with pytest.raises(DataError, match="`table` is not where it was"):
        export(store, run, tmp_path / "run.zip", "data")


def test_data_that_the_store_holds_need_not_be_where_it_was(store: FolderStore, tmp_path: Path) -> None:
    run = run_with_data(store, tmp_path / "project")
    store.blobs.add_bytes(TABLE)
    (tmp_path / "project" / "data.csv").unlink()
    export(store, run, tmp_path / "run.zip", "data")
    assert contents(tmp_path / "run.zip")["data/data.csv"] == TABLE


@pytest.mark.parametrize("part", ["environment", "image"])
def test_a_kind_without_such_a_part_is_refused(store: FolderStore, tmp_path: Path, part: str) -> None:
    run = begun(store.blobs)
    assert run.job is not None
    environment = replace(run.job.environment, kind="system", lock_format="installed")
    run = replace(run, job=replace(run.job, environment=environment))
    with store.begin(run):
        run = store.seal(ended(store.blobs, run))
    with pytest.raises(EnvironmentFailed, match="a run in a system environment has no"):
        export(store, run, tmp_path / "run.zip", part)


def test_what_the_snapshot_does_not_hold_is_named(store: FolderStore, tmp_path: Path) -> None:
    run = begun(store.blobs)
    assert run.job is not None
    omitted = (
        OmittedFile(path=".env", reason="it looks like a secret"),
        OmittedFile(path="train.py", reason="it is too large", digest=Digest.of(SOURCE[b"train.py"])),
    )
    run = replace(run, job=replace(run.job, source=replace(run.job.source, omitted=omitted)))
    with store.begin(run):
        run = store.seal(ended(store.blobs, run))
    found = export(store, run, tmp_path / "run.zip")
    told = {left.path: (left.reason, left.digest) for left in found.left_out}
    assert told["source/.env"] == ("it looks like a secret", None)
    assert told["source/train.py"] == ("it is too large", omitted[1].digest)
    assert "source/train.py" not in contents(tmp_path / "run.zip")
    assert sound(tmp_path / "run.zip")


def test_a_file_that_is_there_is_replaced_only_by_force(store: FolderStore, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "run.zip"
    path.write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        export(store, run, path)
    assert path.read_text() == "mine"
    export(store, run, path, force=True)
    assert sound(path)


def test_a_bundle_is_for_whoever_may_read_files_of_its_maker(
    store: FolderStore, run: Run, tmp_path: Path
) -> None:
    export(store, run, tmp_path / "run.zip")
    assert stat.S_IMODE((tmp_path / "run.zip").stat().st_mode) == 0o644
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".run")] == []


def test_content_that_was_altered_in_the_store_goes_nowhere(
    store: FolderStore, run: Run, tmp_path: Path
) -> None:
    path = store.blobs.path(Digest.of(b"model"))
    path.chmod(0o600)
    path.write_bytes(b"MODEL")
    with pytest.raises(Altered, match=r"`outputs/model\.bin` is not what was recorded"):
        export(store, run, tmp_path / "run.zip")
    assert not (tmp_path / "run.zip").exists()


def test_a_run_that_goes_on_is_refused(store: FolderStore, tmp_path: Path) -> None:
    run = begun(store.blobs)
    with store.begin(run):
        with pytest.raises(UsageError, match="has not ended"):
            export(store, store.find(run.run_id), tmp_path / "run.zip")
        store.seal(ended(store.blobs, run))


ODD = {
    b"README": b"1",
    b"readme": b"2",
    b"back\\slash": b"3",
    b"new\nline": b"4",
    b"latin-\xe9": b"5",
    "cafe\u0301".encode(): b"6",
    "caf\u00e9".encode(): b"7",
    b"x" * 255 + b"/" + b"y" * 255: b"8",
    b"with space": b"9",
    b"C:drive": b"10",
}


def test_names_that_are_not_the_same_everywhere_lie_elsewhere(store: FolderStore, tmp_path: Path) -> None:
    run = run_with_data(store, tmp_path / "project", source=ODD)
    export(store, run, tmp_path / "run.zip")
    held = contents(tmp_path / "run.zip")
    elsewhere = json.loads(held["bundle.json"])["elsewhere"]
    assert held["source/README"] == b"1" and held["source/with space"] == b"9"
    assert {held[place] for place in elsewhere.values()} == {b"2", b"3", b"4", b"5", b"7", b"10"}
    assert set(elsewhere) >= {"source/readme", "source/back\\slash", "source/latin-\\xe9"}
    assert sound(tmp_path / "run.zip")


@pytest.mark.parametrize("path", [b"../evil", b"/evil", b"a/../../evil", b"a//b"])
def test_a_source_that_leads_out_of_its_folder_is_not_handed_over(
    store: FolderStore, tmp_path: Path, path: bytes
) -> None:
    run = run_with_data(store, tmp_path / "project", source={path: b"x"})
    with pytest.raises(Altered, match="leads out of its folder"):
        export(store, run, tmp_path / "run.zip")
