"""Environments as people and programs are shown them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlproj.cli.sheet import Section, print_sheet
from mlproj.cli.terminal import say
from mlproj.cli.words import age, counted, size
from mlproj.model.digest import plain
from mlproj.model.moment import seconds_of
from mlproj.services.environment_building import Locking
from mlproj.services.kept_environments import Kept, Pruned
from mlproj.services.locking import environment_state

_NAMED = 3
"""Runs of an environment that are named; of more, the number is told."""


def kept_table(found: Sequence[Kept], now: str) -> Section:
    headings = ("KEY", "KIND", "PYTHON", "PACKAGES", "SIZE", "AGE", "LAST USE", "RUNS")
    return Section(headings=headings, rows=tuple(_row(kept, seconds_of(now)) for kept in found))


def kept_document(kept: Kept) -> dict[str, Any]:
    runs = [{"run_id": use.run_id, "name": use.name} for use in kept.uses]
    return {**plain(kept.environment), "runs": runs}


def lock_document(found: Locking) -> dict[str, Any]:
    return {
        "schema": "mlproj/lock/1",
        "file": found.file.path,
        "current": found.file.is_current or found.written,
        "written": found.written,
        "environment": plain(environment_state(found.locked)),
    }


def say_locking(found: Locking) -> None:
    packages = counted(len(found.locked.lock.packages) if found.locked.lock else 0, "package")
    if found.written:
        say(f"`{found.file.path}` is written: {packages} ({found.locked.because})")
    elif found.file.is_current:
        say(f"`{found.file.path}` is current: {packages}")
    else:
        say(f"`{found.file.path}` is not what the environment asks for now")
        say("hint: `mlproj env lock` writes it anew")


def pruned_document(found: Pruned) -> dict[str, Any]:
    return {
        "schema": "mlproj/environments-pruned/1",
        "dry_run": found.dry_run,
        "environments": [kept_document(kept) for kept in found.environments],
        "in_use": [kept.environment.key for kept in found.spared],
        "others": plain(found.leftovers),
        "bytes": found.size,
    }


def say_pruned(found: Pruned) -> None:
    gone = [kept.environment for kept in found.environments]
    print_sheet([Section(rows=tuple((item.key[:12], item.kind, size(item.size)) for item in gone))])
    went = "would be removed" if found.dry_run else "were removed"
    others: dict[str, int] = {}
    for item in found.leftovers:
        others[item.kind] = others.get(item.kind, 0) + 1
    told = "".join(f", {counted(number, kind)}" for kind, number in sorted(others.items()))
    say(f"{counted(len(found.environments), 'environment')}{told} {went}: {size(found.size)}")
    for kept in found.spared:
        say(f"the environment {kept.environment.key[:12]} stays: it is in use")


def _row(kept: Kept, now: float) -> tuple[str, ...]:
    item = kept.environment
    last_use = "now" if item.in_use else f"{age(now - seconds_of(item.used))} ago"
    names = ", ".join(dict.fromkeys(use.name for use in kept.uses[:_NAMED]))
    more = len(kept.uses) - _NAMED
    runs = f"{names} and {more} more" if more > 0 else names
    return (
        item.key[:12],
        item.kind,
        item.python or "-",
        str(item.packages or ""),
        size(item.size if item.image_size is None else item.image_size),
        age(now - seconds_of(item.built)),
        last_use,
        runs if item.complaint is None else f"{runs} (built anew at its next use: {item.complaint})".strip(),
    )
