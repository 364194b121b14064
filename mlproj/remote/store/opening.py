"""The entrance to a store at a server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

from mlproj.errors import StoreError
from mlproj.model.digest import Digest
from mlproj.model.moment import now
from mlproj.model.redaction import without_credentials
from mlproj.remote.store.cache import sweep
from mlproj.remote.store.line import Line
from mlproj.remote.store.store import FarStore
from mlproj.store_ports import BlobStore

_FOLDER = "stores"


def open_far_store(
    address: str,
    environ: Mapping[str, str],
    cache: Path,
    blobs_in: Callable[[Path], BlobStore],
    clock: Callable[[], str] = now,
) -> FarStore:
    """The store at the address of a server, with what is in hand of it in the folder `cache`, whose contents
    `blobs_in` keeps. Nobody is asked yet, unless runs of this machine ended without the server's knowing:
    those are closed. Raises StoreError."""
    base = without_credentials(address).rstrip("/")
    root = cache / _FOLDER / Digest.of(base.encode()).hex[:16]
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError), (root / "address").open("x") as file:
            file.write(f"{base}\n")
    except OSError as error:
        raise StoreError(f"`{root}` cannot be made: {error.strerror}") from error
    here = blobs_in(root / "blobs")
    store = FarStore(address, root, here, Line(address, environ), clock)
    store.close_left()
    sweep(root, here)
    return store
