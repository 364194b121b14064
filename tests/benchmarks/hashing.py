"""What digests of data and source cost, beside bare loops over hashlib and `stat`; all in the page cache.

Programs are timed from within (see `hashers`), in turns, and the least of each one's times counts: it is
what the work takes where nobody else is at it.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tests.benchmarks.arena import MLPROJ, ROOT, TRIVIAL, empty
from tests.benchmarks.contest import Bench, Case, Rows, seconds
from tests.benchmarks.measure import CommandFailed, nothing, race
from tests.benchmarks.table import NotMeasured, Row, amount

FILE_LIMIT = 1.1
FIRST_LIMIT = 1.2
AGAIN_LIMIT = 3.0
SOURCE_LIMIT = 0.5
MEMORY_LIMIT = 200.0

_FILE_SIZE = 2 << 30
_BLOCK = 64 << 20
_FILES = 50_000
_FOLDERS = 100
_SETTLED = 2.2
"""Seconds until a stat cache trusts a file."""


def hash_file(bench: Bench) -> Rows:
    """One file of 2 GiB."""
    if sys.version_info < (3, 11):
        yield NotMeasured(what="a file of 2 GiB", reason="this Python has no hashlib.file_digest")
        return
    path = bench.arena.folder / "large"
    block = os.urandom(_BLOCK)
    with path.open("wb") as file:
        for _ in range(_FILE_SIZE // _BLOCK):
            file.write(block)
    cache = bench.arena.folder / "hash cache"
    ours, bare = least(
        [("data", path, cache), ("file_digest", path)], bench.slow_repetitions, partial(empty, cache)
    )
    yield _ratio("a file of 2 GiB, first time", ours, "hashlib.file_digest", bare, FILE_LIMIT)
    path.unlink()


def hash_folder(bench: Bench) -> Rows:
    """50,000 small files in 100 folders, at first and again."""
    folder, cache = _small_files(bench), bench.arena.folder / "hash cache"
    ours, plain, lean = least(
        [("data", folder, cache), ("plain_loop", folder), ("lean_loop", folder)],
        bench.repetitions,
        partial(empty, cache),
    )
    yield _ratio("50,000 small files, first time", ours, "a loop over hashlib", plain, FIRST_LIMIT)
    yield _ratio("50,000 small files, first time", ours, "the leanest loop", lean, FIRST_LIMIT)
    time.sleep(_SETTLED)
    _seconds("data", folder, cache)
    ours, walk = least([("data", folder, cache), ("walk", folder)], bench.repetitions)
    yield _ratio("50,000 small files, unchanged", ours, "scandir and stat", walk, AGAIN_LIMIT)


def hash_run(bench: Bench) -> Rows:
    """The same folder as the input of a whole run."""
    folder, arena = _small_files(bench), bench.arena
    command = (MLPROJ, "run", str(arena.trivial), "--env-manager", "local")
    time.sleep(_SETTLED)
    trivial, warm, cold = race(
        [
            bench.contender("trivial", command),
            bench.contender("again", (*command, "--input", str(folder))),
            bench.contender("first", (*command, "--input", str(folder)), partial(_forget_data, arena.cache)),
        ],
        bench.slow_repetitions + 1,
    )
    for figure, when in ((cold, "first time"), (warm, "unchanged")):
        yield Row(
            what=f"`--input` of 50,000 small files, {when}: over a trivial run",
            ours=seconds(figure),
            against=f"trivial {seconds(trivial)}",
            figure=figure.seconds - trivial.seconds,
            unit="s",
        )


def hash_source(bench: Bench) -> Rows:
    """A git tree of 50,000 files, some changed and some untracked."""
    tree, cache = _tree(bench), bench.arena.folder / "hash cache"
    _seconds("source", tree, cache)
    before = _untouched(tree)
    ours, again, bare = least(
        [("source", tree, cache), ("look_again", tree, cache), ("write_tree", tree)],
        bench.slow_repetitions + 1,
    )
    yield Row(
        what="source of 50,000 files, some changed",
        ours=amount(ours, "s"),
        against=f"git write-tree {amount(bare, 's')}",
        figure=ours,
        unit="s",
        limit=SOURCE_LIMIT,
    )
    yield Row(what="the look at it after the run", ours=amount(again, "s"), figure=again, unit="s")
    command = ("run", "--env-manager", "local")
    trivial, whole = race(
        [
            bench.contender("trivial", (MLPROJ, *command, str(bench.arena.trivial))),
            bench.contender("whole", (MLPROJ, *command, str(tree))),
        ],
        bench.slow_repetitions + 1,
    )
    yield Row(
        what="a whole run of it: over a trivial run",
        ours=seconds(whole),
        against=f"trivial {seconds(trivial)}",
        figure=whole.seconds - trivial.seconds,
        unit="s",
    )
    assert _untouched(tree) == before, "index and refs are as they were"


def hash_million(bench: Bench) -> Rows:
    """Peak memory of a whole run with a million files as its input (100,000 with `--quick`)."""
    arena = bench.arena
    count = 1_000_000 if bench.slow_repetitions > 1 else 100_000
    flat, nested = arena.folder / "flat", arena.folder / "nested"
    flat.mkdir()
    for number in range(count):
        (flat / f"{number:07}.json").write_bytes(b"%d\n" % number)
    for number in range(count):
        folder = nested / f"{number // 1000:04}"
        if number % 1000 == 0:
            folder.mkdir(parents=True)
        os.link(flat / f"{number:07}.json", folder / f"{number:07}.json")
    time.sleep(_SETTLED)
    for folder, where in ((flat, "in one folder"), (nested, "in folders of 1000")):
        command = (MLPROJ, "run", str(arena.trivial), "--env-manager", "local", "--input", str(folder))
        figures = race(
            [
                bench.contender("first time", command, partial(_forget_data, arena.cache)),
                bench.contender("unchanged", command),
            ],
            1,
        )
        for figure in figures:
            yield Row(
                what=f"{count:,} files {where}, {figure.name}: peak memory",
                ours=seconds(figure),
                figure=figure.peak_mib,
                unit="MiB",
                limit=MEMORY_LIMIT,
            )


def least(
    programs: Sequence[tuple[str | Path, ...]], repetitions: int, before: Callable[[], None] = nothing
) -> list[float]:
    """The least time of each program, in seconds, taken in turns; `before` runs ahead of each."""
    times: list[list[float]] = [[] for _ in programs]
    for _ in range(repetitions + 1):
        for program, taken in zip(programs, times, strict=True):
            before()
            taken.append(_seconds(*program))
    return [min(taken) for taken in times]


def _seconds(*program: str | Path) -> float:
    command = (sys.executable, "-m", "tests.benchmarks.hashers", *map(str, program))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise CommandFailed(f"{command}: exit {done.returncode}\n{done.stderr}")
    return float(done.stdout)


def _ratio(what: str, ours: float, name: str, bare: float, limit: float) -> Row:
    return Row(
        what=f"{what}: times {name}",
        ours=amount(ours, "s"),
        against=amount(bare, "s"),
        figure=ours / bare,
        unit="x",
        limit=limit,
    )


def _small_files(bench: Bench) -> Path:
    """50,000 files of 512 to 8192 random bytes, made once."""
    folder = bench.arena.folder / "small"
    if not folder.exists():
        _fill(folder)
    return folder


def _fill(folder: Path) -> None:
    chance = random.Random(1)
    block = os.urandom(1 << 20)
    for number in range(_FILES):
        place = folder / f"{number % _FOLDERS:03}"
        if number < _FOLDERS:
            place.mkdir(parents=True)
        begin, size = chance.randrange(1 << 19), chance.randrange(512, 8193)
        (place / f"{number:05}.txt").write_bytes(block[begin : begin + size])


def _tree(bench: Bench) -> Path:
    """A repository of as many files with one commit, 200 of them changed since, and 500 new ones."""
    root = bench.arena.folder / "tree"
    _fill(root)
    (root / "MLproject").write_text(TRIVIAL)
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@example.org")
    fast = ("-c", "core.compression=0", "-c", "gc.auto=0", "-c", "core.fsync=none")

    def git(*arguments: str) -> None:
        subprocess.run(("git", *arguments), cwd=root, check=True, stdout=subprocess.DEVNULL)

    git("init", "--quiet")
    git(*fast, "add", ".")
    git(*fast, *identity, "commit", "--quiet", "-m", "first")
    for path in sorted((root / "000").iterdir())[:200]:
        path.write_bytes(path.read_bytes() + b"changed")
    (root / "new").mkdir()
    for number in range(500):
        (root / "new" / f"{number}.txt").write_text(str(number))
    time.sleep(_SETTLED)
    git("status")  # so that git trusts its index
    return root


def _untouched(tree: Path) -> tuple[bytes, str]:
    refs = subprocess.run(("git", "show-ref", "--head"), cwd=tree, capture_output=True, text=True, check=True)
    return (tree / ".git" / "index").read_bytes(), refs.stdout


def _forget_data(cache: Path) -> None:
    for path in cache.glob("data-*"):
        path.unlink()


CASES: dict[str, Case] = {
    "hash_file": hash_file,
    "hash_folder": hash_folder,
    "hash_run": hash_run,
    "hash_source": hash_source,
    "hash_million": hash_million,
}
