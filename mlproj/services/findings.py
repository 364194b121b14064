"""What `verify` finds: each thing that is not as it was sealed, with the run and the part that it is of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlproj.model.record import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that is not as it was sealed: of which run (None for the chain as a whole) and which part."""

    run_id: str | None
    run_name: str | None
    part: str
    message: str


@dataclass(slots=True, kw_only=True)
class Findings:
    """Collects problems. Those of an entry are told of the run `only` alone, where one is named."""

    only: str | None
    names: Mapping[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def concerns(self, run_id: str) -> bool:
        return self.only in (None, run_id)

    def name(self, run_id: str) -> str:
        return self.names.get(run_id, "")

    def add(self, run_id: str | None, part: str, message: str) -> None:
        name = None if run_id is None else self.names.get(run_id)
        self.problems.append(Problem(run_id=run_id, run_name=name, part=part, message=message))

    def add_of(self, entry: Entry, part: str, message: str) -> None:
        if self.concerns(entry.run_id):
            self.add(entry.run_id, part, f"entry {entry.sequence} ({entry.kind.value}) {message}")
