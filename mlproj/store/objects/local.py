"""Contents in a folder as those have them who take artifacts in as streams."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator

from mlproj.errors import StoreError
from mlproj.files import write_all, write_atomically
from mlproj.model.digest import Digest
from mlproj.store.blobs import FolderBlobs, opened
from mlproj.store.failures import explained
from mlproj.store.objects.marks import MARK, taken
from mlproj.store.objects.streams import verified

_PIECE = 1024 * 1024


class LocalBlobs(FolderBlobs):
    """Blobs in a folder, on any disk of this machine; also `StreamedBlobs`."""

    def add_stream(self, pieces: Iterator[bytes]) -> tuple[Digest, int]:
        hasher, size = hashlib.sha256(), 0

        def write(descriptor: int) -> None:
            nonlocal size
            for piece in pieces:
                hasher.update(piece)
                write_all(descriptor, piece)
                size += len(piece)

        with explained(self.folder.parent), self._written(write) as temporary:
            digest = Digest.from_hex(hasher.hexdigest())
            if self._renew((digest,)):
                self._settle([(temporary, digest)])
        return digest, size

    def read(self, digest: Digest, first: int = 0, count: int | None = None) -> Iterator[bytes]:
        state = self.state(digest)
        if state is None:
            raise StoreError(f"the store holds no content with the digest `{digest}`")
        stop = state.size if count is None else min(state.size, first + count)
        pieces = self._pieces(digest, first, stop)
        return verified(digest, pieces) if (first, stop) == (0, state.size) else pieces

    def claim(self, mark: str) -> None:
        with explained(self.folder.parent):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = self.folder.parent / MARK
            if not file.exists():
                write_atomically(file, mark.encode())
            elif file.read_text() != mark:
                raise taken(str(self.folder.parent))

    def reach(self) -> None:
        with explained(self.folder.parent):
            os.stat(self.folder)

    def _pieces(self, digest: Digest, first: int, stop: int) -> Iterator[bytes]:
        with (
            explained(self.folder.parent),
            opened(self.place(digest)) as descriptor,
            io.FileIO(descriptor, closefd=False) as file,
        ):
            file.seek(first)
            while first < stop and (piece := file.read(min(_PIECE, stop - first))):
                yield piece
                first += len(piece)
