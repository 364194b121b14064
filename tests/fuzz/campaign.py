"""`make fuzz`: looks for inputs that break a parser, for as long as it is told, and keeps what it finds.

Hypothesis takes part always; atheris, which is guided by what the code does with an input, takes half of the
time where it can be imported (it has wheels for Linux and CPython 3.10 to 3.14 only).
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.bench import REPOSITORY, Bench
from tests.fuzz.bombs import inputs
from tests.fuzz.strategies import CORPUS, INPUTS, seeds

PATIENCE = 5.0
FOUND = REPOSITORY / "build" / "fuzz"
SIZES = (10_000, 100_000, 1_000_000)
"""Characters of the inputs that are large on purpose."""


@dataclass(slots=True, kw_only=True)
class Campaign:
    """What was tried so far, and what was found: for each kind of problem the first input that shows it.

    `executed` counts what atheris tried by itself; what of it led somewhere new is then tried again.
    """

    bench: Bench
    executed: dict[str, int] = field(default_factory=dict)
    tried: dict[str, int] = field(default_factory=dict)
    problems: dict[tuple[str, str], Path] = field(default_factory=dict)

    def attempt(self, target: str, data: bytes) -> None:
        self.tried[target] = self.tried.get(target, 0) + 1
        problem = self.bench.judge(target, data)
        if problem is not None:
            self.note(target, data, problem)

    def note(self, target: str, data: bytes, problem: str) -> None:
        last = problem.strip().splitlines()[-1]
        kind = (target, re.sub(r"\d+|'.*|`.*", "", last)[:80])
        if kind in self.problems:
            return
        FOUND.mkdir(parents=True, exist_ok=True)
        path = FOUND / f"{target}-{hashlib.sha256(data).hexdigest()[:12]}"
        path.write_bytes(data)
        path.with_suffix(".txt").write_text(problem, errors="backslashreplace")
        self.problems[kind] = path
        say(f"{target}: {last[:200]}\n    {path}")


def say(text: str) -> None:
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")
    sys.stdout.flush()


def explore(campaign: Campaign, target: str, seconds: float, seed: int) -> None:
    """Hypothesis' inputs for one target until the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:

        @hypothesis.seed(seed)
        @settings(
            max_examples=200,
            database=None,
            deadline=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        @given(INPUTS[target])
        def one(data: bytes) -> None:
            if time.monotonic() < end:
                campaign.attempt(target, data)

        one()
        seed += 1


def guide(campaign: Campaign, target: str, seconds: float) -> None:
    """Atheris' inputs for one target until the time is over, or it finds one that breaks something."""
    kept, found = FOUND / "corpus" / target, FOUND / "guided" / target
    for folder in (kept, found):
        folder.mkdir(parents=True, exist_ok=True)
    before = set(found.iterdir())
    options = (
        f"-max_total_time={max(1, int(seconds))}",
        "-timeout=10",
        "-rss_limit_mb=1500",
        "-max_len=20000",
    )
    subprocess.run(
        (
            *(sys.executable, "-m", "tests.fuzz.guided", target),
            *(*options, f"-artifact_prefix={found}/", "-verbosity=0", "-print_final_stats=1"),
            *(str(kept), str(CORPUS / target)),
        ),
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=(FOUND / f"guided-{target}.log").open("wb"),
        timeout=seconds + 120,
    )
    told = (FOUND / f"guided-{target}.log").read_text(errors="replace")
    counted = re.search(r"stat::number_of_executed_units: *(\d+)", told)
    campaign.executed[target] = int(counted[1]) if counted else 0
    # Judged again without instruments: for time, for memory, and for the words.
    for path in (*kept.iterdir(), *sorted(set(found.iterdir()) - before)):
        campaign.attempt(target, path.read_bytes())


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--target", action="append", choices=sorted(INPUTS))
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args(arguments)
    targets = asked.target or sorted(INPUTS)
    guided = importlib.util.find_spec("atheris") is not None
    say(f"seed {asked.seed}; {'with' if guided else 'without'} atheris; what is found goes to {FOUND}")
    campaign = Campaign(bench=Bench(patience=PATIENCE))
    began = time.monotonic()
    try:
        for target in targets:
            for data in seeds(target):
                campaign.attempt(target, data)
        for size in SIZES[: 2 if asked.seconds < 300 else None]:
            for target, _, data in inputs(size):
                if target in targets:
                    campaign.attempt(target, data)
        share = max(1.0, (asked.seconds - (time.monotonic() - began)) / len(targets))
        for number, target in enumerate(targets):
            with_guide = guided and target != "arrival"  # which starts a bash for each input
            explore(campaign, target, share / 2 if with_guide else share, asked.seed + 1000 * number)
            if with_guide:
                guide(campaign, target, share / 2)
    finally:
        campaign.bench.close()
    for target in targets:
        by_guide = campaign.executed.get(target, 0)
        say(f"{target}: {campaign.tried[target]} inputs, and {by_guide} by atheris")
    took, found = time.monotonic() - began, len(campaign.problems)
    say(f"peak {campaign.bench.peak:.0f} MiB, {took:.0f} s, {found} problems")
    return 1 if campaign.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
