from __future__ import annotations

import io
import itertools
import os
import struct
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlproj.errors import Altered
from mlproj.exports.container import PIECE, Writer, read_content, read_members
from mlproj.exports.paths import Taken, complaint

FILES = {"a.txt": b"first\n", "ordner/zwei ü.bin": bytes(range(256)) * 9, "ordner/leer": b""}
_MOST = 100_000


def write(path: Path, files: dict[str, bytes]) -> Path:
    with path.open("wb") as file:
        writer = Writer(file)
        for name, content in files.items():
            writer.add(name, len(content), iter((content,)), executable=name.endswith(".bin"))
        writer.finish()
    return path


def read(path: Path, *, most: int = _MOST) -> dict[str, bytes]:
    with path.open("rb") as file:
        return {member.name: b"".join(read_content(file, member)) for member in read_members(file, most=most)}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    assert read(write(tmp_path / "x.zip", FILES)) == FILES
    assert read(write(tmp_path / "none.zip", {})) == {}


def test_others_read_it_too(tmp_path: Path) -> None:
    path = write(tmp_path / "x.zip", FILES)
    with zipfile.ZipFile(path) as zipped:
        assert zipped.testzip() is None
        assert {name: zipped.read(name) for name in zipped.namelist()} == FILES
        assert zipped.getinfo("ordner/zwei ü.bin").external_attr >> 16 == 0o100755
    subprocess.run(("unzip", "-q", path, "-d", tmp_path / "out"), check=True)
    assert (tmp_path / "out" / "ordner" / "zwei ü.bin").read_bytes() == FILES["ordner/zwei ü.bin"]
    assert os.access(tmp_path / "out" / "ordner" / "zwei ü.bin", os.X_OK)
    assert not os.access(tmp_path / "out" / "a.txt", os.X_OK) or os.geteuid() == 0


def test_more_files_than_sixteen_bits_count(tmp_path: Path) -> None:
    files = {f"{number:05}": b"" for number in range(0x10000)}
    path = write(tmp_path / "x.zip", files)
    assert read(path).keys() == files.keys()
    with zipfile.ZipFile(path) as zipped:
        assert len(zipped.namelist()) == len(files)


class _WithHoles(io.FileIO):
    """Leaves a hole where nothing but zeros is written, so that gigabytes take no room."""

    def write(self, content: object) -> int:
        if content is _NOTHING:
            self.seek(PIECE, os.SEEK_CUR)
            return PIECE
        return super().write(content)  # type: ignore[arg-type]  # whatever it is, FileIO takes it or says so


_NOTHING = bytes(PIECE)


def test_files_and_places_beyond_four_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    count = 4 * 1024
    with _WithHoles(path, "wb") as file:
        writer = Writer(file)
        writer.add("large", count * PIECE, itertools.repeat(_NOTHING, count))
        writer.add("after", 3, iter((b"end",)))
        writer.finish()
    with path.open("rb") as opened:
        members = read_members(opened, most=2)
        assert [(member.name, member.size) for member in members] == [("large", 4 << 30), ("after", 3)]
        assert b"".join(read_content(opened, members[1])) == b"end"
    with zipfile.ZipFile(path) as zipped:
        assert zipped.getinfo("large").file_size == 4 << 30
        assert zipped.read("after") == b"end"


def test_a_file_that_is_not_as_long_as_was_said_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "x.zip").open("wb") as file, pytest.raises(ValueError, match="3 bytes long, not 4"):
        Writer(file).add("a", 4, iter((b"abc",)))


@settings(max_examples=400, deadline=None)
@given(place=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_any_changed_bit_of_the_container_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
) -> None:
    path = tmp_path_factory.mktemp("bits") / "x.zip"
    content = bytearray(write(path, FILES).read_bytes())
    content[place % len(content)] ^= 1 << bit
    path.write_bytes(content)
    with pytest.raises(Altered):
        read(path)


@settings(max_examples=100, deadline=None)
@given(place=st.integers(min_value=0), added=st.binary(max_size=40), taken=st.integers(0, 40))
def test_whatever_is_cut_out_or_put_in_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, place: int, added: bytes, taken: int
) -> None:
    path = tmp_path_factory.mktemp("pieces") / "x.zip"
    content = write(path, FILES).read_bytes()
    start = place % (len(content) + 1)
    changed = content[:start] + added + content[start + taken :]
    path.write_bytes(changed)
    if changed == content:
        assert read(path) == FILES
    else:
        with pytest.raises(Altered):
            read(path)


def _deflated(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("bomb", bytes(50_000_000))


def _link(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as zipped:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        zipped.writestr(info, "/etc/passwd")


def _folder(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.mkdir("folder") if hasattr(zipped, "mkdir") else zipped.writestr("folder/", "")


def _commented(path: Path) -> None:
    write(path, FILES)
    with zipfile.ZipFile(path, "a") as zipped:
        zipped.comment = b"hello"


def _appended(path: Path) -> None:
    write(path, FILES)
    with zipfile.ZipFile(path, "a") as zipped:
        zipped.writestr("more", "text")


def _encrypted(path: Path) -> None:
    write(path, {"a": b"text"})
    content = bytearray(path.read_bytes())
    for sign, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(sign) + place] |= 1
    path.write_bytes(content)


def _overlapping(path: Path) -> None:
    """Both entries of the list lead to the first file."""
    content = bytearray(write(path, {"a": b"text", "b": b"text"}).read_bytes())
    second = content.index(b"PK\1\2", content.index(b"PK\1\2") + 1)
    content[second + 42 : second + 46] = bytes(4)
    path.write_bytes(content)


def _lying(path: Path) -> None:
    """Says in both places that a file is longer than it is."""
    content = bytearray(write(path, {"a": b"text", "b": b"text"}).read_bytes())
    for sign, place in ((b"PK\3\4", 18), (b"PK\1\2", 20)):
        at = content.index(sign) + place
        content[at : at + 8] = struct.pack("<2L", 40, 40)
    path.write_bytes(content)


def _before(path: Path) -> None:
    content = write(path, FILES).read_bytes()
    path.write_bytes(b"#!/bin/sh\n" + content)


def _after(path: Path) -> None:
    content = write(path, FILES).read_bytes()
    path.write_bytes(content + b"\0")


def _cut(path: Path) -> None:
    content = write(path, FILES).read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _text(path: Path) -> None:
    path.write_text("no zip at all, but a text that is long enough to have held one")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (_deflated, "is compressed"),
        (_link, "is a link, a folder"),
        (_folder, "is a link, a folder"),
        (_commented, "no zip|cut short|where it says"),
        (_appended, "is a link, a folder|not as mlproj writes it"),
        (_encrypted, "is encrypted"),
        (_overlapping, "does not begin where the file before it ends"),
        (_lying, "does not begin|lies between"),
        (_before, "does not lie where it says|list of files"),
        (_after, "no zip|cut short"),
        (_cut, "cut short"),
        (_text, "no zip file"),
        (_empty, "no zip file"),
    ],
)
def test_a_hostile_or_foreign_zip_is_refused(tmp_path: Path, make: Callable[[Path], None], told: str) -> None:
    make(tmp_path / "x.zip")
    with pytest.raises(Altered, match=told):
        read(tmp_path / "x.zip")


def test_a_zip_with_too_many_files_is_refused_by_its_end_alone(tmp_path: Path) -> None:
    with pytest.raises(Altered, match="holds 3 files, more than the 2"):
        read(write(tmp_path / "x.zip", FILES), most=2)


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/passwd", "../up", "a/../b", "a//b", "./a", "a/.", "", "C:/x", "c:x", "a\\b", "\\\\host\\x"),
        *("a\nb", "a\0b", "a\x7f", "\udcff", "x" * 256, "/".join(["x" * 100] * 11)),
    ],
)
def test_paths_that_a_bundle_may_not_have(path: str) -> None:
    assert complaint(path) is not None


@pytest.mark.parametrize("path", ["a", "a/b.txt", "Ünï code/日本.csv", ".hidden", "a b", "x" * 255, "..."])
def test_paths_that_a_bundle_may_have(path: str) -> None:
    assert complaint(path) is None


SAME = [
    ("README", "readme"),
    ("caf\u00e9", "cafe\u0301"),
    ("a", "a/b"),
    ("a/b", "a"),
    ("Data/x", "data/y"),
    ("stra\u00dfe", "STRASSE"),
    ("\ufb01le", "file"),
    ("same", "same"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_paths_that_some_system_takes_for_one(one: str, other: str) -> None:
    taken = Taken()
    assert taken.take(one) and not taken.take(other)


def test_paths_that_differ_everywhere() -> None:
    assert all(map(Taken().take, ("a", "b", "c/a", "c/b", "c/d/a")))
