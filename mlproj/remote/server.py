"""One tracking server, behind the port `Server`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlproj.errors import NotFound
from mlproj.model.logged import spelt
from mlproj.model.tracking import Experiment, Metric, NewRun, Pairs, RunStatus, ServedFile, TrackedRun
from mlproj.remote.answers import RUN_NAME, NewExperiment, Points, experiment_of, points, read_answer, run_of
from mlproj.remote.connection import Connection
from mlproj.remote.credentials import read_credentials
from mlproj.remote.family import Family
from mlproj.remote.fetching import address_of, fetch, pinned
from mlproj.remote.files import served_files
from mlproj.spec.model_uri import read_model_uri

_AT_ONCE = 100
"""Params or tags in one request, as MLflow has it."""

_POINTS_AT_ONCE = 1000

_PAGE = 25_000
_MOST_PAGES = 100_000


class RemoteServer:
    """The server at `uri`; `environ` is where the credentials are told."""

    def __init__(self, uri: str, environ: Mapping[str, str]) -> None:
        self._connection = Connection(uri, read_credentials(uri, environ), environ)

    def experiment(self, *, name: str | None = None, experiment_id: str | None = None) -> Experiment:
        if experiment_id is not None:
            return experiment_of(self._connection.get("experiments/get", experiment_id=experiment_id))
        return experiment_of(self._connection.get("experiments/get-by-name", experiment_name=name))

    def create_experiment(self, name: str) -> str:
        answer = self._connection.post("experiments/create", name=name)
        return read_answer(answer, NewExperiment).experiment_id

    def create_run(self, new: NewRun) -> TrackedRun:
        answer = self._connection.post(
            "runs/create",
            experiment_id=new.experiment_id,
            user_id=new.user,
            run_name=new.name,
            start_time=new.started,
            tags=_listed(new.tags),
        )
        run = run_of(answer)
        if run.name != new.name:
            # Early servers know a run's name by this tag alone; later ones take it from one of both.
            self.log(run.run_id, tags=((RUN_NAME, new.name),))
        return run

    def run(self, run_id: str) -> TrackedRun:
        return run_of(self._connection.get("runs/get", run_id=run_id, run_uuid=run_id))

    def log(
        self, run_id: str, *, params: Pairs = (), tags: Pairs = (), metrics: Sequence[Metric] = ()
    ) -> None:
        for start in range(0, max(len(params), len(tags)), _AT_ONCE):
            here = slice(start, start + _AT_ONCE)
            self._connection.post(
                "runs/log-batch", run_id=run_id, params=_listed(params[here]), tags=_listed(tags[here])
            )
        for start in range(0, len(metrics), _POINTS_AT_ONCE):
            some = list(map(_point, metrics[start : start + _POINTS_AT_ONCE]))
            self._connection.post("runs/log-batch", run_id=run_id, metrics=some)

    def update(self, run_id: str, *, status: RunStatus, ended: int | None = None) -> None:
        times = {} if ended is None else {"end_time": ended}
        self._connection.post("runs/update", run_id=run_id, run_uuid=run_id, status=status.value, **times)

    def begun_in(self, run_id: str, *, apart: str) -> Iterator[TrackedRun]:
        waiting, family = [run_id], Family(self._connection)
        seen = {run_id}
        while waiting:
            for found in family.children(waiting.pop(0)):
                if found not in seen:
                    seen.add(found)
                    run = self.run(found)
                    if apart not in dict(run.tags):
                        waiting.append(found)
                        yield run

    def history(self, run_id: str, key: str) -> Iterator[Metric]:
        token: str | None = None
        for _ in range(_MOST_PAGES):
            page = self._page(run_id, key, token)
            yield from points(page.metrics)
            token = page.next_page_token
            if not token:
                return

    def address(self, uri: str) -> str:
        return address_of(self._connection, uri)

    def pinned(self, uri: str) -> str:
        return str(pinned(self._connection, read_model_uri(uri)))

    def fetch(self, address: str, folder: Path) -> Path:
        return fetch(self._connection, address, folder)

    def files(self, run: TrackedRun, *, most: int, altogether: int) -> Iterator[ServedFile]:
        return served_files(self._connection, run, most=most, altogether=altogether)

    def _page(self, run_id: str, key: str, token: str | None) -> Points:
        asked = {"run_id": run_id, "run_uuid": run_id, "metric_key": key, "page_token": token}
        try:
            answer = self._connection.get("metrics/get-history", **asked, max_results=str(_PAGE))
        except NotFound:
            if token is not None:
                raise
            return Points()
        return read_answer(answer, Points)


def _point(metric: Metric) -> dict[str, str | float]:
    value = spelt(metric.value)
    return {"key": metric.key, "value": value, "timestamp": metric.timestamp, "step": metric.step}


def _listed(pairs: Any) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in pairs]
