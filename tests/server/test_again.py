from __future__ import annotations

import pytest

from mlproj.errors import Busy, StoreError, Unanswered
from mlproj.server import again
from mlproj.server.failures import told


class Work:
    """Fails with these errors one after the other, and then is done."""

    def __init__(self, *errors: StoreError) -> None:
        self.left = list(errors)

    def __call__(self, given: str) -> str:
        if self.left:
            raise self.left.pop(0)
        return given


def test_what_others_came_between_is_done_again() -> None:
    assert again.act(Work(Busy("one"), Busy("two")), "done") == "done"


def test_what_may_have_been_written_is_not() -> None:
    work = Work(Unanswered("it went"))
    with pytest.raises(Unanswered):
        again.act(work, "done")
    assert (told(Unanswered("it went")).status, work.left) == (503, [])


def test_other_failures_are_told_at_once() -> None:
    work = Work(StoreError("one"), StoreError("two"))
    with pytest.raises(StoreError, match="one"):
        again.act(work, "done")


def test_an_end_is_made_of_it() -> None:
    work = Work(*(Busy(str(number)) for number in range(len(again.PAUSES_S) + 2)))
    with pytest.raises(Busy, match=str(len(again.PAUSES_S))):
        again.act(work, "done")
    assert len(work.left) == 1
