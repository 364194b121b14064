"""What the hashing benchmarks time: ours and bare loops, each in a process that tells how long the work took.

Started as `python -m tests.benchmarks.hashers NAME ARGUMENT...`, it prints seconds; starting Python and
importing count for nobody.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlproj.cli.verify import means
from mlproj.model.events import silent
from mlproj.model.source import Checkout
from mlproj.ports import SnapshotRules
from mlproj.provenance.changes import changed_files
from mlproj.provenance.observer import Observer
from mlproj.provenance.source import observed_source
from mlproj.services.verify import verify
from mlproj.store.database import FILE
from mlproj.store.opening import open_store

_LARGEST_SMALL_FILE = 16384


def data(path: str, cache: str) -> None:
    """Ours: the digest of an input, its stat cache read and written."""
    where = Path(path)
    Observer(Path(cache), os.environ).data("data", where, where, declared=True, report=silent)


def source(path: str, cache: str) -> None:
    """Ours: the state and snapshot of a source tree."""
    root = Path(path)
    observed_source(Checkout(directory=root, root=root, uri=path), SnapshotRules(), Path(cache), silent)


def file_digest(path: str) -> None:
    with open(path, "rb") as file:
        digest: Any = vars(hashlib)["file_digest"]  # since Python 3.11
        digest(file, "sha256").hexdigest()


def plain_loop(path: str) -> None:
    """What a person would write."""
    for folder, _, names in os.walk(path):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                hashlib.sha256(file.read()).hexdigest()


def lean_loop(path: str) -> None:
    """As few calls as it can be done with; nothing is looked at, nothing is checked, nothing is kept."""
    sha256 = hashlib.sha256
    for folder, _, names in os.walk(path):
        above = folder + "/"
        for name in names:
            descriptor = os.open(above + name, os.O_RDONLY)
            sha256(os.read(descriptor, _LARGEST_SMALL_FILE)).hexdigest()
            os.close(descriptor)


def store_loop(path: str) -> None:
    """All that a store holds of what was recorded: its contents, and the payloads of its chain."""
    plain_loop(os.path.join(path, "blobs"))
    with contextlib.closing(sqlite3.connect(os.path.join(path, FILE))) as connection:
        for (payload,) in connection.execute("SELECT payload FROM entries ORDER BY sequence"):
            hashlib.sha256(payload).hexdigest()


def verified(path: str) -> None:
    """Ours: `mlproj verify` of a store, as the command has it."""
    store = open_store(Path(path), create=False)
    assert verify(store, means=means(store.address)).sound


def walk(path: str) -> None:
    for entry in os.scandir(path):
        if entry.is_dir():
            walk(entry.path)
        else:
            entry.stat()


def write_tree(path: str) -> None:
    """What git needs for the same: an index of its own, and new objects in a folder of their own."""
    with tempfile.TemporaryDirectory() as scratch:
        index = Path(scratch, "index")
        index.write_bytes(Path(path, ".git", "index").read_bytes())
        environ = {
            **os.environ,
            "GIT_INDEX_FILE": str(index),
            "GIT_OBJECT_DIRECTORY": scratch,
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(Path(path, ".git", "objects")),
        }
        for arguments in (("add", "--all"), ("write-tree",)):
            subprocess.run(("git", *arguments), cwd=path, env=environ, check=True, stdout=subprocess.DEVNULL)


def look_again(path: str, cache: str) -> None:
    """Ours, apart: what is looked at once more after a run. Prints its own time."""
    root = Path(path)
    _, snapshot = observed_source(
        Checkout(directory=root, root=root, uri=path), SnapshotRules(), Path(cache), silent
    )
    start = time.perf_counter()
    changed_files(snapshot, Path(cache))
    print(time.perf_counter() - start)
    sys.exit()


PROGRAMS: Mapping[str, Callable[..., None]] = {
    program.__name__: program
    for program in (
        *(data, source, file_digest, plain_loop, lean_loop, walk, write_tree, look_again),
        *(store_loop, verified),
    )
}

if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    start = time.perf_counter()
    PROGRAMS[name](*arguments)
    print(time.perf_counter() - start)
