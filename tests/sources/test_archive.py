"""Projects in zips: from disk and over http, and no zip does harm."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

import pytest

from mlproj.errors import SourceError
from mlproj.model.events import Event, Note, Progress
from mlproj.sources.archive import ArchiveSource, Limits
from tests.sources.conftest import Web

LINK = (stat.S_IFLNK | 0o777) << 16


def make_zip(path: Path, files: dict[str, str], attributes: dict[str, int] | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (attributes or {}).get(name, 0o644 << 16)
            entry.compress_type = zipfile.ZIP_DEFLATED
            zipped.writestr(entry, text)
    return path


def refused(archive: Path, checkouts: Path, words: str, limits: Limits | None = None) -> None:
    checkouts.mkdir(exist_ok=True)
    before = {path for path in archive.parent.rglob("*") if checkouts not in path.parents}
    with (
        pytest.raises(SourceError, match=words) as caught,
        ArchiveSource(checkouts, limits).fetch(str(archive), None, lambda _: None),
    ):
        pass
    assert "\n" not in caught.value.message
    assert {path for path in archive.parent.rglob("*") if checkouts not in path.parents} == before


def test_a_local_zip_is_unpacked_with_modes_and_links(
    tmp_path: Path, checkouts: Path, events: list[Event]
) -> None:
    files = {"MLproject": "name: x\n", "sub/run.sh": "echo\n", "sub/link": "../MLproject", "empty/": ""}
    modes = {"sub/run.sh": 0o755 << 16, "sub/link": LINK, "MLproject": 0}
    archive = make_zip(tmp_path / "p.zip", files, modes)
    with ArchiveSource(checkouts).fetch(f"{archive}#sub", None, events.append) as checkout:
        assert checkout.directory == checkout.root / "sub"
        assert os.access(checkout.directory / "run.sh", os.X_OK)
        assert not os.access(checkout.root / "MLproject", os.X_OK)
        assert (checkout.directory / "link").read_text() == "name: x\n"
        assert (checkout.root / "empty").is_dir()
        assert (checkout.uri, checkout.own) == (f"{archive}#sub", True)


@pytest.mark.parametrize("name", ["../out", "/abs/out", "a/../../out", "..\\out", "C:/out"])
def test_paths_that_climb_are_refused(tmp_path: Path, checkouts: Path, name: str) -> None:
    refused(make_zip(tmp_path / "p.zip", {name: "x"}), checkouts, "leads out of it")


@pytest.mark.parametrize(
    "links",
    [
        {"a": "../out"},
        {"a": "/etc/passwd"},
        {"d/e/f": "../..", "g": "d/e/f/../.."},
        {"a": "..", "a/b": "x"},
    ],
)
def test_links_that_lead_out_are_refused(tmp_path: Path, checkouts: Path, links: dict[str, str]) -> None:
    archive = make_zip(tmp_path / "p.zip", links, dict.fromkeys(links, LINK))
    refused(archive, checkouts, "holds a link that leads out")


def test_nothing_is_written_through_a_link(tmp_path: Path, checkouts: Path) -> None:
    archive = make_zip(tmp_path / "p.zip", {"a": "..", "a/evil": "x"}, {"a": LINK})
    refused(archive, checkouts, "two entries of one name|leads out")
    assert not (checkouts.parent / "evil").exists()


def test_bombs_are_refused(tmp_path: Path, checkouts: Path) -> None:
    archive = make_zip(tmp_path / "p.zip", {"zeros": "0" * 5_000_000, "b": ""})
    refused(archive, checkouts, "zip bomb", Limits(small=1_000_000))
    refused(archive, checkouts, "more than 1000", Limits(size=1000))
    refused(archive, checkouts, "2 files, more than the 1", Limits(files=1))


def test_a_size_that_lies_is_refused(tmp_path: Path, checkouts: Path) -> None:
    archive = make_zip(tmp_path / "p.zip", {"a": "0" * 100_000})
    content = archive.read_bytes()
    archive.write_bytes(content.replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    refused(archive, checkouts, "damaged|cannot unpack")


def test_what_is_no_whole_zip_is_one_sentence(tmp_path: Path, checkouts: Path) -> None:
    (tmp_path / "text.zip").write_text("no zip at all")
    refused(tmp_path / "text.zip", checkouts, "cannot unpack")
    whole = make_zip(tmp_path / "whole.zip", {"a": "x" * 1000, "b": "y"}).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "cut.zip", checkouts, "cannot unpack")
    with (
        pytest.raises(SourceError, match="there is no file"),
        ArchiveSource(checkouts).fetch(str(tmp_path / "none.zip"), None, lambda _: None),
    ):
        pass


def test_git_data_and_special_files_do_not_come_along(
    tmp_path: Path, checkouts: Path, events: list[Event]
) -> None:
    archive = make_zip(tmp_path / "p.zip", {"a": "x", ".git/config": "[core]\n", "s/.GIT/hooks/x": ""})
    with ArchiveSource(checkouts).fetch(str(archive), None, events.append) as checkout:
        assert sorted(os.listdir(checkout.root)) == ["a"]
    assert sum(isinstance(event, Note) for event in events) == 2
    refused(
        make_zip(tmp_path / "f.zip", {"fifo": ""}, {"fifo": (stat.S_IFIFO | 0o644) << 16}),
        checkouts,
        "no file",
    )


def test_a_zip_has_no_revisions(tmp_path: Path, checkouts: Path) -> None:
    archive = make_zip(tmp_path / "p.zip", {"a": "x"})
    with (
        pytest.raises(SourceError, match="a zip, which has none"),
        ArchiveSource(checkouts).fetch(str(archive), "main", lambda _: None),
    ):
        pass


def test_a_zip_comes_over_http_with_credentials_that_are_not_shown(
    web: Web, checkouts: Path, events: list[Event]
) -> None:
    make_zip(web.folder / "p.zip", {"top/MLproject": "name: x\n"})
    web.password = "s3cret"
    url = f"http://ada:s3cret@{web.address}/p.zip?token=abc123#top"
    with ArchiveSource(checkouts).fetch(url, None, events.append) as checkout:
        assert (checkout.directory / "MLproject").is_file()
        assert checkout.uri == f"{web.url}/p.zip?token=***#top"
    assert web.requests == ["GET /p.zip?token=abc123"]
    assert any(isinstance(event, Progress) and event.unit == "bytes" for event in events)
    assert "s3cret" not in repr(events) and "abc123" not in repr(events)


def test_a_failed_download_is_one_sentence(web: Web, checkouts: Path) -> None:
    for url, words in (
        (f"{web.url}/none.zip", "answered 404"),
        ("http://127.0.0.1:9/none.zip?sig=abc123", "cannot download"),
    ):
        with (
            pytest.raises(SourceError, match=words) as caught,
            ArchiveSource(checkouts).fetch(url, None, lambda _: None),
        ):
            pass
        assert "abc123" not in caught.value.message
