"""The seams of the files that clients log, with the errors of `tracking_ports`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol


class Artifacts(Protocol):
    """Files below a root that nothing leads out of: no `..`, no absolute path, no link, no NUL.

    Paths are relative, with `/` between their parts. Raises UsageError for one that leads out.
    """

    @property
    def uploads(self) -> Uploads: ...

    def list(self, path: str) -> Sequence[tuple[str, bool, int]]:
        """Path, whether it is a folder, and size in bytes of what a folder holds, sorted by path."""
        ...

    def read(self, path: str, first: int = 0, count: int | None = None) -> Iterator[bytes]:
        """What is in a file from its byte `first` on, to its end where no `count` is asked for."""
        ...

    def size(self, path: str) -> int: ...

    def write(self, path: str, pieces: Iterator[bytes]) -> None:
        """Puts a file in place whole, or, where the pieces end in an exception, not at all."""
        ...

    def delete(self, path: str) -> None:
        """A file, or a folder with all that is in it."""
        ...

    def reach(self) -> None:
        """Looks at the place where files are kept. Raises StoreError where it is away."""
        ...


class Uploads(Protocol):
    """Artifacts that arrive in parts, each of which is known by a tag that tells its content.

    Raises NotFound for an upload that is not there, or that is of another path.
    """

    def begin(self, path: str, parts: int) -> str:
        """The id of a new upload of an artifact, whose parts are counted from 1."""
        ...

    def add(self, path: str, upload: str, part: int, pieces: Iterator[bytes]) -> str:
        """Keeps a part, whole or not at all; its tag. One that comes again does no harm."""
        ...

    def complete(self, path: str, upload: str, parts: Sequence[tuple[int, str]]) -> None:
        """Puts the whole in place: every part by number and tag, in order. Raises UsageError where one is not
        there as it is named; the upload goes on then."""
        ...

    def abort(self, path: str, upload: str) -> None:
        """Removes what has arrived."""
        ...
