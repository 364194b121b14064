"""Brings what a recorded run read with nobody declaring it: its record names it, so it is looked for as well.

It is no part of the plan. So what is not to be had is told, and the run goes on without.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mlproj.errors import DataError, Refused
from mlproj.model.events import Note, Report
from mlproj.model.provenance import InputState
from mlproj.model.run import Run
from mlproj.services.bringing import Bringer

_NO_PLACES = ("..", ".git")
"""What no path in a project's folder has among its parts; a record may come from anybody."""


def placeable(run: Run) -> tuple[InputState, ...]:
    """What it read in its project's folder, which can be put into another one."""
    reads = () if run.outcome is None else run.outcome.reads
    return tuple(state for state in reads if not state.path.startswith("/") and _is_place(state.path))


def bring_undeclared(run: Run, directory: Path, bringer: Bringer, report: Report) -> tuple[str, ...]:
    """Puts what the run read in its project into `directory`, and returns the paths of what it read elsewhere
    and is there as it was. Raises Altered where what was recorded cannot be meant."""
    outside = []
    for state in () if run.outcome is None else run.outcome.reads:
        missing = next(_missing(state, directory, bringer), None)
        if missing is not None:
            report(Note(message=f"the recorded run read `{state.path}`, which nobody declared: {missing}"))
        elif state.path.startswith("/"):
            outside.append(state.path)
    return tuple(outside)


def _missing(state: InputState, directory: Path, bringer: Bringer) -> Iterator[str]:
    """Why it cannot be had, in words; nothing where it is there now."""
    place = directory / state.path
    if state.digest is None and not bringer.is_replaced(state):
        yield "its record does not say what was in it"
    elif state.path.startswith("/"):
        if not bringer.looks_here:
            yield "a bundle does not choose which files here are looked at"
        elif not bringer.is_as_recorded(place, state):
            yield "it is not there as it was"
    elif not _is_place(state.path) or os.path.lexists(place):
        # The source goes before what only stood beside it.
        if not bringer.is_as_recorded(place, state):
            yield "something else of the source is in its place"
    else:
        try:
            bringer.bring(state, state.path)
        except (DataError, Refused) as error:
            yield error.message


def _is_place(path: str) -> bool:
    return not any(part in _NO_PLACES for part in PurePosixPath(path).parts)
