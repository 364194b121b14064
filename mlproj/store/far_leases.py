"""Leases of whoever is on another machine: a file that is looked after by its time, since nobody here could
hold it locked; and notes of what each of them sent.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Collection
from pathlib import Path

from mlproj.errors import UsageError
from mlproj.far_ports import LEASE_S
from mlproj.files import write_all
from mlproj.housekeeping_ports import GRACE_S
from mlproj.model.digest import Digest

_LEASE, _SENT = "far-lease-", "far-sent-"
_TOKEN = re.compile(r"[0-9a-f]{32}")


def keep(locks: Path, token: str, *manifests: Digest) -> None:
    """Has a lease begin, or go on; all that the manifests list is wanted as long. Raises UsageError."""
    path = _lease(locks, token)
    locks.mkdir(exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        if not os.fstat(descriptor).st_size:
            write_all(descriptor, f"{os.fstat(descriptor).st_mtime}\n".encode())
        write_all(descriptor, b"".join(f"{manifest}\n".encode() for manifest in manifests))
        os.utime(descriptor)
    finally:
        os.close(descriptor)


def let_go(locks: Path, token: str) -> None:
    """Ends a lease. Raises UsageError."""
    _lease(locks, token).unlink(missing_ok=True)


def read_far_leases(locks: Path) -> tuple[list[float], set[Digest]]:
    """When the leases that go on began (in seconds since the epoch), and what is relied on; the files of
    others are removed."""
    began: list[float] = []
    manifests: set[Digest] = set()
    for path in locks.glob(f"{_LEASE}*"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < time.time() - LEASE_S:
                path.unlink()
                continue
            since, *relied_on = path.read_text().splitlines()
            began.append(float(since))
            manifests.update(map(Digest, relied_on))
    return began, manifests


def note_sent(locks: Path, user: str, digests: Collection[Digest]) -> None:
    """Remembers that somebody sent some content, for as long as it is there for certain."""
    locks.mkdir(exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    descriptor = os.open(_sent(locks, user), flags, 0o600)
    try:
        write_all(descriptor, b"".join(f"{int(time.time())} {digest}\n".encode() for digest in digests))
    finally:
        os.close(descriptor)


def sent(locks: Path, user: str) -> frozenset[Digest]:
    """What somebody sent of late."""
    path, since = _sent(locks, user), time.time() - GRACE_S
    try:
        lines = [line.partition(" ") for line in path.read_text().splitlines()]
    except FileNotFoundError:
        return frozenset()
    fresh = [(moment, digest) for moment, _, digest in lines if int(moment) >= since]
    if not fresh:
        path.unlink(missing_ok=True)
    return frozenset(Digest(digest) for _, digest in fresh)


def _lease(locks: Path, token: str) -> Path:
    if not _TOKEN.fullmatch(token):
        raise UsageError("a lease's token is of 32 hexadecimal digits")
    return locks / f"{_LEASE}{token}"


def _sent(locks: Path, user: str) -> Path:
    return locks / f"{_SENT}{Digest.of(user.encode()).hex[:24]}"
