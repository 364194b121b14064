"""What a store notes of the files in folders, held against the records and the folders' own digests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from mlproj.lineage_ports import MOST_FILES
from mlproj.model.digest import Digest, folder_manifest, read_manifest
from mlproj.services.contents import Contents
from mlproj.store_ports import RunStore


def folder_problems(
    store: RunStore, left: Mapping[Digest, str], contents: Contents, *, whole: bool
) -> Iterator[tuple[str | None, str]]:
    """What is noted wrong, or not at all, with the run that it is of, of the folders that records say were
    `left`, each with one run that did; and, in a `whole` store, of all that is noted."""
    missing = {folder for folder in left if 0 < _files(contents, folder) <= MOST_FILES}
    for folder, manifest in store.contents.folders():
        missing.discard(folder)
        is_other = (whole or folder in left) and Digest.of(manifest) != folder
        if is_other and not (folder in left and _is_spelt_otherwise(contents, folder, manifest)):
            yield left.get(folder), f"what is searched of the files in the folder `{folder}` is not so"
    for folder in sorted(missing):
        yield left[folder], f"nothing is searched of the files in the folder `{folder}`"


def _is_spelt_otherwise(contents: Contents, folder: Digest, manifest: bytes) -> bool:
    """Whether the list that a record names says the same, as none of ours does: stores took such lists in
    once, and what they noted of them is what they say."""
    file = contents.sound_file(folder)
    with contextlib.suppress(ValueError):
        return file is not None and manifest == folder_manifest(
            (path, digest) for path, _, digest in read_manifest(file.read_bytes())
        )
    return False


def _files(contents: Contents, folder: Digest) -> int:
    """How many files a list names; none where something is wrong with the list itself, which is told."""
    file = contents.sound_file(folder)
    return 0 if file is None else file.read_bytes().count(b"\n")
