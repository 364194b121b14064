"""Kills `mlproj` again and again, at random moments and where it touches the world, and looks at the store
each time: `python -m tests.stress.kills 200`.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlproj.store.opening import open_store
from mlproj.store_ports import RunQuery
from tests.stress.arena import Arena, faults, lay_out

HOOK = Path(__file__).with_name("killing")
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("run", "."),
    ("run", ".", "-P", "number=2", "--env-manager", "local"),
    ("gc", "--grace", "0"),
    ("prune", "--keep-last", "4", "--grace", "0"),
    ("store", "backup", "../backup"),
)


@dataclass(slots=True)
class Tally:
    """How the killed commands ended up: how often per command and by which state it left, and every fault."""

    states: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def at_random(arena: Arena, count: int, dice: random.Random) -> Iterator[str]:
    """Kills a whole run after a random part of the time that one takes; yields what state it left.

    Every third has to build the environment first, which takes longer.
    """
    cold, warm = (_length_of_a_run(arena) for _ in range(2))
    for number in range(count):
        length = warm if number % 3 else cold
        if not number % 3:
            shutil.rmtree(arena.cache, ignore_errors=True)
        before = _runs(arena)
        process = arena.start("run", ".", "-P", f"number={number}")
        time.sleep(dice.uniform(0, length * 1.1))
        process.kill()
        process.communicate()
        yield f"run at random: {_state(arena, before)}"


def _length_of_a_run(arena: Arena) -> float:
    started = time.monotonic()
    arena.start("run", ".").communicate()
    return time.monotonic() - started


def at_every_touch(arena: Arena, command: tuple[str, ...], count: int, dice: random.Random) -> Iterator[str]:
    """Kills a command at `count` of the places where it touches the world, from the first to the last."""
    counted = arena.folder / "count"
    variables = {"PYTHONPATH": str(HOOK)}
    arena.start(*command).communicate()  # what earlier kills left is not counted
    _prepare(arena, command)
    arena.start(
        *command, variables={**variables, "MLPROJ_STRESS_KILL_AT": "0", "MLPROJ_STRESS_COUNT": str(counted)}
    ).communicate()
    touches = int(counted.read_text())
    for place in sorted(dice.sample(range(1, touches + 1), min(count, touches))):
        _prepare(arena, command)
        before = _runs(arena)
        process = arena.start(*command, variables={**variables, "MLPROJ_STRESS_KILL_AT": str(place)})
        process.communicate()
        ended = "killed" if process.returncode == -signal.SIGKILL else "ended before"
        yield f"{' '.join(command[:2])} at a touch: {ended}, {_state(arena, before)}"


def stress(folder: Path, count: int, seed: int, tell: Callable[[str], object] = lambda line: None) -> Tally:
    """`count` kills: half at random moments, half at touches of the commands that write.

    Every one is followed by a look, and the last by a run that must go well and a collection that must leave
    nothing lying.
    """
    dice, arena, tally = random.Random(seed), lay_out(folder), Tally()
    each = max(count // 2 // len(COMMANDS), 1)
    rounds = [at_random(arena, count - each * len(COMMANDS), dice)]
    rounds += [at_every_touch(arena, command, each, dice) for command in COMMANDS]
    for states in rounds:
        for state in states:
            tally.states[state] += 1
            found = faults(arena.store) + [f"backup: {fault}" for fault in faults(arena.folder / "backup")]
            tally.faults += [f"{state}: {fault}" for fault in found]
            tell(f"{sum(tally.states.values())}/{count} {state}: {found or 'sound'}")
    tally.faults += _aftermath(arena)
    return tally


def _prepare(arena: Arena, command: tuple[str, ...]) -> None:
    """Has the command find as much to do each time."""
    if command[0] == "store":
        shutil.rmtree(arena.folder / "backup", ignore_errors=True)
    if command[0] in ("gc", "prune"):
        for _ in range(2):
            arena.start(
                "run", ".", "-e", "quick", "-P", f"number={os.getpid()}", "--env-manager", "local"
            ).communicate()
    if command[0] == "gc":
        arena.start("rm", "last").communicate()


def _runs(arena: Arena) -> int:
    if not (arena.store / "store.db").exists():
        return 0
    store = open_store(arena.store, create=False)
    try:
        return len(store.search(RunQuery(limit=None, deleted=True)))
    finally:
        store.close()


def _state(arena: Arena, before: int) -> str:
    """What became of a killed run."""
    if _runs(arena) <= before:
        return "no further run recorded"
    store = open_store(arena.store, create=False)
    try:
        return store.find("last").status.value
    finally:
        store.close()


def _aftermath(arena: Arena) -> list[str]:
    found = []
    for command in (("run", "."), ("gc", "--grace", "0"), ("verify",), ("store", "backup", "../backup")):
        process = arena.start(*command)
        said, _ = process.communicate()
        if process.returncode != 0:
            found.append(
                f"afterwards, `mlproj {' '.join(command)}` ended with {process.returncode}: {said!r}"
            )
    left = [*(arena.store / "blobs" / "incoming").glob("*"), *(arena.store / "locks").glob("lease-*")]
    return [*found, *(f"left lying: {path}" for path in left), *faults(arena.store)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    given = parser.parse_args()
    sys.stdout.write(f"seed {given.seed}\n")
    with tempfile.TemporaryDirectory(prefix="mlproj-kills-") as folder:
        tally = stress(Path(folder), given.count, given.seed, lambda line: sys.stdout.write(line + "\n"))
    for state, number in sorted(tally.states.items()):
        sys.stdout.write(f"{number:5} {state}\n")
    for fault in tally.faults:
        sys.stdout.write(f"FAULT {fault}\n")
    return int(bool(tally.faults))


if __name__ == "__main__":
    sys.exit(main())
