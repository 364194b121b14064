"""What is noted here of each run until its server has sealed it: how it began, and how it ended."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from mlproj.errors import StoreError
from mlproj.files import locked_now, write_atomically
from mlproj.store_wire import Seal, decoded, encoded

_OPEN, _LOCKS = "open", "locks"


def lock_of(root: Path, run_id: str) -> Path:
    """The file that the runner of a run keeps locked while it lives."""
    return root / _LOCKS / run_id


def note(root: Path, seal: Seal) -> None:
    """Notes what the server will be asked for; without an outcome where the run goes on. Raises StoreError
    where that cannot be written, or the run cannot be told."""
    run_id = seal.run.run_id
    try:
        content = encoded(seal)
        (root / _OPEN).mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(root / _OPEN / run_id, content)
    except (ValueError, OverflowError) as error:
        raise StoreError(f"run `{run_id}` cannot be recorded: {error}") from error
    except OSError as error:
        raise StoreError(f"nothing can be noted in `{root}`: {error.strerror}") from error


def forget(root: Path, run_id: str) -> None:
    """Removes a note, once the server knows."""
    with contextlib.suppress(OSError):
        (root / _OPEN / run_id).unlink(missing_ok=True)


def left(root: Path) -> Iterator[Seal]:
    """What is noted of runs whose runner has ended; each is this process's alone until the next is asked
    for. What cannot be read, as after a change of the form, is passed over."""
    with contextlib.suppress(FileNotFoundError):
        for path in sorted((root / _OPEN).iterdir()):
            if path.name.startswith("."):
                continue
            with locked_now(lock_of(root, path.name)) as free:
                if not free:
                    continue
                with contextlib.suppress(ValueError, FileNotFoundError):
                    yield decoded(path.read_bytes(), Seal)
