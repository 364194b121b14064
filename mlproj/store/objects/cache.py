"""Contents that were fetched, kept on this machine as long as there is room for them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from mlproj.errors import Altered
from mlproj.files import write_all
from mlproj.model.digest import Digest

_IN_USE_S = 60.0
"""Who was given a file so lately may not have opened it yet."""
_LOOKS = 16
"""How often its size is looked at while as much is fetched as there is room for."""


class Fetched:
    """Contents below `folder`, of at most `most` bytes, give or take those that are in use."""

    def __init__(self, folder: Path, most: int) -> None:
        self.folder = folder
        self._most = most
        self._arrived = most  # what others left is looked at when something comes first

    def get(self, digest: Digest) -> Path | None:
        """The file of a content that is here, which says that it was wanted."""
        path = self._place(digest)
        try:
            os.utime(path)
        except FileNotFoundError:
            return None
        return path

    def fill(self, digest: Digest, pieces: Iterator[bytes]) -> Path:
        """The file of a content that arrives. Raises Altered where it is not what was asked for."""
        path = self._place(digest)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f"new-{secrets.token_hex(8)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        hasher, size = hashlib.sha256(), 0
        try:
            try:
                for piece in pieces:
                    hasher.update(piece)
                    write_all(descriptor, piece)
                    size += len(piece)
            finally:
                os.close(descriptor)
            if hasher.hexdigest() != digest.hex:
                raise Altered(f"the content `{digest}` is no longer what was recorded")
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        self._make_room(size)
        return path

    def drop(self, digest: Digest) -> None:
        self._place(digest).unlink(missing_ok=True)

    def _place(self, digest: Digest) -> Path:
        return self.folder / "sha256" / digest[7:9] / digest[9:]

    def _make_room(self, arrived: int) -> None:
        """Removes what was not wanted for longest, where there is too much; and what was cut short."""
        self._arrived += arrived
        if self._arrived < self._most / _LOOKS:
            return
        self._arrived = 0
        files = sorted(self._files())
        total = sum(size for _, size, _ in files)
        for used, size, path in files:
            if total <= self._most or used > time.time() - _IN_USE_S:
                break
            path.unlink(missing_ok=True)
            total -= size

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        for path in self.folder.glob("sha256/*/*"):
            with contextlib.suppress(FileNotFoundError):
                state = path.stat()
                yield state.st_mtime, state.st_size, path
