"""The verdict on a run that was done again: each output and metric, and the whole."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import msgspec

from mlproj.compare.causes import Cause
from mlproj.model.digest import Digest


class Grade(str, Enum):
    """How much a result is the earlier one, from most to least."""

    IDENTICAL = "identical"
    """The same bytes, the same number."""
    EQUIVALENT = "equivalent"
    """Within the tolerance, or the same content written differently."""
    NOT_COMPARABLE = "not comparable"
    """There is nothing, or no longer anything, to hold it against."""
    DIFFERENT = "different"
    FAILED = "failed"
    """It did not come to a result."""

    @property
    def is_reproduced(self) -> bool:
        return self in (Grade.IDENTICAL, Grade.EQUIVALENT)


_ORDER = tuple(Grade)


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was compared. `kind` is `status`, `output`, `metric` or `step` (a run that the script
    began, where only one of the two did; what is of a step has names such as `step 1/rmse`); `before` and
    `after` are what it was and what it is, as text; `why` says what made it another, or how it was told."""

    kind: str
    name: str
    grade: Grade
    before: str | None = None
    after: str | None = None
    why: str | None = None


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Where it came to an end before there was a result (`source`, `environment`, `data` or `execution`), and
    why."""

    stage: str
    reason: str
    hint: str | None = None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What came of doing the run `original` again as the runs `runs`.

    `variations` are what was to be another, `causes` whatever is not as it was and may have made the result
    come out so, in the order in which to look. `times` is how often it was to be done; `notes` are what else
    a reader has to know.
    """

    original: str
    record: Digest | None
    runs: tuple[str, ...]
    grade: Grade
    times: int = 1
    items: tuple[Item, ...] = ()
    failure: Failure | None = None
    variations: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    notes: tuple[str, ...] = ()


def worst(grades: Sequence[Grade]) -> Grade:
    """The grade of the whole: that of its worst part; of what has no parts, the best."""
    return max(grades, key=_ORDER.index, default=Grade.IDENTICAL)
