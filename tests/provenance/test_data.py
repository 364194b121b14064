"""Digests of data, which `sha256sum` confirms."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlproj.errors import DataError
from mlproj.model.digest import Digest
from mlproj.model.events import Event, Progress
from mlproj.model.record import encode
from mlproj.ports import ObservedInput
from tests.provenance.conftest import Look

COREUTILS = (
    "find -L . -type f -print0 | cut -z -c3- | LC_ALL=C sort -z | xargs -r -0 sha256sum -- | sha256sum"
)


def sha256sum(folder: Path) -> str:
    """What coreutils make of a folder; as the line in `folder_manifest`, for names with newlines too."""
    done = subprocess.run(("bash", "-c", COREUTILS), cwd=folder, capture_output=True, text=True, check=True)
    return f"sha256:{done.stdout.split()[0]}"


def digest(look: Look, path: Path, project: Path | None = None) -> ObservedInput:
    return look.observer.data("data", path, project or path.parent, declared=True, report=look.events.append)


def test_a_file(look: Look, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n")
    seen = digest(look, tmp_path / "x.csv")
    line = subprocess.run(("sha256sum", "x.csv"), cwd=tmp_path, capture_output=True, text=True, check=True)
    assert seen.state.digest == f"sha256:{line.stdout.split()[0]}"
    assert (seen.state.path, seen.state.kind, seen.state.size, seen.state.files) == ("x.csv", "file", 4, 1)


def test_paths_are_project_relative_inside_and_absolute_outside(look: Look, tmp_path: Path) -> None:
    (tmp_path / "p" / "d").mkdir(parents=True)
    (tmp_path / "p" / "d" / "x").write_text("")
    (tmp_path / "y").write_text("")
    (tmp_path / "link").symlink_to("p")
    assert digest(look, tmp_path / "p" / "d" / "x", tmp_path / "p").state.path == "d/x"
    assert digest(look, tmp_path / "p" / "d" / "x", tmp_path / "link").state.path == "d/x"
    assert digest(look, tmp_path / "y", tmp_path / "p").state.path == str(tmp_path / "y")


def test_a_folder_is_confirmed_by_coreutils(look: Look, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "sub" / "deeper").mkdir(parents=True)
    (data / "empty").mkdir()
    names = (
        b"a",
        b"sub.x",
        b"sub/b",
        b"sub/deeper/c",
        b"new\nline",
        b"back\\slash",
        b"cr\rx",
        b"no utf-8 \xff",
        b" s ",
    )
    for name in names:
        with open(os.path.join(bytes(data), name), "wb") as file:
            file.write(name * 3)
    seen = digest(look, data)
    assert seen.state.digest == sha256sum(data)
    assert (seen.state.kind, seen.state.files, seen.state.path) == ("folder", len(names), "data")
    assert seen.state.size == sum(len(name) * 3 for name in names)
    assert encode(seen.state)


def test_links_are_followed_as_find_follows_them(look: Look, tmp_path: Path) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    (data / "sub").mkdir(parents=True)
    (elsewhere / "in").mkdir(parents=True)
    (elsewhere / "in" / "x").write_text("x")
    (data / "a").write_text("a")
    (data / "file link").symlink_to("a")
    (data / "folder link").symlink_to(elsewhere)
    (data / "sub" / "sibling").symlink_to(elsewhere / "in")
    expected = sha256sum(data)
    assert digest(look, data).state.digest == expected
    assert digest(look, data).state.files == 4
    (data / "broken").symlink_to("nowhere")
    (data / "itself").symlink_to("itself")
    (data / "sub" / "up").symlink_to("..")
    (elsewhere / "back").symlink_to(elsewhere)
    assert digest(look, data).state.digest == expected
    assert any("leads nowhere" in note for note in look.notes)
    assert any("leads back" in note for note in look.notes)
    (tmp_path / "whole").symlink_to(data)
    assert digest(look, tmp_path / "whole").state.digest == expected


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.dictionaries(
        st.binary(min_size=1, max_size=8).filter(
            lambda name: not {0, 47} & {*name} and name not in (b".", b"..")
        ),
        st.binary(max_size=20),
        max_size=5,
    )
)
def test_any_names_are_confirmed_by_coreutils(
    look: Look, tmp_path_factory: pytest.TempPathFactory, files: dict[bytes, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("names")
    for name, content in files.items():
        with open(os.path.join(bytes(folder), name), "wb") as file:
            file.write(content)
    seen = digest(look, folder)
    assert seen.state.files == len(files)
    if files:
        assert seen.state.digest == sha256sum(folder)


def test_special_files_are_skipped_with_a_note(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a").write_text("a")
    os.mkfifo(data / "fifo")
    monkeypatch.chdir(data)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    assert digest(look, data).state.files == 1
    assert len(look.notes) == 2 and all("neither a file nor a folder" in note for note in look.notes)
    with pytest.raises(DataError, match="neither a file nor a folder"):
        digest(look, data / "fifo")


def test_what_is_missing_or_unreadable_is_one_sentence(look: Look, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder") as caught:
        digest(look, tmp_path / "nowhere")
    assert "\n" not in caught.value.message and caught.value.hint
    if os.geteuid() == 0:
        return
    (tmp_path / "file").write_text("")
    (tmp_path / "file").chmod(0)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder").chmod(0)
    for name in ("file", "folder"):
        with pytest.raises(DataError, match="cannot read"):
            digest(look, tmp_path / name)
    (tmp_path / "folder").chmod(0o700)


def test_much_data_is_hashed_with_progress(look: Look, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for number in range(3):
        with (data / str(number)).open("wb") as file:
            file.truncate(30 << 20)
    seen = digest(look, data)
    told: list[Event] = [event for event in look.events if isinstance(event, Progress)]
    assert 3 <= len(told) <= 101
    assert told[-1] == Progress(stage="hash", done=90 << 20, total=90 << 20, unit="bytes")
    assert seen.state.digest == sha256sum(data)


def test_a_local_uri_is_digested_and_a_bad_one_tells_nothing(look: Look, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    assert look.observer.remote("u", f"file://{tmp_path}/x").state.digest == Digest.of(b"x")
    for uri in (
        f"file://{tmp_path}/none",
        "s3://bucket/key",
        "http://127.0.0.1:9/x",
        "http://[x",
        "models:/m/1",
    ):
        state = look.observer.remote("u", uri).state
        assert (state.kind, state.digest, state.remote, state.path) == ("uri", None, (), uri)
    assert look.observer.remote("u", "http://a:b@127.0.0.1:9/x").state.path == "http://127.0.0.1:9/x"


def test_the_manifest_of_a_folder_has_the_folders_digest(look: Look, tmp_path: Path) -> None:
    (tmp_path / "data" / "sub").mkdir(parents=True)
    for name in ("b", "a", "sub/c", "sub.x"):
        (tmp_path / "data" / name).write_text(name)
    manifest = look.observer.manifest("data", tmp_path / "data", look.events.append)
    assert Digest.of(manifest) == digest(look, tmp_path / "data").state.digest
    assert [line[66:] for line in manifest.splitlines()] == [b"a", b"b", b"sub.x", b"sub/c"]
    with pytest.raises(DataError, match="is no folder any more"):
        look.observer.manifest("data", tmp_path / "data" / "a", look.events.append)
