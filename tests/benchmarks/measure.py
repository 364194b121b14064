"""Times commands side by side: repetitions interleaved, so that a noisy machine is noisy for all alike."""

from __future__ import annotations

import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LAUNCHER = str(Path(__file__).with_name("launcher.py"))


class CommandFailed(Exception):
    """A command that was to be timed did not end with 0."""


def nothing() -> None:
    """What most contenders need before a repetition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A command to time. `before` runs ahead of each repetition, untimed."""

    name: str
    command: tuple[str, ...]
    directory: Path
    environ: Mapping[str, str]
    before: Callable[[], None] = nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Medians of a contender's repetitions, and the least of its times."""

    name: str
    seconds: float
    least: float
    peak_mib: float


def race(contenders: Sequence[Contender], repetitions: int) -> tuple[Figure, ...]:
    """Runs the contenders in turns, once to warm up and then `repetitions` times each.

    Raises CommandFailed, with what the command printed, where one does not end with 0.
    """
    for contender in contenders:
        _time(contender)
    rounds = [[_time(contender) for contender in contenders] for _ in range(repetitions)]
    return tuple(
        Figure(
            name=contender.name,
            seconds=statistics.median(sample[0] for sample in samples),
            least=min(sample[0] for sample in samples),
            peak_mib=statistics.median(sample[1] for sample in samples),
        )
        for contender, samples in zip(contenders, zip(*rounds, strict=True), strict=True)
    )


def _time(contender: Contender) -> tuple[float, float]:
    """Wall seconds and peak memory (MiB) of one repetition; memory as the kernel tells it at the end."""
    contender.before()
    ours, theirs = os.pipe()
    with tempfile.TemporaryFile() as output, open(ours) as answer:
        process = subprocess.Popen(
            (sys.executable, "-I", "-S", LAUNCHER, str(theirs), *contender.command),
            cwd=contender.directory,
            env=dict(contender.environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(theirs,),
        )
        os.close(theirs)
        process.wait()
        seconds, peak, code = answer.read().split() or ("0", "0", "127")
        if code != "0":
            output.seek(0)
            said = output.read().decode("utf-8", "replace")
            raise CommandFailed(f"{shlex.join(contender.command)}: exit {code}\n{said}")
    return float(seconds), float(peak)
