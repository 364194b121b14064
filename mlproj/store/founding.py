"""Where a store may lie: in a folder of its own, on a local disk; and where it is, if it was moved."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from mlproj.errors import StoreError
from mlproj.files import locked, locked_now, read_regular, write_atomically
from mlproj.store.database import FILE
from mlproj.store.locating import DESTINATIONS, FOLDER, network_file_system

MOVED = "moved-to"
"""The file that says where a store went."""
ARRIVING = f"{FILE}.arriving"
"""A copy's database before it is put in place."""
WORKSPACES = ("runs", "models", "traces")
"""The folders of what has files that can still change: runs, logged models, traces."""
KEY_OF_WEBHOOKS = "webhooks.key"
"""What the secrets of webhooks are encrypted by. No copy of a store has it, as whoever has both can sign."""
_MOST_MOVES = 40


def make_folder(root: Path) -> None:
    """An empty store's folder, which git leaves alone. Raises StoreError where other files are in it."""
    # As an interrupted copy leaves them, or a store whose database is elsewhere.
    ours = {".gitignore", "locks", "blobs", "uploads", *WORKSPACES, ARRIVING, KEY_OF_WEBHOOKS}
    strange = root.is_dir() and any(entry.name not in ours for entry in root.iterdir())
    if strange and not (root / FILE).exists():  # which somebody else may have made meanwhile
        inside = root / FOLDER
        raise StoreError(
            f"`{root}` is a folder with other files in it, not a store",
            hint=f"name a new folder, such as `{inside}`",
        )
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    root.chmod(0o700)
    (root / ".gitignore").write_text("*\n")
    (root / "blobs").mkdir(mode=0o700, exist_ok=True)  # by which, beside the database, a store is known


def place_database(root: Path, file: Path, *, create: bool) -> None:
    """Has the database of the store at `root` be that file, to which SQLite follows a link, with its journal.
    Raises StoreError where the store has another, or there is none and `create` does not say to make it."""
    link = root / FILE
    if link.is_symlink() and Path(os.path.realpath(link)) == Path(os.path.realpath(file)):
        return
    if link.is_symlink() or link.exists():
        raise StoreError(
            f"the store `{root}` has another database than `{file}`: `{os.path.realpath(link)}`",
            hint="name another folder for what goes with that one, with `--artifacts-destination`",
        )
    if not create:
        raise StoreError(f"there is no store at `{root}` with the database `{file}`")
    if file.exists() and file.stat().st_size:
        raise StoreError(
            f"`{file}` holds something already, and what goes with it is not in `{root}`",
            hint="name the folder where that is with `--artifacts-destination`, or, for other commands, in"
            f" the variable `{DESTINATIONS[0]}`; or a new file",
        )
    refuse_network(file)
    make_folder(root)
    # SQLite would make it readable for others.
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    link.symlink_to(file)


def refuse_network(root: Path) -> None:
    """Raises StoreError on a network file system, whose locks SQLite cannot rely on. It need not exist."""
    kind = network_file_system(next(path for path in (root, *root.parents) if path.exists()))
    if kind is not None:
        raise StoreError(
            f"the store `{root}` is on a network file system (`{kind}`), where SQLite can lose data",
            hint="name a folder on a local disk with `--store` or `MLPROJ_STORE`",
        )


def followed(root: Path) -> Path:
    """Where the store of that folder is now. Raises StoreError where it was moved in a circle."""
    for _ in range(_MOST_MOVES):
        if (root / FILE).exists():
            return root
        found = _word(root)
        if found is None or found == root:  # a store that was to come here, and did not
            return root
        root = found
    raise StoreError(f"the store `{root}` was moved in a circle", hint=f"remove `{root / MOVED}`")


def _word(root: Path) -> Path | None:
    """Where the word says that the store of that folder is."""
    try:
        return Path(os.fsdecode(read_regular(root / MOVED).removesuffix(b"\n")))
    except (FileNotFoundError, NotADirectoryError):
        return None


def leave_word(root: Path, destination: Path) -> None:
    """Has whoever looks for the store at `root` find it at `destination`."""
    root.mkdir(mode=0o700, exist_ok=True)
    (root / ".gitignore").write_text("*\n")
    write_atomically(root / MOVED, os.fsencode(destination) + b"\n")


def is_vacant(root: Path) -> bool:
    """Whether a store may be put there: there is nothing yet, or a folder with nothing in it but what a move
    to it left that was cut short."""
    if not root.is_dir():
        return not root.exists()
    ours = all(
        entry.name in (MOVED, ".gitignore") or entry.name.startswith(f".{MOVED}.") for entry in root.iterdir()
    )
    return ours and _word(root) in (None, root)


def in_use(root: Path) -> contextlib.AbstractContextManager[None]:
    """For the length of the `with` the store is not moved away; waits while it is."""
    return locked(root / "locks" / "use", shared=True)


@contextlib.contextmanager
def alone_with(root: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """For the length of the `with` nobody else has the store open.

    Where somebody has, calls `waiting` and waits, or without it raises StoreError.
    """
    path = root / "locks" / "use"
    with contextlib.ExitStack() as stack:
        if not stack.enter_context(locked_now(path)):
            if waiting is None:
                raise StoreError(
                    f"the store `{root}` is in use", hint="try again when no run is going on in it"
                )
            stack.close()
            waiting()
            stack.enter_context(locked(path))
        yield
