"""Contents in a folder: how they come in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mlproj.model.digest import Digest
from mlproj.store.blobs import FolderBlobs


def test_of_very_many_files_the_first_are_in_place_before_the_last_are_asked_for(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path / "blobs")
    seen: list[int] = []

    def files() -> Iterator[tuple[Path, Digest]]:
        for number in range(10_000):
            name = "first" if number < 9_999 else "last"
            (tmp_path / name).write_text(name)
            seen.append(len(list(blobs.digests())))
            yield tmp_path / name, Digest.of(name.encode())

    assert blobs.add_files(files()) == ()
    assert seen[0] == 0 and seen[-1] == 1
    assert set(blobs.digests()) == {Digest.of(b"first"), Digest.of(b"last")}
    assert list(blobs.incoming()) == []
