"""What may have made a run come out otherwise than another: candidates, in the order in which to look."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from mlproj.compare.runs import Change, RunDifference

MOST = 20
"""Of more files or packages only the number of the rest is told."""

_HOST = (
    ("cpu", ("cpu", "machine", "cpu features", "cores", "threads")),
    ("gpu", ("gpus",)),
)
_THREADS = ("_NUM_THREADS", "_DYNAMIC", "_MAXIMUM_THREADS")


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate. `kind` is `source`, `lock`, `python`, `platform`, `cpu`, `gpu`, `data`, `variables`,
    `parameters`, `undeclared inputs` or `randomness`; each of `details` names one thing that differs."""

    kind: str
    details: tuple[str, ...]


def causes_of(found: RunDifference) -> tuple[Cause, ...]:
    """Whatever two runs differ in that a result may hang on, the likeliest first."""
    environment = {change.name: change for change in found.environment}
    threads = tuple(change for change in found.variables if change.name.endswith(_THREADS))
    others = tuple(
        change
        for change in found.variables
        if change not in threads and not change.name.startswith(_OF_NO_CONSEQUENCE)
    )
    host = {change.name: change for change in found.host}
    candidates = {
        "source": tuple(_source(found)),
        "lock": tuple(_lock(found, environment.get("lock"))),
        "python": _told(environment, "python"),
        "platform": _told(environment, "platform") + _told(host, "system"),
        "cpu": (*_told(host, *_HOST[0][1]), *_changes(threads)),
        "gpu": _told(host, *_HOST[1][1]),
        "data": _changes(found.inputs),
        "variables": _changes(others),
        "parameters": _changes(found.parameters),
        "undeclared inputs": _changes(found.reads),
    }
    return tuple(Cause(kind=kind, details=_some(told)) for kind, told in candidates.items() if told)


_OF_NO_CONSEQUENCE = ("PATH", "SHELL", "VIRTUAL_ENV", "CONDA_", "SLURM_", "PIP_", "UV_", "PYTHONPATH")
"""Variables that say where something is, and what was done with it stands in the record already."""


def _source(found: RunDifference) -> Iterator[str]:
    for file in found.files:
        state = "only in the first" if file.after is None else "only in the second"
        yield f"`{file.path}` " + ("differs" if file.before and file.after else f"is {state}")
    if not found.files:
        yield from _changes(change for change in found.source if change.name == "snapshot")
    yield from _changes(change for change in found.plan if change.name in ("command", "entry_point"))


def _lock(found: RunDifference, lock: Change | None) -> Iterator[str]:
    for change in found.packages:
        yield f"`{change.name}` {_versions(change)}"
    if not found.packages and lock is not None:
        yield _sentence(lock)


def _versions(change: Change) -> str:
    if change.before is None:
        return f"{change.after} is new"
    return f"{change.before} is gone" if change.after is None else f"{change.before} -> {change.after}"


def _told(changes: dict[str, Change], *names: str) -> tuple[str, ...]:
    return _changes(changes[name] for name in names if name in changes)


def _changes(changes: Iterable[Change]) -> tuple[str, ...]:
    return tuple(map(_sentence, changes))


def _sentence(change: Change) -> str:
    return f"{change.name}: {_short(change.before)} -> {_short(change.after)}"


def _short(text: str | None) -> str:
    if text is None:
        return "nothing"
    return text if len(text) <= 80 else f"{text[:79]}…"


def _some(told: tuple[str, ...]) -> tuple[str, ...]:
    more = len(told) - MOST
    return told if more <= 0 else (*told[:MOST], f"and {more} more")
