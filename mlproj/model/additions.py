"""What may be added to a record after its seal: runs are searched and shown by it, and it stays for good."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mlproj.model.digest import Digest
from mlproj.model.entries import RENAMED
from mlproj.model.logged import read_points
from mlproj.model.tracking import RunStatus

_KIND = re.compile(r"[a-z][a-z\-_]{0,39}", re.ASCII)
_STATES = ("written", "unchanged", "missing", "served")
_STATUSES = frozenset(status.value for status in RunStatus)
_NEEDED = {
    "untag": ("key",),
    "param": ("key", "value"),
    "metrics": ("points",),
    "output": ("path", "state", "size"),
}
_LARGEST = 16 * 1024 * 1024
"""Characters of one amendment."""
_GREATEST = 2**63 - 1


def refuse_odd(kind: str, content: Mapping[str, str]) -> None:
    """Raises ValueError for what is no amendment of a run."""
    if not _KIND.fullmatch(kind) or kind == RENAMED:
        raise ValueError(f"there is no amendment of the kind {kind[:40]!r}")
    if sum(len(key) + len(value) for key, value in content.items()) > _LARGEST:
        raise ValueError(f"it has more than {_LARGEST} characters")
    if any("\0" in text for pair in content.items() for text in pair):
        raise ValueError("there is a null character in it")
    if missing := [key for key in _NEEDED.get(kind, ()) if key not in content]:
        raise ValueError(f"it has no `{missing[0]}`")
    match kind:
        case "status":
            if content.get("status", RunStatus.RUNNING.value) not in _STATUSES:
                raise ValueError(f"there is no status {content['status'][:40]!r}")
            _number(content.get("ended", "0"))
        case "output":
            if content["state"] not in _STATES:
                raise ValueError(f"there is no state {content['state'][:40]!r} of an output")
            _number(content["size"])
            Digest(content.get("digest", Digest.of(b"")))
        case "metrics":
            for _, (step, moment, _) in read_points(content["points"].split("\n")):
                _number(step, least=-_GREATEST)
                _number(moment)


def _number(told: str | int, *, least: int = 0) -> None:
    number = int(told)
    if not least <= number <= _GREATEST:
        raise ValueError(f"{str(told)[:40]} is out of range")
