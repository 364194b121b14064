"""What has a watch run a project, and what had it: the trigger, sealed with the run that it started."""

from __future__ import annotations

import msgspec

WATCH_TAG = "mlproj.watch"
"""The tag of a watch's runs that names the watch, so that they are found."""

_SHORT = 12


class Every(msgspec.Struct, frozen=True, kw_only=True):
    """So long after the last run began."""

    seconds: float
    text: str

    def __str__(self) -> str:
        return f"every {self.text}"


class Cron(msgspec.Struct, frozen=True, kw_only=True):
    """At the times that a line of cron's names."""

    text: str

    def __str__(self) -> str:
        return f"cron {self.text}"


Schedule = Every | Cron


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """The current value of a run's metric. `timestamp` is in milliseconds since the epoch."""

    run_id: str
    key: str
    value: float | str
    step: int
    timestamp: int


class DataChange(msgspec.Struct, frozen=True, kw_only=True, tag="data", tag_field="kind"):
    """Data that is no longer what the watch's last run read: its digest, or else what a server tells of it,
    as text. `before` is None where no run of the watch read it."""

    name: str
    path: str
    before: str | None
    after: str

    @property
    def told(self) -> str:
        if self.before is None:
            return f"`{self.path}` was not trained on yet: {_short(self.after)}"
        return f"`{self.path}` changed from {_short(self.before)} to {_short(self.after)}"


class ScheduleDue(msgspec.Struct, frozen=True, kw_only=True, tag="schedule", tag_field="kind"):
    """A time that came, `due` in RFC 3339; cron's are meant in the time `zone`."""

    schedule: str
    due: str
    zone: str | None = None

    @property
    def told(self) -> str:
        zone = "" if self.zone is None else f" ({self.zone})"
        return f"`{self.schedule}`{zone} was due at {self.due}"


class MetricCrossed(msgspec.Struct, frozen=True, kw_only=True, tag="metric", tag_field="kind"):
    """A metric that fulfils a condition, where `of` says that it is looked for; `before` is what the watch
    saw of it when it started its last run."""

    condition: str
    of: str
    before: Measurement | None
    after: Measurement

    @property
    def told(self) -> str:
        return f"`{self.condition}` in {self.of}: {self.after.value} in run {self.after.run_id[:8]}"


Cause = DataChange | ScheduleDue | MetricCrossed


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """Why a watch started a run, and all that it saw then: of `inputs` names and states, as a DataChange has
    them, and `measurements` of each metric that it looks at. `previous` is the watch's run before. What was
    to become of the model is `register` (`NAME`, or `NAME:PATH`) and the stage `promote`."""

    watch: str
    time: str
    causes: tuple[Cause, ...]
    previous: str | None = None
    register: str | None = None
    promote: str | None = None
    inputs: tuple[tuple[str, str], ...] = ()
    measurements: tuple[Measurement, ...] = ()

    @property
    def told(self) -> str:
        """Its causes in a sentence."""
        return "; ".join(cause.told for cause in self.causes)


def _short(state: str) -> str:
    """A digest by its first digits; anything else as it is."""
    kind, separator, digits = state.partition(":")
    return f"{kind} {digits[:_SHORT]}" if separator and kind == "sha256" else state
