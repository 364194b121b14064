"""Every failure of the database or the disk becomes one sentence about the store."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from mlproj.errors import FULL, Busy, MlprojError, NoRoom, StoreError, Unanswered, UsageError
from mlproj.store.room import has_room
from mlproj.store.servers.faults import Cause, Fault

_DAMAGED = ("malformed", "not a database", "corrupt", "malformed database schema")


@contextlib.contextmanager
def explained(root: Path) -> Iterator[None]:
    """Raises what goes wrong inside as a StoreError about the store at `root`; a value that its columns do
    not take as a UsageError."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain(root, error) from error
    except Fault as fault:
        raise explain_fault(root, fault) from fault
    except UnicodeDecodeError as error:
        # In a complaint of SQLite's, which quotes what it cannot read.
        raise explain(root, sqlite3.DatabaseError("malformed database schema")) from error
    except OSError as error:
        if error.errno in FULL:
            raise no_room(root) from error
        where = f": `{error.filename}`" if error.filename else ""
        raise StoreError(f"the store `{root}` cannot be used: {error.strerror or error}{where}") from error


def explain(root: Path, error: sqlite3.Error) -> StoreError:
    """The sentence for what SQLite said of the database of the store at `root`."""
    told = str(error)
    if any(word in told for word in _DAMAGED):
        return StoreError(
            f"the database of the store `{root}` is damaged ({told})",
            hint="restore it from a copy; the files under `blobs` are not affected",
        )
    if "locked" in told or "busy" in told:
        return StoreError(
            f"the store `{root}` is busy: another process kept writing to it", hint="try again in a moment"
        )
    if "full" in told or not has_room(root):
        return no_room(root)
    if "readonly" in told:
        return not_writable(root)
    return StoreError(f"the database of the store `{root}` cannot be used ({told})")


def explain_fault(root: Path, fault: Fault) -> MlprojError:
    """The sentence for what a server said, which has the database of the store at `root`."""
    match fault.cause:
        case Cause.CONFLICT:
            return Busy(f"the store `{root}` is busy: others write the same", hint="try again in a moment")
        case Cause.GONE:
            return Busy(
                f"the database of the store `{root}` cannot be reached ({fault.told})",
                hint="try again when its server runs",
            )
        case Cause.UNSURE:
            return Unanswered(
                f"the database of the store `{root}` went before it answered ({fault.told}): what was to be"
                " written may be there, or not",
                hint="look, and try again",
            )
        case Cause.FULL:
            return NoRoom(
                f"the server has no room for the database of the store `{root}` ({fault.told})",
                hint="free some space on its disk",
            )
        case Cause.UNFIT:
            return UsageError(f"a value cannot be stored: {fault.told}")
        case Cause.REFUSED:
            return StoreError(
                f"the database of the store `{root}` does not let us in ({fault.told})",
                hint="look at the user, the password and the name of the database in its URI",
            )
        case _:
            return StoreError(f"the database of the store `{root}` cannot be used ({fault.told})")


def not_writable(root: Path) -> StoreError:
    return StoreError(
        f"the store `{root}` cannot be written to",
        hint="have its owner let you, or name another with `--store` or `MLPROJ_STORE`",
    )


def no_room(root: Path) -> NoRoom:
    return NoRoom(f"no space is left for the store `{root}`", hint="free some space on that disk")
