"""Which runs of a server were begun in another one's script: they say so by a tag, in any experiment."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from mlproj.model.tracking import BEGUN_IN, PARENT
from mlproj.remote.answers import Experiments, Runs, read_answer
from mlproj.remote.connection import Connection

_TAGS = (BEGUN_IN, PARENT)
"""What a run says of the one that it is below: by a variable that we set, or by MLflow's own tag."""

_PAGE = 1000
_EXPERIMENTS_AT_ONCE = 200
"""MLflow searches in experiments that it is told, each a variable of the query to its database."""

_MOST_PAGES = 100_000


class Family:
    """The runs at a server as parents and children. The experiments are looked up once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def children(self, run_id: str) -> Iterator[str]:
        """The ids of the runs that name this one, some of them twice."""
        for tag in _TAGS:
            for start in range(0, len(self._experiments), _EXPERIMENTS_AT_ONCE):
                some = self._experiments[start : start + _EXPERIMENTS_AT_ONCE]
                yield from self._found(f"tags.`{tag}` = '{run_id}'", some)

    def _found(self, condition: str, experiments: list[str]) -> Iterator[str]:
        token: str | None = None
        for _ in range(_MOST_PAGES):
            answer = self._connection.post(
                "runs/search",
                experiment_ids=experiments,
                filter=condition,
                order_by=["attributes.start_time ASC"],
                max_results=_PAGE,
                **_after(token),
            )
            page = read_answer(answer, Runs)
            yield from (run.info.id for run in page.runs)
            token = page.next_page_token
            if not token:
                return

    @cached_property
    def _experiments(self) -> list[str]:
        found: list[str] = []
        token: str | None = None
        for _ in range(_MOST_PAGES):
            answer = self._connection.post("experiments/search", max_results=_PAGE, **_after(token))
            page = read_answer(answer, Experiments)
            found += (each.experiment_id for each in page.experiments)
            token = page.next_page_token
            if not token:
                break
        return found


def _after(token: str | None) -> dict[str, str]:
    return {"page_token": token} if token else {}
