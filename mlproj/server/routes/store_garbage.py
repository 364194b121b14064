"""Forgetting and tidying over HTTP, for administrators alone; and which contents are here or not."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from mlproj import store_wire as wire
from mlproj.housekeeping_ports import Garbage, Removed, StoreSize
from mlproj.model.digest import Digest
from mlproj.server.store_view import View
from mlproj.store_wire import Question

_TIDYING = "tidying the store"
_DIGESTS_AT_ONCE = 10_000


def forget(view: View, asked: wire.Forget) -> None:
    view.manage("forgetting runs", "run", ", ".join(asked.run_ids))
    # Who it was is known here, where there are users.
    view.store.housekeeper.forget(asked.run_ids, who=view.caller.name or asked.who, why=asked.why)


def needed(view: View, asked: wire.Asked) -> tuple[str, ...]:
    view.refuse_others(_TIDYING)
    return tuple(sorted(view.store.housekeeper.needed()))


def garbage(view: View, asked: wire.Sweep) -> Garbage:
    view.refuse_others(_TIDYING)
    return view.store.housekeeper.garbage(without=asked.without, grace_s=asked.grace_s)


def remove(view: View, asked: wire.Refuse) -> Removed:
    """Only what is garbage by our own look goes, whatever else is named."""
    view.manage(_TIDYING, "contents", "")
    now = view.store.housekeeper.garbage(grace_s=0)
    blobs = {digest: used for digest, used in asked.garbage.blobs.items() if digest in now.blobs}
    leftovers = tuple(path for path in asked.garbage.leftovers if path in set(now.leftovers))
    return view.store.housekeeper.remove(replace(asked.garbage, blobs=blobs, leftovers=leftovers))


def size(view: View, asked: wire.Asked) -> StoreSize:
    view.refuse_others("the size of the store")
    return view.store.housekeeper.size()


def missing(view: View, asked: wire.Blobs) -> tuple[Digest, ...]:
    """What the caller has to send: also what is here by others, of whom nobody learns so."""
    known = view.knows(asked.digests, asked.runs)
    lacking = set(view.store.blobs.missing(known))
    return tuple(digest for digest in asked.digests if digest not in known or digest in lacking)


def sizes(view: View, asked: wire.Blobs) -> dict[Digest, int]:
    return dict(view.store.blobs.sizes(view.knows(asked.digests, asked.runs)))


def digests(view: View, asked: wire.Page) -> tuple[Digest, ...]:
    view.refuse_others("a look at all contents")
    found = (digest for digest in view.store.blobs.digests() if digest > asked.after)
    return tuple(itertools.islice(found, _DIGESTS_AT_ONCE))


ANSWERS: tuple[tuple[Question, Callable[[View, Any], Any]], ...] = (
    (wire.FORGET, forget),
    (wire.NEEDED, needed),
    (wire.GARBAGE, garbage),
    (wire.REMOVE, remove),
    (wire.SIZE, size),
    (wire.MISSING, missing),
    (wire.SIZES, sizes),
    (wire.DIGESTS, digests),
)
