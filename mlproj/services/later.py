"""What came after the seals of a chain: what is searched is held against records and amendments together."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from mlproj.model.digest import Digest
from mlproj.model.entries import RENAMED, AmendmentDocument
from mlproj.model.logged import digest_of_points, order, read_points
from mlproj.model.moment import milliseconds
from mlproj.model.record import Entry
from mlproj.model.run import Amendment, Run

Points = tuple[tuple[str, int, int, float, bool], ...]


@dataclass(slots=True)
class Later:
    """The amendments of a chain, by run; and which experiments were renamed after which entry."""

    _amendments: dict[str, list[Amendment]] = field(default_factory=dict)
    _renamed: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, entry: Entry, document: AmendmentDocument) -> None:
        if document.kind == RENAMED and not entry.run_id:
            was, name = document.content.get("was", ""), document.content.get("name", "")
            self._renamed.append((entry.sequence, was, name))
            return
        amendment = Amendment(
            sequence=entry.sequence, time=entry.time, kind=document.kind, content=document.content
        )
        self._amendments.setdefault(entry.run_id, []).append(amendment)

    def experiment(self, name: str, sequence: int) -> str:
        """How the experiment is called now that had this name when an entry was made."""
        for later, was, new in self._renamed:
            if later > sequence and was == name:
                name = new
        return name

    def amended(self, run: Run) -> Run:
        """The run with what was added to its record."""
        return replace(run, amendments=tuple(self._amendments.get(run.run_id, ())))

    def adds_points(self, run: Run) -> bool:
        """Whether metrics of the run have points besides those that were logged before the seal."""
        return bool(self._added(run)) or (run.outcome is not None and bool(run.outcome.metrics))

    def _added(self, run: Run) -> list[Amendment]:
        return [item for item in self._amendments.get(run.run_id, ()) if item.kind == "metrics"]

    def points(self, run: Run, logged: Path | None) -> Points:
        """Every point of the run's metrics by key, sorted, of which `logged` holds those that were logged
        before the seal. Raises ValueError, and KeyError for an amendment without points."""
        outcome = run.outcome
        points: set[tuple[str, int, int, float, bool]] = set()
        if logged is not None:
            with logged.open("rb") as lines:
                points.update((key, *order(point)) for key, point in read_points(lines))
        if outcome is not None and outcome.metrics:
            end = milliseconds(outcome.ended) or 0
            for key, read in outcome.points.items():
                points.update((key, step, end, value, nan) for step, value, nan in read)
        for amendment in self._added(run):
            texts = amendment.content["points"].split("\n")
            points.update((key, *order(point)) for key, point in read_points(texts))
        return tuple(sorted(points))


def digest(points: Points) -> Digest | None:
    """The digest of the lines of these points; None where there is none."""
    return digest_of_points(
        (key, (step, timestamp, math.nan if nan else value)) for key, step, timestamp, value, nan in points
    )
