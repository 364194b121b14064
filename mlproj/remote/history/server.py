"""The history behind a tracking server, asked for page by page; what an earlier server has not, is none."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mlproj.errors import NotFound
from mlproj.model.redaction import without_credentials
from mlproj.model.registry import PROMPT_TAG, ModelVersion, RegisteredModel
from mlproj.model.tracking import Experiment, LoggedModel, Metric, TrackedRun
from mlproj.moving_ports import Files, ForeignTrace
from mlproj.remote.answers import Experiments, Runs, read_answer, told_experiment, told_run
from mlproj.remote.connection import Connection, Stranger
from mlproj.remote.credentials import read_credentials
from mlproj.remote.history.answers import (
    Models,
    Registered,
    Versions,
    model_of,
    registered_of,
    version_of,
)
from mlproj.remote.history.server_files import server_files
from mlproj.remote.history.trace_info import LOCATION, info_of_v2, pairs_of
from mlproj.remote.server import RemoteServer

_TRACES = "/api/3.0/mlflow/traces"
_SPANS, _IN_STORE = "mlflow.trace.spansLocation", "TRACKING_STORE"
_PAGE = 1000
_READERS = 4
_FEW = 100
"""So many things are asked for where servers give no more at once."""
_MOST_PAGES = 1_000_000
"""A server that has more goes round in a circle."""

_PROMPTS = f"tags.`{PROMPT_TAG}` = 'true'"

Read = Callable[[Any], tuple[list[Any], str | None]]
Page = Callable[[str | None], tuple[list[Any], str | None]]


class ServerHistory:
    """The `History` behind the server at `uri`; `environ` is where the credentials are told. Raises
    StoreError where it does not answer."""

    def __init__(self, uri: str, environ: Mapping[str, str], *, proxied: str | None) -> None:
        self.origin = without_credentials(uri)
        self._proxied = proxied
        self._connection = Connection(uri, read_credentials(uri, environ), environ)
        self._server = RemoteServer(uri, environ)
        next(self.experiments(), None)  # whether anybody is there that can be asked

    def experiments(self) -> Iterator[Experiment]:
        def page(token: str | None) -> tuple[list[Any], str | None]:
            asked = {"view_type": "ALL", "max_results": _PAGE, "page_token": token}
            answer = read_answer(self._post("experiments/search", asked), Experiments)
            return list(answer.experiments), answer.next_page_token

        yield from map(told_experiment, _pages(page))

    def count(self, experiment_id: str) -> int | None:
        return None

    def runs(self, experiment_id: str) -> Iterator[TrackedRun]:
        def page(token: str | None) -> tuple[list[Any], str | None]:
            asked = {
                "experiment_ids": [experiment_id],
                "run_view_type": "ALL",
                "max_results": _PAGE,
                "page_token": token,
                "order_by": ["attribute.start_time ASC"],
            }
            answer = read_answer(self._post("runs/search", asked), Runs)
            return list(answer.runs), answer.next_page_token

        runs = map(told_run, _pages(page))
        if next(self.models(experiment_id), None) is None:
            yield from runs
            return
        # What servers find leaves out the logged models that a run read.
        with ThreadPoolExecutor(_READERS) as pool:
            while some := list(itertools.islice(runs, _FEW)):
                yield from pool.map(self._server.run, [run.run_id for run in some])

    def points(self, run: TrackedRun) -> Iterator[Metric]:
        for metric in run.metrics:
            yield from self._server.history(run.run_id, metric.key)

    def models(self, experiment_id: str) -> Iterator[LoggedModel]:
        def page(token: str | None) -> tuple[list[Any], str | None]:
            asked = {"experiment_ids": [experiment_id], "max_results": 50, "page_token": token}
            answer = read_answer(self._post("logged-models/search", asked), Models)
            return list(answer.models), answer.next_page_token

        yield from map(model_of, self._where_known(page))

    def traces(self, experiment_id: str) -> Iterator[ForeignTrace]:
        place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment_id}}

        def page(token: str | None) -> tuple[list[Any], str | None]:
            asked = {"locations": [place], "max_results": _FEW, "page_token": token}
            answer = self._post(f"{_TRACES}/search", asked)
            return list(answer.get("traces", ())), answer.get("next_page_token")

        try:
            for info in _pages(page):
                yield self._trace(info)
        except (Stranger, NotFound):
            yield from self._earlier_traces(experiment_id)

    def registered(self) -> Iterator[RegisteredModel]:
        def read(answer: Any) -> tuple[list[Any], str | None]:
            found = read_answer(answer, Registered)
            return list(found.registered_models), found.next_page_token

        told = self._with_prompts("registered-models/search", "", read)
        yield from {found.name: registered_of(found) for found in told}.values()

    def versions(self, name: str) -> Iterator[ModelVersion]:
        def read(answer: Any) -> tuple[list[Any], str | None]:
            found = read_answer(answer, Versions)
            return list(found.model_versions), found.next_page_token

        quote = '"' if "'" in name else "'"
        told = self._with_prompts("model-versions/search", f"name={quote}{name}{quote}", read)
        yield from {found.version: version_of(found) for found in told}.values()

    def files(self, kind: str, name: str, uri: str) -> Files:
        return server_files(self._connection, kind, name, uri, self._proxied)

    def unknown(self) -> Iterator[str]:
        """What a server keeps of further kinds it does not list for everybody."""
        yield from ()

    def close(self) -> None:
        """Connections end by themselves."""

    def _trace(self, info: dict[str, Any]) -> ForeignTrace:
        trace_id, tags = str(info["trace_id"]), info.get("tags") or {}
        spans = None
        if tags.get(_SPANS) == _IN_STORE:
            whole = self._connection.get(f"{_TRACES}/get", trace_id=trace_id)
            spans = whole.get("trace", {}).get("spans")
        told = {key: value for key, value in info.items() if key != "trace_location"}
        return ForeignTrace(trace_id=trace_id, info=told, spans=spans, artifact_uri=tags.get(LOCATION))

    def _earlier_traces(self, experiment_id: str) -> Iterator[ForeignTrace]:
        """Those of a server of MLflow 2."""

        def page(token: str | None) -> tuple[list[Any], str | None]:
            answer = self._connection.get(
                "traces", experiment_ids=experiment_id, max_results=str(_FEW), page_token=token
            )
            return list(answer.get("traces", ())), answer.get("next_page_token")

        for info in self._where_known(page):
            tags = pairs_of(info.get("tags"))
            told = info_of_v2(info, pairs_of(info.get("request_metadata")), tags)
            yield ForeignTrace(trace_id=told["trace_id"], info=told, artifact_uri=tags.get(LOCATION))

    def _with_prompts(self, path: str, wanted: str, read: Read) -> Iterator[Any]:
        """What fits the filter, and then the prompts that do: only who asks for them is told of them."""
        for narrowed in (wanted, f"{wanted} AND {_PROMPTS}" if wanted else _PROMPTS):

            def page(token: str | None, narrowed: str = narrowed) -> tuple[list[Any], str | None]:
                asked = {"filter": narrowed or None, "max_results": str(_FEW), "page_token": token}
                return read(self._connection.get(path, **asked))

            yield from self._where_known(page)

    def _where_known(self, page: Page) -> Iterator[Any]:
        """Everything on all pages; nothing where the server does not know what is asked for."""
        try:
            yield from _pages(page)
        except (Stranger, NotFound):
            return

    def _post(self, path: str, asked: dict[str, Any]) -> Any:
        return self._connection.post(
            path, **{key: value for key, value in asked.items() if value is not None}
        )


def _pages(page: Page) -> Iterator[Any]:
    token: str | None = None
    for _ in range(_MOST_PAGES):
        found, token = page(token)
        yield from found
        if not token:
            return
