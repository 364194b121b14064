"""What has to hold of an input, whatever it is: errors of ours only, each of them one plain sentence."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

from mlproj.cli.controls import printable
from mlproj.errors import MlprojError, SpecError
from mlproj.spec.locks import Unreadable
from tests.fuzz.targets import TARGETS, Trial

LONGEST = 5000
"""Characters of a message as it is printed, where some are shown as six: more are nothing to read."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def judged(target: str, data: bytes, folder: Path) -> str | None:
    """What is wrong with how the target took `data`, None where nothing is."""
    trial = Trial(folder=folder)
    try:
        TARGETS[target](data, trial)
    except Exception:
        return traceback.format_exc()
    return next(filter(None, map(complaint, trial.errors)), None)


def complaint(error: MlprojError | Unreadable) -> str | None:
    """What is wrong with an error, None where it is one that a person can read."""
    if isinstance(error, Unreadable):
        return _unfit(str(error), "message")
    if isinstance(error, SpecError) and not error.file:
        return f"names no file: {error.message!r}"
    if isinstance(error, SpecError) and str(error.file)[:20] not in error.message:
        return f"its message does not name its file: {error.message!r}"
    return _unfit(error.message, "message") or (_unfit(error.hint, "hint") if error.hint else None)


def _unfit(text: str, what: str) -> str | None:
    shown = printable(text)
    if not shown.strip():
        return f"its {what} is empty"
    if len(shown) > LONGEST:
        return f"its {what} has {len(shown)} characters: {shown[:200]!r}"
    if _CONTROL.search(shown):
        return f"its {what} is more than a line of plain text: {shown[:500]!r}"
    return None
