"""What runs name of which whoever brought them to a server never showed that they had it.

Such a run tells nothing of the files in a folder: the store may know them by a run of somebody else.
"""

from __future__ import annotations

from collections.abc import Collection

from mlproj.model.digest import Digest
from mlproj.store.connection import Connection

_NEW = "INSERT INTO unshown (run_id, digest) VALUES (?, ?) ON CONFLICT DO NOTHING"


def note_unshown(connection: Connection, run_id: str, digests: Collection[Digest]) -> None:
    """Expects to be in a transaction, as the others that write."""
    connection.executemany(_NEW, [(run_id, digest) for digest in digests])


def note_shown(connection: Connection, run_id: str, digests: Collection[Digest]) -> None:
    """Takes back what was shown since, of the runs too that the script of this one began."""
    connection.executemany(
        "DELETE FROM unshown WHERE digest = ? AND"
        " (run_id = ? OR run_id IN (SELECT run_id FROM runs WHERE owner = ?))",
        [(digest, run_id, run_id) for digest in digests],
    )


def inherit_unshown(connection: Connection, run_id: str, parent: str) -> None:
    """A run that is begun below another one names what that names."""
    connection.execute(
        "INSERT INTO unshown (run_id, digest) SELECT ?, digest FROM unshown WHERE run_id = ?",
        (run_id, parent),
    )


def runs_not_showing(connection: Connection, digest: Digest) -> frozenset[str]:
    """The runs that name some content, and whose word that is all."""
    rows = connection.execute("SELECT run_id FROM unshown WHERE digest = ?", (digest,)).fetchall()
    return frozenset(run_id for (run_id,) in rows)
