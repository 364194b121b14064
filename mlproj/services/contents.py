"""Whether the content that records name is there and as it was: each is read once, however many name it.

What is to be read is collected while the chain is walked, and read beside it. Only where something is found
are the records gone through again, to tell whose it is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from mlproj.files import digest_of
from mlproj.model.digest import Digest, read_manifest, readable
from mlproj.model.record import BlobReference
from mlproj.model.run import Run
from mlproj.ports import Digester
from mlproj.store_ports import BlobStore

Digests = frozenset[Digest | None]
_NONE: Digests = frozenset()


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """What was come upon: content that has to be read, content that was, and what was wrong with that."""

    needed: tuple[Digest, ...]
    read: tuple[Digest, ...]
    faults: tuple[tuple[Digest, str], ...]
    no_manifests: tuple[tuple[Digest, str], ...]


@dataclass(slots=True)
class _Fresh:
    """What was not told of yet."""

    read: list[Digest] = field(default_factory=list)
    faults: list[tuple[Digest, str]] = field(default_factory=list)
    no_manifests: list[tuple[Digest, str]] = field(default_factory=list)


def one_by_one(folder: Path, names: Iterable[Sequence[bytes]]) -> Iterator[tuple[bytes, Digest | str]]:
    """A `ports.Digester` that reads here, one file after another."""
    for name in itertools.chain.from_iterable(names):
        try:
            digest, _ = digest_of(folder / name.decode())
            yield name, digest
        except OSError as error:
            yield name, str(error)


class Contents:
    """The blobs that records name, and what is wrong with them."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._seen: set[Digest] = set()
        self._read_here: set[Digest] = set()
        self._waiting: list[Digest] = []
        self._fresh = _Fresh()
        self._faults: dict[Digest, str] = {}
        self._no_manifests: dict[Digest, str] = {}
        self._omitted: dict[Digest, Digests] = {}
        self._listed: set[tuple[Digest, Digests]] = set()
        self._wrong: dict[Digest, tuple[tuple[str, Digest], ...]] = {}

    def __len__(self) -> int:
        return len(self._seen)

    @property
    def sound(self) -> bool:
        return not self._faults and not self._no_manifests

    def taken(self) -> Named:
        """What was come upon since this was asked for last."""
        fresh, self._fresh = self._fresh, _Fresh()
        waiting, self._waiting = self._waiting, []
        return Named(
            needed=tuple(waiting),
            read=tuple(fresh.read),
            faults=tuple(fresh.faults),
            no_manifests=tuple(fresh.no_manifests),
        )

    def merge(self, named: Named) -> None:
        """Takes in what was come upon elsewhere."""
        self._seen.update(named.read)
        self._faults.update(named.faults)
        self._no_manifests.update(named.no_manifests)
        for digest in named.needed:
            self._need(digest)

    def read_beside(self, steps: Iterable[object], digester: Digester) -> None:
        """Goes through `steps`, during which content is named, and reads meanwhile what was."""
        for name, found in self._blobs.digested(digester, map(self._take, steps)):
            self._judge(Digest.of_name(name), found)

    def add(self, run: Run, references: Iterable[BlobReference]) -> None:
        """Has everything read that `references` of the run name."""
        lost, skipped = self._skipped(run)
        for reference in references:
            if reference.digest in lost:
                continue
            if reference.manifest and (reference.digest, skipped) not in self._listed:
                self._listed.add((reference.digest, skipped))
                for _, digest in self._files(reference.digest):
                    if digest not in skipped:
                        self._need(digest)
            self._need(reference.digest)

    def faults(self, run: Run, references: Iterable[BlobReference]) -> Iterator[tuple[str, str]]:
        """What is wrong with what `references` of the run name, once it was read: part and sentence."""
        lost, skipped = self._skipped(run)
        for reference in references:
            digest, part = reference.digest, reference.part
            if digest in lost:
                continue
            if digest in self._faults:
                yield part, f"the content `{digest}` {self._faults[digest]}"
            elif reference.manifest:
                if digest in self._no_manifests:
                    yield part, f"the list of files cannot be read: {self._no_manifests[digest]}"
                for path, listed in self._wrong_in(digest):
                    if listed not in skipped:
                        yield f"{part}/{path}", f"the content `{listed}` {self._faults[listed]}"

    def sound_file(self, digest: Digest) -> Path | None:
        """The file of a blob, which is read here and now; None where something is wrong with it."""
        if digest not in self._read_here:
            self._seen.add(digest)
            self._read_here.add(digest)
            self._fresh.read.append(digest)
            # Where it lies: a copy that is at hand says nothing of that.
            self._blobs.bring((digest,), afresh=True)
            ((_, found),) = self._blobs.digested(one_by_one, [[self._blobs.name(digest)]])
            self._judge(digest, found)
        return None if digest in self._faults else self._blobs.path(digest)

    def _skipped(self, run: Run) -> tuple[Digests, Digests]:
        """What the run's record names and the store never got; and with it, what its snapshot lists and does
        not hold."""
        lost = frozenset(run.outcome.lost) if run.outcome is not None and run.outcome.lost else _NONE
        omitted = _NONE
        if run.job is not None:
            source = run.job.source
            if source.omitted:
                omitted = frozenset(file.digest for file in source.omitted)
            if source.omitted_manifest is not None:
                omitted |= self._omitted_in(source.omitted_manifest)
        return lost, lost | omitted if omitted else lost

    def _omitted_in(self, manifest: Digest) -> Digests:
        if manifest not in self._omitted:
            self._omitted[manifest] = frozenset(digest for _, digest in self._files(manifest))
        return self._omitted[manifest]

    def _wrong_in(self, manifest: Digest) -> tuple[tuple[str, Digest], ...]:
        """The files of a manifest with which something is wrong."""
        if manifest not in self._wrong:
            listed = self._files(manifest)
            self._wrong[manifest] = tuple((path, digest) for path, digest in listed if digest in self._faults)
        return self._wrong[manifest]

    def _files(self, manifest: Digest) -> Iterator[tuple[str, Digest]]:
        """What a manifest lists; nothing where it is not what it was."""
        file = self.sound_file(manifest)
        try:
            entries = () if file is None else read_manifest(file.read_bytes())
        except ValueError as error:
            self._no_manifests[manifest] = str(error)
            self._fresh.no_manifests.append((manifest, str(error)))
            return
        for path, _, digest in entries:
            yield readable(path), digest

    def _take(self, _: object) -> Sequence[bytes]:
        names = [self._blobs.name(digest) for digest in self._waiting]
        self._waiting = []
        return names

    def _need(self, digest: Digest) -> None:
        if digest not in self._seen:
            self._seen.add(digest)
            self._waiting.append(digest)

    def _judge(self, digest: Digest, found: Digest | str) -> None:
        """Takes down what is wrong with a content that was read, by what it is now or why it cannot be."""
        if found != digest:
            altered = isinstance(found, Digest)
            self._blame(digest, "has been altered" if altered else f"cannot be read: {found}")

    def _blame(self, digest: Digest, reason: str) -> None:
        self._faults[digest] = reason if digest in self._blobs else "is missing"
        self._fresh.faults.append((digest, self._faults[digest]))
