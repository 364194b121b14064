"""Content by its digest: put into a folder of this machine first, sent before a record names it, and fetched
into that folder when it is asked for."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mlproj.errors import StoreError
from mlproj.model.digest import Digest
from mlproj.model.events import Progress, Report, silent
from mlproj.packing import unpack
from mlproj.ports import Digester
from mlproj.remote.connection import MOST
from mlproj.remote.store.line import Line
from mlproj.remote.store.sending import Sender, streams
from mlproj.store_ports import BlobStore
from mlproj.store_wire import DIGESTS, MISSING, SIZES, Blobs, Page

_FEW = 500
_ASKED_AT_ONCE = 10_000
_RUNS = 50
"""So many runs that were looked at last may be those that name what is asked for."""


class FarBlobs:
    """The blobs of a server, by way of those in `here`, which belong to this user."""

    def __init__(self, line: Line, here: BlobStore, aside: Path) -> None:
        self._line = line
        self._here = here
        self._sender = Sender(line, here)
        self._aside = aside
        self._lock = threading.Lock()
        self._waiting: dict[Digest, None] = {}
        self._there: set[Digest] = set()
        self._absent: set[Digest] = set()
        self._runs: OrderedDict[str, None] = OrderedDict()

    @property
    def here(self) -> BlobStore:
        """What lies on this machine."""
        return self._here

    @property
    def folder(self) -> Path:
        return self._here.folder

    def name(self, digest: Digest) -> bytes:
        return self._here.name(digest)

    def digested(
        self, digester: Digester, names: Iterable[Sequence[bytes]]
    ) -> Iterator[tuple[bytes, Digest | str]]:
        return self._here.digested(digester, map(self._brought_anew, names))

    def _brought_anew(self, names: Sequence[bytes]) -> Sequence[bytes]:
        """What is at a server is read there, and not in a copy."""
        self.bring([Digest.of_name(name) for name in names], afresh=True)
        return names

    def note_run(self, run_id: str) -> None:
        """Remembers a run that was looked at: what it names may be asked for next."""
        with self._lock:
            self._runs[run_id] = None
            self._runs.move_to_end(run_id)
            self._absent.clear()
            while len(self._runs) > _RUNS:
                self._runs.popitem(last=False)

    def forget_what_is_there(self) -> None:
        """Something was removed at the server: nothing is certain any more."""
        self._there.clear()

    def __contains__(self, digest: Digest) -> bool:
        if digest in self._waiting or digest in self._there:
            return True
        if digest in self._absent:
            return False
        return not self.missing((digest,))

    def path(self, digest: Digest) -> Path:
        if digest not in self._here:
            self.bring((digest,))
        if digest not in self._here:
            raise StoreError(f"the store holds no content with the digest `{digest}`")
        return self._here.path(digest)

    def add_bytes(self, content: bytes) -> Digest:
        return self._wait(self._here.add_bytes(content))

    def add_file(self, path: Path) -> tuple[Digest, int]:
        digest, size = self._here.add_file(path)
        return self._wait(digest), size

    def adopt_file(self, path: Path) -> tuple[Digest, int]:
        digest, size = self._here.adopt_file(path)
        return self._wait(digest), size

    def add_files(self, files: Iterable[tuple[Path, Digest]]) -> tuple[Path, ...]:
        some = tuple(files)
        changed = self._here.add_files(some)
        left = set(changed)
        for path, digest in some:
            if path not in left:
                self._wait(digest)
        return changed

    def digests(self) -> Iterator[Digest]:
        self.send(tuple(self._waiting))
        after = ""
        while found := self._line.ask(DIGESTS, Page(after=after)):
            yield from found
            after = found[-1]

    def missing(self, digests: Iterable[Digest]) -> tuple[Digest, ...]:
        """Those that the server lacks, and that do not wait here to be sent."""
        wanted = tuple(digest for digest in dict.fromkeys(digests) if digest not in self._waiting)
        lacking = self._lacking(wanted)
        self._there.update(set(wanted) - set(lacking))
        return lacking

    def sizes(self, digests: Collection[Digest]) -> dict[Digest, int]:
        found = dict(self._here.sizes(digests))
        wanted = tuple(digest for digest in dict.fromkeys(digests) if digest not in found)
        for start in range(0, len(wanted), _ASKED_AT_ONCE):
            some = wanted[start : start + _ASKED_AT_ONCE]
            found |= self._line.ask(SIZES, Blobs(digests=some, runs=tuple(reversed(self._runs))))
        return found

    def bring(self, digests: Collection[Digest], *, afresh: bool = False) -> None:
        wanted = [
            digest
            for digest in dict.fromkeys(digests)
            if digest not in self._waiting
            and digest not in self._absent
            and (afresh or digest not in self._here)
        ]
        if not wanted:
            return
        some = [wanted[start : start + _FEW] for start in range(0, len(wanted), _FEW)]
        with ThreadPoolExecutor(MOST) as pool:
            came = set().union(*pool.map(self._fetch, some))
        self._absent.update(set(wanted) - came)
        self._there.update(came)

    def send(self, digests: Collection[Digest], report: Report = silent) -> None:
        """Has the server hold these contents, which lie here; what it has is not sent again. Raises
        StoreError."""
        lacking = self._lacking(tuple(digests))
        sizes = {digest: self._here.path(digest).stat().st_size for digest in lacking}
        total, done = sum(sizes.values()), 0
        with ThreadPoolExecutor(MOST) as pool:
            for size in pool.map(self._sender.send, streams(sizes)):
                done += size
                report(Progress(stage="send", done=done, total=total, unit="bytes"))
        with self._lock:
            for digest in digests:
                self._waiting.pop(digest, None)
                self._there.add(digest)

    def _fetch(self, digests: Sequence[Digest]) -> set[Digest]:
        runs = tuple(reversed(self._runs))
        with self._line.fetched(digests, runs) as pieces, _cut():
            return set(unpack(pieces, self._here, self._aside, self._altered))

    def _altered(self, digest: Digest) -> None:
        """What the server holds is not what it was: a copy that is, is not to hide that."""
        with contextlib.suppress(StoreError):
            self._here.path(digest).unlink()

    def _lacking(self, digests: Sequence[Digest]) -> tuple[Digest, ...]:
        lacking: list[Digest] = []
        for start in range(0, len(digests), _ASKED_AT_ONCE):
            some = tuple(digests[start : start + _ASKED_AT_ONCE])
            lacking += self._line.ask(MISSING, Blobs(digests=some, runs=tuple(reversed(self._runs))))
        return tuple(lacking)

    def _wait(self, digest: Digest) -> Digest:
        with self._lock:
            self._waiting[digest] = None
        return digest

    @property
    def waiting(self) -> tuple[Digest, ...]:
        """What was added and not sent yet."""
        return tuple(self._waiting)


@contextlib.contextmanager
def _cut() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise StoreError(f"the store sends what it does not announce: {error}") from error
