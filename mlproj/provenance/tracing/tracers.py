"""The two ways to see what a run opens: an audit hook in its Pythons, and `strace` around all of it.

What looks through what they saw is loaded where there is something to look through.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from mlproj.model.events import Report
from mlproj.model.provenance import Tracing
from mlproj.ports import Recorded, Traced, Tracer

VARIABLE = "MLPROJ_READS"

NOTHING_SEEN = "no Python program told what it opened; what others open is not seen"
_MOST_WRITTEN = 100


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """What both ways work with: a folder for stat caches, how many bytes are digested, and variables."""

    cache: Path
    limit: int
    environ: Mapping[str, str]


class HookTracer:
    """Implements `ports.Tracer` by an audit hook. What it notes survives the process whatever comes."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._folder = Path()
        self._since = 0
        self._command = ""

    def begin(self, folder: Path) -> dict[str, str]:
        self._folder, self._since = folder, _begun(folder)
        return {VARIABLE: f"{self._since}:{folder}"}

    def argv(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        self._command = argv[-1]
        return argv

    def end(self, recorded: Recorded, report: Report) -> Traced:
        if "py" not in self._command and _is_empty(self._folder):
            return Traced(tracing=Tracing(means="audit hook", escaped=(NOTHING_SEEN,)))
        openings = _part("notes").read_notes(self._folder)
        told: tuple[str, ...] = _part("escapes").escaped(openings, self._command)
        if openings.pythons == 0:
            told = (*told, NOTHING_SEEN)
        return _traced("audit hook", openings, told, recorded, self._since, self._means, report)


class StraceTracer:
    """Implements `ports.Tracer` by `strace`, which sees every program, and costs far more."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._file = Path()
        self._since = 0

    def begin(self, folder: Path) -> dict[str, str]:
        self._file, self._since = folder / "strace", _begun(folder)
        return {}

    def argv(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        wrapped: tuple[str, ...] = _part("strace").command(argv, self._file)
        return wrapped

    def end(self, recorded: Recorded, report: Report) -> Traced:
        openings = _part("strace").read_trace(self._file)
        told = ("more files were opened than are looked at",) if openings.is_cut else ()
        return _traced("strace", openings, told, recorded, self._since, self._means, report)


TRACERS: dict[str, Callable[[Means], Tracer]] = {"python": HookTracer, "full": StraceTracer}


def tracer_for(trace: str, cache: Path, limit: int, environ: Mapping[str, str]) -> Tracer:
    """The way that `--trace` names. Raises EnvironmentFailed where it is barred here."""
    if trace == "full":
        _part("strace").check(environ)
    return TRACERS[trace](Means(cache=cache, limit=limit, environ=environ))


def _is_empty(folder: Path) -> bool:
    try:
        return not os.listdir(folder)
    except OSError:  # the run may have taken it away
        return True


def _part(name: str) -> Any:
    return importlib.import_module(f"mlproj.provenance.tracing.{name}")


def _begun(folder: Path) -> int:
    """Makes the folder, and says when by the clock that files get their times from, which lags behind."""
    folder.mkdir(parents=True, exist_ok=True)
    return os.stat(folder).st_ctime_ns


def _traced(
    name: str,
    openings: Any,
    told: tuple[str, ...],
    recorded: Recorded,
    since: int,
    means: Means,
    report: Report,
) -> Traced:
    judging = _part("judging")
    data = judging.judge(openings, recorded, since)
    states = judging.digested(data, recorded, means.limit, means.cache, report)
    tracing = Tracing(
        means=name,
        pythons=openings.pythons,
        escaped=(*told, *states.notes),
        written=data.written[:_MOST_WRITTEN],
    )
    return Traced(reads=states.reads, tracing=tracing)
