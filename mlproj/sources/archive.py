"""A project in a `.zip`, on this machine or at an http(s) URL, unpacked where it can do no harm."""

from __future__ import annotations

import base64
import contextlib
import http.client
import os
import shutil
import stat
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import unquote, urlsplit, urlunsplit

from mlproj.errors import SourceError
from mlproj.model.events import Ended, Note, Progress, Report, Started
from mlproj.model.source import Checkout
from mlproj.sources.tree import temporary_tree
from mlproj.sources.uri import ArchiveAddress, enter, read_uri, shown

_PIECE = 1 << 20
_SYMLINK_LENGTH = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an archive may grow to. `ratio` counts above `small` bytes only, since small files pack well."""

    files: int = 200_000
    size: int = 20 << 30
    ratio: int = 200
    small: int = 100 << 20
    timeout: float = 60.0


class ArchiveSource:
    """`checkouts` is the folder in which trees are made."""

    def __init__(self, checkouts: Path, limits: Limits | None = None) -> None:
        self._checkouts = checkouts
        self._limits = limits or Limits()

    def accepts(self, uri: str) -> bool:
        return isinstance(read_uri(uri), ArchiveAddress)

    @contextlib.contextmanager
    def fetch(self, uri: str, revision: str | None, report: Report) -> Iterator[Checkout]:
        """The unpacked archive. Raises SourceError where it cannot be had, or holds what it should not."""
        address = read_uri(uri)
        assert isinstance(address, ArchiveAddress)
        name = shown(address)
        if revision:
            raise SourceError(
                f"revision `{revision}` was asked for, and `{name}` is a zip, which has none",
                hint="leave the revision out, or give a git repository",
            )
        with temporary_tree(self._checkouts) as tree:
            archive = address.path or _download(
                address.url, tree.parent / "download.zip", self._limits, report
            )
            report(Started(stage="unpack", detail=name))
            _unpack(archive, tree, name, self._limits, report)
            report(Ended(stage="unpack"))
            yield Checkout(directory=enter(tree, address), root=tree, uri=name, own=True)


def _download(url: str, target: Path, limits: Limits, report: Report) -> Path:
    shown_url = shown(ArchiveAddress(url=url))
    report(Started(stage="download", detail=shown_url))
    try:
        with (
            urllib.request.urlopen(_request(url), timeout=limits.timeout) as answer,
            target.open("wb") as file,
        ):
            total = int(answer.headers.get("Content-Length") or 0) or None
            done = 0
            while piece := answer.read(_PIECE):
                done += len(piece)
                if done > limits.size:
                    raise SourceError(f"`{shown_url}` is larger than {limits.size} bytes")
                file.write(piece)
                report(Progress(stage="download", done=done, total=total, unit="bytes"))
    except urllib.error.HTTPError as error:
        with error:
            hint = "check the address, and the credentials if it needs any" if error.code < 500 else None
            raise SourceError(
                f"cannot download `{shown_url}`: the server answered {error.code} ({error.reason})", hint=hint
            ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise SourceError(
            f"cannot download `{shown_url}`: {reason}", hint="check the address and the network"
        ) from error
    report(Ended(stage="download"))
    return target


def _request(url: str) -> urllib.request.Request:
    """The request, with credentials in a header that a redirect to another host does not carry along."""
    parts = urlsplit(url)
    user, at, place = parts.netloc.rpartition("@")
    request = urllib.request.Request(
        urlunsplit(parts._replace(netloc=place)), headers={"User-Agent": "mlproj"}
    )
    if at:
        pair = unquote(user) if ":" in user else f"{unquote(user)}:"
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
    return request


def _unpack(archive: Path, tree: Path, name: str, limits: Limits, report: Report) -> None:
    try:
        with zipfile.ZipFile(archive) as zipped:
            entries = zipped.infolist()
            _check_size(entries, archive.stat().st_size, name, limits)
            links = []
            for number, entry in enumerate(entries, 1):
                path = _safe_path(entry, name)
                if path is None:
                    report(
                        Note(
                            message=f"`{entry.filename}` of the archive is left out: git data is not unpacked"
                        )
                    )
                elif _is_link(entry):
                    links.append((tree / path, _link_target(zipped, entry, name)))
                else:
                    _unpack_entry(zipped, entry, tree / path, name)
                if number % 500 == 0:
                    report(Progress(stage="unpack", done=number, total=len(entries), unit="files"))
            # links come last, so that nothing is written through one
            _make_links(links, tree, name)
    except FileNotFoundError as error:
        if archive.exists():
            raise
        raise SourceError(f"there is no file `{archive}`") from error
    except FileExistsError as error:
        raise SourceError(f"`{name}` holds two entries of one name: `{_within(error, tree)}`") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        reason = "it is encrypted" if isinstance(error, RuntimeError) and "encrypted" in str(error) else error
        raise SourceError(
            f"cannot unpack `{name}`: {reason}", hint="check that it is a whole zip file"
        ) from error
    except OSError as error:
        raise SourceError(f"cannot unpack `{name}`: {error.strerror or error}") from error


def _within(error: OSError, tree: Path) -> str:
    return os.path.relpath(error.filename, tree) if isinstance(error.filename, str) else str(error.filename)


def _check_size(entries: list[zipfile.ZipInfo], packed: int, name: str, limits: Limits) -> None:
    """A look at what the archive says of itself; zipfile holds every entry to the size it claims."""
    unpacked = sum(entry.file_size for entry in entries)
    if len(entries) > limits.files:
        raise SourceError(
            f"`{name}` holds {len(entries)} files, more than the {limits.files} that are unpacked"
        )
    if unpacked > limits.size:
        raise SourceError(f"`{name}` would unpack to {unpacked} bytes, more than {limits.size}")
    if unpacked > limits.small and unpacked > limits.ratio * packed:
        raise SourceError(f"`{name}` would unpack to {unpacked // max(packed, 1)} times its size: a zip bomb")


def _safe_path(entry: zipfile.ZipInfo, name: str) -> PurePosixPath | None:
    """Where the entry goes, relative to the tree; None for git's own data (its settings run programs)."""
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    windows_drive = len(path.parts) > 0 and path.parts[0].endswith(":")
    if path.is_absolute() or ".." in path.parts or windows_drive or not path.parts:
        raise SourceError(f"`{name}` holds a path that leads out of it: `{entry.filename}`")
    return None if any(part.lower() == ".git" for part in path.parts) else path


def _is_link(entry: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(entry.external_attr >> 16)


def _link_target(zipped: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> str:
    if entry.file_size > _SYMLINK_LENGTH:
        raise SourceError(f"`{name}` holds a symbolic link without a sensible target: `{entry.filename}`")
    return os.fsdecode(zipped.read(entry))


def _unpack_entry(zipped: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, name: str) -> None:
    if entry.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise SourceError(f"`{name}` holds something that is no file, folder or link: `{entry.filename}`")
    target.parent.mkdir(parents=True, exist_ok=True)
    executable = (entry.external_attr >> 16) & stat.S_IXUSR
    with zipped.open(entry) as packed, target.open("xb") as file:
        _copy(packed, file, entry, name)
        os.fchmod(file.fileno(), 0o755 if executable else 0o644)


def _copy(packed: object, file: BinaryIO, entry: zipfile.ZipInfo, name: str) -> None:
    assert isinstance(packed, zipfile.ZipExtFile)
    shutil.copyfileobj(packed, file, _PIECE)
    if file.tell() != entry.file_size:
        raise SourceError(f"`{name}` is damaged: `{entry.filename}` is not as long as it says")


def _make_links(links: list[tuple[Path, str]], tree: Path, name: str) -> None:
    for path, target in links:
        _check_link(path.parent, tree, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.isabs(target):
            path.symlink_to(target)
        _check_link(path if path.is_symlink() else Path(target), tree, name)
    for path, _ in links:
        # a later link may have changed where an earlier one leads
        _check_link(path, tree, name)


def _check_link(path: Path, tree: Path, name: str) -> None:
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(tree)):
        raise SourceError(f"`{name}` holds a link that leads out of it: `{os.path.relpath(path, tree)}`")
