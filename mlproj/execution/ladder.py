"""The ladder that a run is stopped by: asked to, told to, ended; a while of patience on each step."""

from __future__ import annotations

import signal

STEPS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)

DEBOUNCE = 0.1
"""A signal that comes again within this time (in seconds) is the same wish: some programs send it twice,
once to us and once to our group. A person who presses Ctrl-C again takes longer."""


class Ladder:
    """Where on the ladder a run is. Times are in seconds of one clock."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._next = 0
        self._climbed = 0.0
        self.due: float | None = None
        """When the next step is to be taken, None before the first and after the last."""

    @property
    def begun(self) -> bool:
        return self._next > 0

    def begin(self, now: float, step: signal.Signals = signal.SIGINT) -> None:
        """Has the ladder begin with `step`, unless it has begun."""
        if not self.begun and self.due is None:
            self._next = STEPS.index(step)
            self.due = now

    def hasten(self, now: float) -> None:
        """Has the next step taken at once, or the first."""
        if not self.begun:
            self.begin(now)
        elif self.due is not None and now - self._climbed >= DEBOUNCE:
            self.due = now

    def stop_asking(self, now: float) -> None:
        """Ends the wait after the first step: who was asked has gone, and the others did not listen."""
        if self._next == 1 and self.due is not None:
            self.due = min(self.due, now)

    def step(self, now: float) -> signal.Signals | None:
        """The signal to send now, if one is due. After the last it is sent again and again."""
        if self._next == len(STEPS):
            return STEPS[-1]
        if self.due is None or now < self.due:
            return None
        taken = STEPS[self._next]
        self._next += 1
        self._climbed = now
        self.due = now + self._patience if self._next < len(STEPS) else None
        return taken

    def exhausted(self, now: float) -> bool:
        """Whether even the last step has had its time."""
        return self._next == len(STEPS) and now - self._climbed >= self._patience
