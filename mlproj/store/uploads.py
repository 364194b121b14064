"""Artifacts that arrive in parts: each is a file aside, and the whole is put in place when all are there.

What is abandoned stays aside until `gc` takes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from mlproj.errors import NotFound, UsageError
from mlproj.files import write_all, write_atomically
from mlproj.store.failures import explained

Write = Callable[[str, Iterator[bytes]], None]

UPLOADS = "uploads"
"""The folder of a store for what has not arrived to its end."""
PIECE = 1024 * 1024
BEGUN, ENDING = "parts-", "whole-"
"""How the folders of uploads begin: while parts arrive, and while they are put together."""

_NOTE = "upload.json"
_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_TAG = re.compile(r"[0-9a-f]{64}", re.ASCII)


class _Note(msgspec.Struct, frozen=True, kw_only=True):
    """What an upload will be: an artifact at `path`, of so many parts."""

    path: str
    parts: int


class FolderUploads:
    """The port `Uploads` for artifacts: how paths of them are checked, how they are written, where parts lie.

    Nothing is synced: what a run leaves becomes blobs when it is sealed, and those are.
    """

    def __init__(self, check: Callable[[str], None], write: Write, aside: Path) -> None:
        self._check = check
        self._write = write
        self._aside = aside

    def begin(self, path: str, parts: int) -> str:
        self._check(path)
        upload = secrets.token_hex(16)
        with explained(self._aside):
            self._aside.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = self._aside / f"{BEGUN}{upload}"
            folder.mkdir(mode=0o700)
            note = msgspec.json.encode(_Note(path=path, parts=parts))
            write_atomically(folder / _NOTE, note, sync=False)
        return upload

    def add(self, path: str, upload: str, part: int, pieces: Iterator[bytes]) -> str:
        folder, note = self._known(path, upload)
        if not 1 <= part <= note.parts:
            raise UsageError(f"the upload `{upload}` has {note.parts} parts, and there is no part {part}")
        with explained(self._aside), self._gone_is_not_found(upload):
            temporary = folder / f"new-{secrets.token_hex(8)}"
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            hasher = hashlib.sha256()
            try:
                try:
                    for piece in pieces:
                        hasher.update(piece)
                        write_all(descriptor, piece)
                finally:
                    os.close(descriptor)
                # The tag is part of the name: one that is sent again, otherwise, is another file.
                temporary.rename(folder / _name(part, hasher.hexdigest()))
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        return hasher.hexdigest()

    def complete(self, path: str, upload: str, parts: Sequence[tuple[int, str]]) -> None:
        folder, note = self._known(path, upload)
        if [number for number, _ in parts] != list(range(1, note.parts + 1)):
            raise UsageError(
                f"the upload `{upload}` is of the parts 1 to {note.parts}, each to be named once and in order"
            )
        with explained(self._aside), self._gone_is_not_found(upload):
            arrived = frozenset(os.listdir(folder))
            for number, tag in parts:
                if not _TAG.fullmatch(tag) or _name(number, tag) not in arrived:
                    raise UsageError(f"part {number} of the upload `{upload}` has not arrived as it is named")
            ending = folder.with_name(f"{ENDING}{upload}")
            folder.rename(ending)
        try:
            self._write(path, _joined([(ending / _name(*part), part[1]) for part in parts]))
        except BaseException:
            with contextlib.suppress(OSError):
                ending.rename(folder)
            raise
        shutil.rmtree(ending, ignore_errors=True)

    def abort(self, path: str, upload: str) -> None:
        folder, _ = self._known(path, upload)
        with explained(self._aside):
            shutil.rmtree(folder, ignore_errors=True)

    def _known(self, path: str, upload: str) -> tuple[Path, _Note]:
        """The folder of an upload, and what it will be. Raises NotFound."""
        folder = self._aside / f"{BEGUN}{upload}"
        if _ID.fullmatch(upload):
            with explained(self._aside), contextlib.suppress(FileNotFoundError, msgspec.MsgspecError):
                note = msgspec.json.decode((folder / _NOTE).read_bytes(), type=_Note)
                if note.path == path:
                    return folder, note
        raise _no_upload(upload)

    @contextlib.contextmanager
    def _gone_is_not_found(self, upload: str) -> Iterator[None]:
        """An upload that somebody ends meanwhile is not there any more."""
        try:
            yield
        except FileNotFoundError as error:
            raise _no_upload(upload) from error


def _joined(parts: Sequence[tuple[Path, str]]) -> Iterator[bytes]:
    """What is in the parts, one after another, each of which has to be what it was when it arrived."""
    for path, tag in parts:
        hasher = hashlib.sha256()
        with path.open("rb", buffering=0) as file:
            while piece := file.read(PIECE):
                hasher.update(piece)
                yield piece
        if hasher.hexdigest() != tag:
            raise UsageError(f"a part has changed since it arrived: `{path.name}`")


def _name(part: int, tag: str) -> str:
    return f"{part}-{tag}"


def _no_upload(upload: str) -> NotFound:
    return NotFound(f"No such upload: '{upload[:100]}'")
