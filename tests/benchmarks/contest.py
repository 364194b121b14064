"""What the cases of the benchmarks share: where they run, whom they measure, and what they yield."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.arena import MLPROJ, Arena
from tests.benchmarks.measure import Contender, Figure, nothing
from tests.benchmarks.table import NotMeasured, Row, amount

Rows = Iterator[Row | NotMeasured]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What the cases share: where they run, mlflow if there is one, and how often to repeat."""

    arena: Arena
    mlflow: str | None
    repetitions: int
    slow_repetitions: int

    def contender(
        self, name: str, command: tuple[str, ...], before: Callable[[], None] = nothing
    ) -> Contender:
        return Contender(
            name=name,
            command=command,
            directory=self.arena.folder,
            environ=self.arena.environ,
            before=before,
        )

    def mlproj(
        self, project: Path, manager: str, before: Callable[[], None] = nothing, name: str = "mlproj"
    ) -> Contender:
        return self.contender(name, (MLPROJ, "run", str(project), "--env-manager", manager), before)

    def mlflow_run(self, project: Path, manager: str, before: Callable[[], None] = nothing) -> Contender:
        assert self.mlflow is not None
        return self.contender("mlflow", (self.mlflow, "run", str(project), "--env-manager", manager), before)


Case = Callable[[Bench], Rows]


def seconds(figure: Figure) -> str:
    return amount(figure.seconds, "s")
