"""What a project's URI means: a folder, a git repository or a zip, and the subfolder of it that is meant."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from mlproj.errors import SourceError
from mlproj.model.redaction import without_credentials

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_SCP_LIKE = re.compile(r"[^/]+:")
_THREE_SLASHES = "write `file:///absolute/path`, with three slashes"
_REMOTE_ZIP = re.compile(r"https?://[^?#]+\.zip(\?[^#]*)?", re.IGNORECASE)


class FolderAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of this machine, absolute; it may not exist."""

    path: Path
    subfolder: str = ""


class GitAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A git repository elsewhere (`url`, as written), or a bare one of this machine (`path`)."""

    url: str
    path: Path | None = None
    subfolder: str = ""


class ArchiveAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A zip at an http(s) URL (`url`, as written), or one of this machine (`path`)."""

    url: str
    path: Path | None = None
    subfolder: str = ""


Address = FolderAddress | GitAddress | ArchiveAddress


def read_uri(uri: str) -> Address:
    """The address that `uri` stands for, told as MLflow does; looks at the file system, changes nothing.

    `#` parts the subfolder off, unless a folder of the whole name exists.
    """
    if not _SCHEME.match(uri) and os.path.isdir(uri):
        return _local(uri, "")
    base, _, subfolder = uri.partition("#")
    scheme = _SCHEME.match(base)
    if scheme is None:
        elsewhere = _SCP_LIKE.match(base) and not os.path.exists(base)
        return GitAddress(url=base, subfolder=subfolder) if elsewhere else _local(base, subfolder)
    if scheme[0].lower() == "file://":
        return _local(_path_of(base), subfolder)
    if _REMOTE_ZIP.fullmatch(base):
        return ArchiveAddress(url=base, subfolder=subfolder)
    return GitAddress(url=base, subfolder=subfolder)


def shown(address: Address) -> str:
    """The address for people and the record: absolute, subfolder included, credentials taken out."""
    match address:
        case FolderAddress():
            base = str(address.path)
        case GitAddress() | ArchiveAddress():
            base = without_credentials(address.url) if address.path is None else str(address.path)
    return f"{base}#{address.subfolder}" if address.subfolder else base


def enter(root: Path, address: Address) -> Path:
    """The subfolder of `root` that the address names, or `root`. Raises SourceError where it is none."""
    parts = address.subfolder.split("/")
    if not address.subfolder.strip("/"):
        return root
    if "." in parts or ".." in parts:
        raise SourceError(
            f"`.` and `..` are not allowed in a project's subfolder: `{address.subfolder}`",
            hint="name the folder from the top of the source, as in `#examples/train`",
        )
    directory = root.joinpath(*(part for part in parts if part))
    if not os.path.isdir(directory):
        base = shown(address).partition("#")[0]
        raise SourceError(
            f"could not find subfolder `{address.subfolder}` of `{base}`", hint=_folders_hint(root)
        )
    if not directory.resolve().is_relative_to(root.resolve()):
        raise SourceError(
            f"subfolder `{address.subfolder}` leads out of `{shown(address).partition('#')[0]}`"
        )
    return directory


def _local(path: str, subfolder: str) -> Address:
    absolute = Path(os.path.abspath(path))
    if path.lower().endswith(".zip") and not os.path.isdir(absolute):
        return ArchiveAddress(url=path, path=absolute, subfolder=subfolder)
    if _is_bare_repository(absolute):
        return GitAddress(url=path, path=absolute, subfolder=subfolder)
    return FolderAddress(path=absolute, subfolder=subfolder)


def _is_bare_repository(path: Path) -> bool:
    # Of `os.path`, and not of Path: a name that is too long is no error there, and no file.
    folders = os.path.isdir(path / "objects") and os.path.isdir(path / "refs")
    here = folders and os.path.isfile(path / "HEAD")
    return here and path.name != ".git" and not os.path.exists(path / "MLproject")


def _path_of(file_uri: str) -> str:
    try:
        parts = urlsplit(file_uri)
    except ValueError as error:
        raise SourceError(
            f"`{without_credentials(file_uri)}` is no address: {error}", hint=_THREE_SLASHES
        ) from error
    if parts.netloc not in ("", "localhost"):
        raise SourceError(
            f"`{without_credentials(file_uri)}` names a file of another machine (`{parts.hostname}`)",
            hint=_THREE_SLASHES,
        )
    return unquote(parts.path) or "/"


def _folders_hint(root: Path) -> str | None:
    names = sorted(
        entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )
    return "it holds " + ", ".join(f"`{name}`" for name in names[:10]) if names else None
