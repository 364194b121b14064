"""The files in folders that runs read or left, noted by the folder's digest.

So the same folder takes no more room for a thousand runs, and what is noted can be held against that digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlproj.lineage_ports import MOST_FILES
from mlproj.model.digest import Digest, folder_manifest, read_folder
from mlproj.model.record import left_folders
from mlproj.model.run import Run
from mlproj.store.connection import Connection
from mlproj.store.contained import KeptBlobs

_NAMED = "SELECT digest FROM inputs UNION SELECT digest FROM outputs"


def note_outputs(connection: Connection, blobs: KeptBlobs, run: Run) -> None:
    """Notes the files of the folders that a run left, as far as the store holds the lists of them. Expects to
    be in a transaction."""
    for folder in left_folders(run):
        if folder in blobs and not _is_known(connection, folder):
            manifest = blobs.path(folder).read_bytes()
            if Digest.of(manifest) == folder:
                note_folder(connection, manifest)


def note_folder(connection: Connection, manifest: bytes) -> None:
    """Notes the files of a folder, unless they are too many or known. Expects to be in a transaction. Raises
    ValueError for a list that is not the one of these files: what is noted could not be held against it."""
    folder = Digest.of(manifest)
    if manifest.count(b"\n") > MOST_FILES or _is_known(connection, folder):
        return
    files = read_folder(manifest)
    if not files:
        return
    connection.execute("INSERT INTO folders (digest) VALUES (?)", (folder,))
    (number,) = connection.execute("SELECT id FROM folders WHERE digest = ?", (folder,)).fetchone()
    connection.executemany(
        "INSERT INTO folder_files (folder, position, path, digest) VALUES (?, ?, ?, ?)",
        ((number, position, path, digest) for position, (path, digest) in enumerate(files)),
    )


def drop_folders(connection: Connection) -> None:
    """Takes away what no run names any more. Expects to be in a transaction."""
    gone = (
        "SELECT id FROM folders WHERE digest NOT IN"
        f" (SELECT n.digest FROM ({_NAMED}) n WHERE n.digest IS NOT NULL)"
    )
    connection.execute(f"DELETE FROM folder_files WHERE folder IN ({gone})")
    connection.execute("DELETE FROM folders WHERE id NOT IN (SELECT folder FROM folder_files)")


def read_files(connection: Connection, folder: Digest) -> tuple[tuple[bytes, Digest], ...]:
    """Path and content of each file that is known of a folder."""
    rows = connection.execute(
        "SELECT p.path, p.digest FROM folder_files p JOIN folders f ON f.id = p.folder WHERE f.digest = ?"
        " ORDER BY p.position",
        (folder,),
    )
    return tuple(_files(rows))


def read_folders(connection: Connection) -> Iterator[tuple[Digest, bytes]]:
    """Every folder with the lines that its digest has to be of; what is damaged digests to something else."""
    for number, folder in connection.execute("SELECT id, digest FROM folders ORDER BY id").fetchall():
        rows = connection.execute(
            "SELECT path, digest FROM folder_files WHERE folder = ? ORDER BY position", (number,)
        )
        yield str.__new__(Digest, folder), folder_manifest(_files(rows))


def _files(rows: Iterable[tuple[object, object]]) -> Iterator[tuple[bytes, Digest]]:
    for path, digest in rows:
        raw = path if isinstance(path, bytes) else str(path).encode("utf-8", "surrogateescape")
        yield raw, str.__new__(Digest, str(digest))


def _is_known(connection: Connection, folder: Digest) -> bool:
    return connection.execute("SELECT 1 FROM folders WHERE digest = ?", (folder,)).fetchone() is not None
