"""A signal is never lost: it interrupts at once, or as soon as that is allowed again."""

from __future__ import annotations

import os
import signal

import pytest

from mlproj.errors import Interrupted
from mlproj.services.interrupts import interruptible


def test_a_signal_interrupts_at_once() -> None:
    with pytest.raises(Interrupted) as caught, interruptible():
        os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.exit_code == 143


def test_a_signal_while_they_are_held_back_comes_when_they_are_allowed() -> None:
    reached: list[str] = []
    with pytest.raises(Interrupted), interruptible() as interrupts, interrupts.held():
        os.kill(os.getpid(), signal.SIGINT)
        reached.append("written whole")
        with interrupts.allowed():
            reached.append("begun all the same")
    assert reached == ["written whole"]


def test_a_signal_after_the_last_stretch_that_allows_it_changes_nothing() -> None:
    with interruptible() as interrupts, interrupts.held():
        with interrupts.allowed():
            pass
        os.kill(os.getpid(), signal.SIGINT)


class Finalised:
    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("allowed", [False, True], ids=["before the run begins", "while it goes on"])
def test_a_signal_whose_exception_gets_lost_is_not_lost(allowed: bool) -> None:
    """Python drops what is raised in a finaliser, and so does importlib in one of its callbacks."""
    with pytest.raises(Interrupted), interruptible() as interrupts:
        if not allowed:
            del_now = Finalised()
            del del_now
        with interrupts.held(), interrupts.allowed():
            if allowed:
                del_now = Finalised()
                del del_now
