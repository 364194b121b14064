"""What a URI means, and that no credential in one is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.errors import SourceError
from mlproj.model.redaction import without_credentials
from mlproj.sources.uri import (
    Address,
    ArchiveAddress,
    FolderAddress,
    GitAddress,
    enter,
    read_uri,
    shown,
)
from tests.conftest import git


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("https://example.org/a/b.git", GitAddress(url="https://example.org/a/b.git")),
        ("https://example.org/a/b", GitAddress(url="https://example.org/a/b")),
        ("https://example.org/a/b#sub/x", GitAddress(url="https://example.org/a/b", subfolder="sub/x")),
        ("git@example.org:a/b.git", GitAddress(url="git@example.org:a/b.git")),
        ("git@example.org:a/b.git#sub", GitAddress(url="git@example.org:a/b.git", subfolder="sub")),
        ("example.org:b", GitAddress(url="example.org:b")),
        ("ssh://git@example.org:22/a", GitAddress(url="ssh://git@example.org:22/a")),
        ("https://example.org/a.zip", ArchiveAddress(url="https://example.org/a.zip")),
        (
            "https://example.org/a.zip?token=1#s",
            ArchiveAddress(url="https://example.org/a.zip?token=1", subfolder="s"),
        ),
        ("/no/where", FolderAddress(path=Path("/no/where"))),
        ("/no/where#sub", FolderAddress(path=Path("/no/where"), subfolder="sub")),
        ("file:///no/where%20here", FolderAddress(path=Path("/no/where here"))),
        ("file:///no/x.zip#s", ArchiveAddress(url="/no/x.zip", path=Path("/no/x.zip"), subfolder="s")),
    ],
)
def test_a_uri_is_told_as_mlflow_tells_it(uri: str, address: Address) -> None:
    assert read_uri(uri) == address


def test_what_lies_on_disk_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a:b", "c#d", "e.zip"):
        (tmp_path / name).mkdir()
    git(tmp_path, "init", "--quiet", "--bare", "bare.git")
    monkeypatch.chdir(tmp_path)
    for name in ("a:b", "c#d", "e.zip"):
        assert read_uri(name) == FolderAddress(path=tmp_path / name)
    assert read_uri("bare.git") == GitAddress(url="bare.git", path=tmp_path / "bare.git")
    assert isinstance(read_uri(f"file://{tmp_path}/bare.git"), GitAddress)


def test_a_file_of_another_machine_is_refused() -> None:
    with pytest.raises(SourceError, match="another machine"):
        read_uri("file://elsewhere/x")


@pytest.mark.parametrize("subfolder", [".", "..", "sub/../..", "./sub", "sub/."])
def test_dots_in_a_subfolder_are_refused(tmp_path: Path, subfolder: str) -> None:
    (tmp_path / "sub").mkdir()
    with pytest.raises(SourceError, match="not allowed"):
        enter(tmp_path, FolderAddress(path=tmp_path, subfolder=subfolder))


def test_a_missing_subfolder_is_told_with_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(SourceError, match=r"could not find subfolder `trian` of") as caught:
        enter(tmp_path, FolderAddress(path=tmp_path, subfolder="trian"))
    assert "`train`" in str(caught.value.hint)


def test_a_subfolder_that_links_out_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "out").symlink_to(tmp_path)
    with pytest.raises(SourceError, match="leads out"):
        enter(tmp_path / "tree", FolderAddress(path=tmp_path / "tree", subfolder="out"))


def test_a_name_with_a_dot_is_a_subfolder_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "v1.0").mkdir()
    assert enter(tmp_path, FolderAddress(path=tmp_path, subfolder="v1.0")) == tmp_path / "v1.0"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://ada:pw@example.org/a", "https://example.org/a"),
        ("https://ghp_abc@example.org/a", "https://example.org/a"),
        ("https://ada:p@ss@example.org/a", "https://example.org/a"),
        ("ssh://git@example.org/a", "ssh://git@example.org/a"),
        ("ssh://git:pw@example.org/a", "ssh://git@example.org/a"),
        ("git@example.org:a/b", "git@example.org:a/b"),
        ("fatal: unable to access 'https://a:b@h/r/': x", "fatal: unable to access 'https://h/r/': x"),
        ("https://h/a.zip?token=abc&ref=main", "https://h/a.zip?token=***&ref=main"),
        (
            "https://h/a.zip?X-Amz-Signature=ff&X-Amz-Date=1",
            "https://h/a.zip?X-Amz-Signature=***&X-Amz-Date=1",
        ),
        ("https://h/a.zip?sig=ff#sub", "https://h/a.zip?sig=***#sub"),
        ("https://h/p@1/x?author=ada", "https://h/p@1/x?author=ada"),
        ("nothing here: me@example.org", "nothing here: me@example.org"),
    ],
)
def test_credentials_are_taken_out(text: str, clean: str) -> None:
    assert without_credentials(text) == clean


@given(
    st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=8),
    st.sampled_from(("http", "https")),
)
def test_no_password_survives(password: str, scheme: str) -> None:
    text = without_credentials(f"got {scheme}://user:{password}@host/path and {scheme}://{password}@host")
    assert text == f"got {scheme}://host/path and {scheme}://host"


def test_the_shown_form_is_absolute_and_without_credentials(tmp_path: Path) -> None:
    assert shown(read_uri("https://a:b@example.org/r#sub")) == "https://example.org/r#sub"
    assert shown(FolderAddress(path=tmp_path, subfolder="s")) == f"{tmp_path}#s"


def test_a_name_that_no_file_can_have_is_no_folder() -> None:
    for name in ("a" * 300, "a/" * 5000, "a\0b", "a" * 300 + ".zip"):
        assert isinstance(read_uri(name), FolderAddress | ArchiveAddress)


def test_what_is_no_address_is_told() -> None:
    with pytest.raises(SourceError, match="is no address: Invalid IPv6 URL") as caught:
        read_uri("file://[x/y")
    assert caught.value.hint == "write `file:///absolute/path`, with three slashes"
