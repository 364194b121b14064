"""A store's contents moved to another place: a folder, a bucket, or another one; the store stays where it is.

What lies there already is not copied again, so that it can be done over, and go on where it was cut.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import msgspec

from mlproj.errors import Altered, StoreError
from mlproj.files import write_atomically
from mlproj.housekeeping_ports import Resettled
from mlproj.model.digest import Digest
from mlproj.model.events import Ended, Note, Progress, Report, Started
from mlproj.store.connection import Connection
from mlproj.store.contained import StreamedBlobs
from mlproj.store.database import open_writable, transaction
from mlproj.store.destination import HERE, destination_of, streamed_blobs, url_of
from mlproj.store.failures import explained, not_writable
from mlproj.store.folder import FolderStore
from mlproj.store.founding import alone_with
from mlproj.store.objects.marks import MARK

_AT_ONCE = 8
"""So many contents are on their way together."""
_MARK = "SELECT mark FROM destinations WHERE id = 1"
_FIRST = "INSERT INTO destinations (url, mark, id) VALUES (?, ?, 1)"
_OTHER = "UPDATE destinations SET url = ?, mark = ? WHERE id = 1"


class _Move(msgspec.Struct, frozen=True, kw_only=True):
    """From one place to another, as a database has it: `before` and `url`, and the mark that says whose the
    contents are, which a copy that somebody made of all of them has with it."""

    connection: Connection
    before: str | None
    url: str
    mark: str
    source: StreamedBlobs
    target: StreamedBlobs

    @classmethod
    def of(cls, connection: Connection, root: Path, destination: str) -> _Move:
        before, url = destination_of(connection), url_of(destination)
        row = connection.execute(_MARK).fetchone()
        return cls(
            connection=connection,
            before=before,
            url=url,
            mark=_own_mark(root / "blobs" / MARK) if row is None else str(row[0]),
            source=streamed_blobs(before or HERE, root, os.environ),
            target=streamed_blobs(url, root, os.environ),
        )

    def copy(self, report: Report) -> tuple[int, int]:
        """Copies what is not there yet; how many contents of how many bytes. Raises StoreError."""
        self.target.claim(self.mark)
        there = {digest: state.size for digest, state in self.target.states()}
        held = {digest: state.size for digest, state in self.source.states()}
        wanted = {digest: size for digest, size in held.items() if there.get(digest) != size}
        files, size, total = 0, 0, sum(wanted.values())
        altered: list[Digest] = []
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for digest, came in zip(wanted, pool.map(partial(self._carry, there), wanted), strict=True):
                if came is None:
                    altered.append(digest)
                elif came:
                    files, size = files + 1, size + wanted[digest]
                    report(Progress(stage="copy", done=size, total=total, unit="bytes"))
        if altered:
            raise StoreError(
                f"{len(altered)} contents are not what was recorded, `{altered[0]}` among them, so all stay"
                " where they are",
                hint="`mlproj verify` tells of which runs",
            )
        return files, size

    def _carry(self, there: dict[Digest, int], digest: Digest) -> bool | None:
        """None where it is not what it was, False where it went meanwhile."""
        if digest in there:  # in another size
            self.target.remove(digest)
        try:
            found, _ = self.target.add_stream(self.source.read(digest))
        except Altered:
            return None
        except StoreError:
            if digest in self.source:
                raise
            return False
        return True if found == digest else None

    def settle(self) -> None:
        with transaction(self.connection):
            self.connection.execute(_FIRST if self.before is None else _OTHER, (self.url, self.mark))


def _own_mark(file: Path) -> str:
    """What says whose the contents are of a store that has them in its own folder; the same each time."""
    if not file.exists():
        write_atomically(file, secrets.token_hex(16).encode())
    return file.read_text()


def resettle(
    open_it: Callable[[], FolderStore], destination: str, report: Report, *, wait: bool
) -> Resettled:
    """Has a store keep its contents at `destination`, a folder or a URL, from now on.

    Most is copied while others use it; then nobody on this machine may, until all is there. What lies at the
    old place stays there. Where others have it open, waits with a note, or without `wait` raises StoreError,
    as it does where something is not what was recorded: then nothing changes.
    """
    with contextlib.closing(open_it()) as store:
        root, server = store.root, store.server
        if not store.writable:
            raise not_writable(root)
        move = _Move.of(store.connection, root, destination)
        if move.url == (root.as_uri() if move.before in (None, HERE) else move.before):
            raise StoreError(f"the store `{root}` keeps its contents there already")
        report(Started(stage="copy", detail=move.url))
        files, size = move.copy(report)
    note = Note(message="waiting for those who have the store open (the runs that are going on)")
    with explained(root), alone_with(root, (lambda: report(note)) if wait else None):
        connection = open_writable(root, create=False) if server is None else server.connection()
        with contextlib.closing(connection):
            move = _Move.of(connection, root, destination)
            more, further = move.copy(report)
            move.settle()
    report(Ended(stage="copy"))
    before = None if move.before in (None, HERE) else move.before
    return Resettled(place=move.url, before=before, files=files + more, size=size + further)
