"""What a store notes of the files in folders, held against the records and the folders' own digests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mlproj.lineage_ports import MOST_FILES
from mlproj.model.digest import Digest
from mlproj.model.record import BlobReference
from mlproj.model.run import Run
from mlproj.ports import RunStore


@dataclass(slots=True)
class Folders:
    """The folders that records say runs left, each with one run that did."""

    _left: dict[Digest, str] = field(default_factory=dict)

    def add(self, run: Run, reference: BlobReference) -> None:
        """Takes in a blob that is a list of files, if it is that of an output."""
        if reference.part.startswith("outputs."):
            self._left.setdefault(reference.digest, run.run_id)

    def problems(self, store: RunStore, *, whole: bool) -> Iterator[tuple[str | None, str]]:
        """What is noted wrong, or not at all, with the run that it is of; unless it is the `whole` store that
        is looked at, only of folders that were taken in."""
        missing = {folder for folder in self._left if 0 < _files(store, folder) <= MOST_FILES}
        for folder, manifest in store.contents.folders():
            missing.discard(folder)
            if (whole or folder in self._left) and Digest.of(manifest) != folder:
                yield (
                    self._left.get(folder),
                    f"what is searched of the files in the folder `{folder}` is not so",
                )
        for folder in sorted(missing):
            yield self._left[folder], f"nothing is searched of the files in the folder `{folder}`"


def _files(store: RunStore, folder: Digest) -> int:
    return store.blobs.path(folder).read_bytes().count(b"\n")
