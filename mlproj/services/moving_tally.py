"""What came of moving in: counted while it goes on, told when it is over."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec


class Untaken(msgspec.Struct, frozen=True, kw_only=True):
    """What of the history did not come along, and why."""

    what: str
    why: str


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many of some things were new here, changed by what changed there, or as they are there already."""

    new: int = 0
    changed: int = 0
    same: int = 0


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What came along from `origin`. `experiment_ids` are the ids there with those here."""

    origin: str
    experiments: Counts
    runs: Counts
    models: Counts
    traces: Counts
    registered_models: Counts
    versions: Counts
    points: int
    files: int
    size: int
    experiment_ids: dict[str, str]
    untaken: tuple[Untaken, ...]


NEW, CHANGED, SAME = "new", "changed", "same"


@dataclass(slots=True)
class Tally:
    """The counts so far."""

    counted: dict[str, dict[str, int]] = field(default_factory=dict)
    points: int = 0
    files: int = 0
    size: int = 0
    experiment_ids: dict[str, str] = field(default_factory=dict)
    untaken: dict[Untaken, None] = field(default_factory=dict)

    def count(self, kind: str, how: str, number: int = 1) -> None:
        counts = self.counted.setdefault(kind, {})
        counts[how] = counts.get(how, 0) + number

    def leave(self, what: str, why: str) -> None:
        """Notes what does not come along."""
        self.untaken[Untaken(what=what, why=why)] = None

    def moved(self, origin: str) -> Moved:
        kinds = ("experiments", "runs", "models", "traces", "registered_models", "versions")
        return Moved(
            origin=origin,
            points=self.points,
            files=self.files,
            size=self.size,
            experiment_ids=dict(self.experiment_ids),
            untaken=tuple(self.untaken),
            **{kind: Counts(**self.counted.get(kind, {})) for kind in kinds},
        )
