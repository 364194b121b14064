"""Which folder is the store: the one that was named, the nearest one upward, or a new one right here."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from mlproj.errors import StoreError
from mlproj.model.redaction import without_credentials

FOLDER = ".mlproj"
DESTINATIONS = ("MLPROJ_SERVER_ARTIFACTS_DESTINATION", "MLFLOW_ARTIFACTS_DESTINATION")
"""The variables that say where the contents are that go with a database at a server."""

_AT_A_SERVER = re.compile(r"(?:postgres|postgresql|mysql|mariadb)(?:\+\w+)?://", re.ASCII)

_NETWORK = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ncpfs"),
        *("beegfs", "ceph", "glusterfs", "gpfs", "lustre", "orangefs", "panfs", "pvfs2", "gfs2", "ocfs2"),
        *("fuse.ceph", "fuse.glusterfs", "fuse.sshfs"),
    )
)


def address(explicit: str | None, environ: Mapping[str, str]) -> str | None:
    """The address of the server that has the store, where the one that is named is at one."""
    chosen = explicit or environ.get("MLPROJ_STORE") or ""
    return chosen if chosen.lower().startswith(("http://", "https://")) else None


def database(explicit: str | None, environ: Mapping[str, str]) -> str | None:
    """The URI of the database that is the store's, where the one that is named is named by that."""
    chosen = explicit or environ.get("MLPROJ_STORE") or ""
    return chosen if _AT_A_SERVER.match(chosen) or chosen.startswith("sqlite:") else None


def locate(explicit: str | None, environ: Mapping[str, str], directory: Path) -> Path:
    """The store's folder, which need not exist yet.

    `explicit` (`--store`) comes first, then `MLPROJ_STORE`, both relative to `directory`; then the nearest
    `.mlproj` folder from `directory` upward that is not another user's; then a new one in `directory`.
    Raises StoreError for a URI of no kind that is known.
    """
    chosen = explicit or environ.get("MLPROJ_STORE")
    if not chosen:
        return _nearest(directory) or directory / FOLDER
    if _AT_A_SERVER.match(chosen):
        raise StoreError(
            "that is for a store in a folder, and the one that is named has its database at a server",
            hint="copy it with what the database has (`pg_dump`, `mariadb-dump`), and the contents after it",
        )
    if "://" in chosen:
        raise StoreError(
            f"runs are kept in a folder or at a server, not in `{without_credentials(chosen)}`",
            hint="name a folder, the `http://` address of what `mlproj server` started, or a database's URI",
        )
    return Path(os.path.abspath(directory / Path(chosen).expanduser()))


def owned(path: Path) -> bool:
    """Whether the folder is this user's."""
    return path.stat().st_uid == os.geteuid()


def network_file_system(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """The kind of network file system that holds `path`, None for a local one or where nobody can tell."""
    device = path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        head, _, tail = line.partition(" - ")
        if head.split(" ")[2:3] == [number]:
            kind = tail.split(" ")[0]
            return kind if kind in _NETWORK else None
    return None


def _nearest(directory: Path) -> Path | None:
    for folder in (directory, *directory.parents):
        candidate = folder / FOLDER
        try:
            if candidate.is_dir() and owned(candidate):
                return candidate
        except OSError:
            continue
    return None
