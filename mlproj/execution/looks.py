"""How often the processes of a run are looked at: at once when it is young, seldom where it costs much."""

from __future__ import annotations

from collections.abc import Callable

from mlproj.execution.processes import Family

FIRST_GLANCE = 0.001
FIRST_LOOK = 0.01
LONGEST_PAUSE = 0.25
SHARE = 0.02
"""Looking at the process table may take this share of the time, so on a crowded machine it is rarer."""


class Looks:
    """Keeps a family's figures up to date. `begun` and `due` are in seconds of `clock`."""

    def __init__(self, family: Family, begun: float, clock: Callable[[], float]) -> None:
        self.due = begun + FIRST_GLANCE
        self._family = family
        self._clock = clock
        self._pause = FIRST_GLANCE

    def glance(self) -> None:
        """For when the run shows a sign of life: one so young may be over before the next look."""
        if self._pause < FIRST_LOOK:
            self._family.glance()

    def take(self, now: float, *, ended: bool) -> bool:
        """Looks, if it is time to. Returns whether it was."""
        if now < self.due:
            return False
        if self._pause < FIRST_LOOK:
            self._family.glance()
        elif not ended:
            self._family.look()
        cost = self._clock() - now
        self._pause = max(min(self._pause * 2, LONGEST_PAUSE), cost / SHARE)
        self.due = now + cost + self._pause
        return True
