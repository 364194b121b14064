"""The files of a bundle as bytes: in a sound zip, at sensible paths, with the digests of the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

from mlproj.errors import Altered
from mlproj.exports.container import Member, read_content, read_members
from mlproj.exports.paths import Taken, complaint
from mlproj.model import bundle
from mlproj.model.digest import Digest, read_folder, readable
from mlproj.model.events import Progress, Report
from mlproj.settings import Limits

Tell = Callable[[str, str], None]
"""Is told of a file in the bundle (or of the `zip`), and what is wrong with it."""

_FIRST = (bundle.DOCUMENT, bundle.MANIFEST, bundle.CRATE)
_LARGEST_DOCUMENT = 256 * 1024 * 1024


class Contents:
    """The files in a bundle, by path; each has a digest, save the manifest that tells them."""

    def __init__(self, file: BinaryIO, members: Mapping[str, Member], digests: Mapping[str, Digest]) -> None:
        self._file = file
        self._members = members
        self.digests = digests

    def size(self, path: str) -> int:
        return self._members[path].size

    def is_executable(self, path: str) -> bool:
        return self._members[path].executable

    def pieces(self, path: str) -> Iterator[bytes]:
        """What a file holds, a piece at a time."""
        return read_content(self._file, self._members[path])

    def document(self, path: str) -> bytes:
        """What a file holds that is read as a whole. Raises Altered where it is too large for that."""
        return _document(self._file, self._members[path])

    def below(self, folder: str) -> tuple[str, ...]:
        """The paths of the files in a folder."""
        return tuple(path for path in self.digests if path.startswith(f"{folder}/"))


def read_contents(file: BinaryIO, limits: Limits, report: Report, tell: Tell) -> Contents:
    """Reads every byte of a bundle; what it returns is only to be used where nothing was told.

    Raises Altered where the zip is such that nothing more can be said.
    """
    members = _members(file, limits, tell)
    if any(path not in members for path in (*_FIRST, bundle.RECORD)):
        return Contents(file, members, {})
    listed = _listed(_document(file, members[bundle.MANIFEST]))
    digests = dict(_digests(file, members, report, tell))
    for path in dict.fromkeys((*digests, *listed)):
        if path not in members:
            tell(path, f"`{bundle.MANIFEST}` names it, and it is not there")
        elif path not in listed:
            tell(path, f"`{bundle.MANIFEST}` does not name it")
        elif path in digests and listed[path] != digests[path]:
            tell(path, f"has been altered: its digest is not that of `{bundle.MANIFEST}`")
    return Contents(file, members, digests)


def _members(file: BinaryIO, limits: Limits, tell: Tell) -> dict[str, Member]:
    members: dict[str, Member] = {}
    found = read_members(file, most=limits.bundle_files)
    size = sum(member.size for member in found)
    if size > limits.bundle:
        raise Altered(
            f"it holds {size} bytes, more than the {limits.bundle} that `MLPROJ_BUNDLE_LIMIT` allows"
        )
    taken = Taken()
    for member in found:
        if member.name in members:
            tell(member.name, "is there twice")
        elif (reason := complaint(member.name)) is not None:
            tell(member.name, f"the path {reason}")
        elif not taken.take(member.name):
            tell(member.name, "is, on some systems, the same path as another")
        members[member.name] = member
    for path in (*_FIRST, bundle.RECORD):
        if path not in members:
            tell(path, "is not in it")
    paths = list(members)
    if paths != [*_FIRST, *sorted(paths[len(_FIRST) :], key=str.encode)]:
        tell("zip", "its files are not in the order in which mlproj writes them")
    return members


def _digests(
    file: BinaryIO, members: Mapping[str, Member], report: Report, tell: Tell
) -> Iterator[tuple[str, Digest]]:
    total, done = sum(member.size for member in members.values()), 0
    for path, member in members.items():
        hasher = hashlib.sha256()
        try:
            for piece in read_content(file, member):
                hasher.update(piece)
                done += len(piece)
                report(Progress(stage="verify", done=done, total=total, unit="bytes"))
        except Altered as error:
            tell(path, error.message)
            continue
        if path != bundle.MANIFEST:
            yield path, Digest.from_hex(hasher.hexdigest())


def _listed(manifest: bytes) -> dict[str, Digest]:
    try:
        return {readable(path): digest for path, digest in read_folder(manifest)}
    except ValueError as error:
        raise Altered(f"`{bundle.MANIFEST}` cannot be read: {error}") from error


def _document(file: BinaryIO, member: Member) -> bytes:
    if member.size > _LARGEST_DOCUMENT:
        raise Altered(f"`{member.name}` is {member.size} bytes long, more than is read of such a file")
    return b"".join(read_content(file, member))
