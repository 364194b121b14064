"""Folders as a stream: the order of the walk, the manifest's lines, and readers on the other cores."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlproj.model.digest import Digest, folder_manifest, manifest_lines
from mlproj.model.events import Progress
from mlproj.provenance import readers
from mlproj.provenance.folders import walk_data
from mlproj.provenance.readers import Reader
from mlproj.provenance.reading import fingerprint_of
from tests.provenance.conftest import Look
from tests.provenance.test_data import digest, sha256sum

NAMES = st.sampled_from((b"a", b"b", b"a.b", b"a-b", b"a0", b"\xff", b"ab", b"\n", b"\xf0\x9f\x99\x82"))
TREES = st.sets(st.lists(NAMES, min_size=1, max_size=4).map(b"/".join), max_size=12)


@settings(max_examples=60, deadline=None)
@given(TREES)
def test_the_walk_is_in_the_order_of_whole_paths(wanted: set[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = os.fsencode(folder)
        made = []
        for path in sorted(wanted, key=len, reverse=True):
            place = os.path.join(root, path)
            if not os.path.lexists(place):
                try:
                    os.makedirs(os.path.dirname(place), exist_ok=True)
                except (FileExistsError, NotADirectoryError):
                    continue
                with open(place, "wb"):
                    made.append(path)
        walked = [
            segment.prefix + name for segment in walk_data(root, lambda *_: None) for name in segment.names
        ]
        assert walked == sorted(made)


@given(st.dictionaries(st.binary(min_size=1, max_size=6), st.binary(max_size=4), max_size=6))
def test_lines_one_by_one_are_the_manifest(files: dict[bytes, bytes]) -> None:
    digests = {path: Digest.of(content) for path, content in sorted(files.items())}
    raw = [bytes.fromhex(digest.hex) for digest in digests.values()]
    assert manifest_lines(raw, list(digests)) == folder_manifest(digests.items())


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """So many files that others are asked to help, with a large one between."""
    root = tmp_path_factory.mktemp("many")
    for number in range(5000):
        place = root / f"{number % 7}"
        place.mkdir(exist_ok=True)
        (place / f"{number}.txt").write_bytes(b"%d" % number * (number % 50))
    (root / "3" / "large").write_bytes(os.urandom(1 << 20) * 20)
    return root


def test_many_files_are_confirmed_by_coreutils_and_told_of(look: Look, many: Path) -> None:
    assert digest(look, many).state.digest == sha256sum(many)
    told = [event for event in look.events if isinstance(event, Progress)]
    assert told and {event.unit for event in told} == {"files"}
    assert (told[-1].done, told[-1].total) == (5001, 5001)
    assert [event.done for event in told] == sorted(event.done for event in told)


def test_without_anybody_to_help_it_goes_on(look: Look, many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = sha256sum(many)
    for program in ("/bin/false", "/nowhere"):
        monkeypatch.setattr(sys, "executable", program)
        assert digest(look, many).state.digest == expected
    monkeypatch.undo()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3, 4}, raising=False)
    assert readers.others() == 4
    assert digest(look, many).state.digest == expected


def test_a_reader_answers_in_order_and_tells_of_large_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    with (tmp_path / "b").open("wb") as file:
        file.truncate(200 << 20)
    prints = [fingerprint_of((tmp_path / name).stat()) for name in "ab"]
    told: list[int] = []
    reader = Reader()
    try:
        reader.ask([(bytes(tmp_path), [b"a", b"b"], prints, True), (b"/nowhere", [b"c"], prints[:1], True)])
        answer = reader.answer(told.append, wait=True)
    finally:
        reader.close()
    assert answer is not None
    assert answer[0][0] == bytes.fromhex(Digest.of(b"1").hex) and answer[1] == [2]
    assert sum(told) == 192 << 20
