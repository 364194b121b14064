"""What is told of `--reuse`: which run it was after all, to a program, or to the pipeline above."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlproj.model.events import Event, Report, Reused
from mlproj.model.run import Run

RUN_ID_FILE = "MLPROJ_RUN_ID_FILE"
"""Names the file that a pipeline reads the id of its step's run from, which may be that of an earlier run."""


def noting(report: Report, told: list[Reused]) -> Callable[[Event], None]:
    """A report that keeps what is decided about reusing."""

    def heard(event: Event) -> None:
        if isinstance(event, Reused):
            told.append(event)
        report(event)

    return heard


def reuse_document(told: Reused) -> dict[str, Any]:
    """What was decided, as `run --json` gives it."""
    return {
        "reused": told.run_id is not None,
        "run_id": told.run_id,
        "because": told.because,
        "nearest": told.nearest,
        "differs": list(told.differs),
    }


def tell_id(run: Run) -> None:
    """Tells the pipeline above which run this was, if it wants to know."""
    asked = os.environ.get(RUN_ID_FILE)
    if asked:
        with contextlib.suppress(OSError):
            Path(asked).write_text(run.run_id)
