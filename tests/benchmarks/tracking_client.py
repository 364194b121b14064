"""Does to a server what it is told, by MLflow's own client or by bare requests, and tells what each took.

Run by the Python of an environment that has mlflow, with the server's address and a run's id (without one it
begins a run). It reads a task per line and prints an answer, both JSON, so that clients can take turns.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from importlib import import_module
from typing import Any
from urllib.parse import urlencode, urlsplit

BATCH = 1000

# Only the environment that this is run in has it.
mlflow: Any = import_module("mlflow")
entities: Any = import_module("mlflow.entities")


class Client:
    """Its methods are the tasks; those called `bare` go without MLflow."""

    def __init__(self, uri: str, run_id: str | None) -> None:
        self._uri = uri
        self._client = mlflow.MlflowClient(uri)
        self.run_id: str = run_id or self._client.create_run("0", run_name="bench").info.run_id
        self._step = 0
        parts = urlsplit(uri)
        self._path = f"{parts.path}/api/2.0/mlflow/"
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        self._page_token: str | None = None

    def reconnect(self) -> None:
        """A server may have closed what was idle meanwhile."""
        self._connection.close()
        self._connection.connect()

    def log_metric(self) -> None:
        self._step += 1
        self._client.log_metric(self.run_id, "loss", 0.5, self._step, self._step, synchronous=True)

    def bare_log_metric(self) -> None:
        self._step += 1
        self._request("POST", "runs/log-metric", {"run_id": self.run_id, **_point("loss", self._step)})

    def log_batch(self) -> None:
        points = [entities.Metric("batched", 0.5, step, step) for step in self._steps()]
        self._client.log_batch(self.run_id, metrics=points, synchronous=True)

    def bare_log_batch(self, key: str = "batched") -> None:
        points = [_point(key, step) for step in self._steps()]
        self._request("POST", "runs/log-batch", {"run_id": self.run_id, "metrics": points})

    def search(self, **asked: Any) -> int:
        return len(self._client.search_runs(["0"], **asked))

    def bare_search(self, filter_string: str, order_by: list[str], max_results: int) -> int:
        asked = {"filter": filter_string, "order_by": order_by, "max_results": max_results}
        return len(self._request("POST", "runs/search", {"experiment_ids": ["0"], **asked})["runs"])

    def template(self, values: int) -> str:
        """A run with something of everything, which others are made after."""
        tags = {f"tag{number}": "some text" for number in range(values)}
        run_id: str = self._client.create_run("0", run_name="template", tags=tags).info.run_id
        for number in range(values):
            self._client.log_param(run_id, f"param{number}", "0.5")
            self._client.log_metric(run_id, f"metric{number}", 0.5, synchronous=True)
        return run_id

    def upload(self, file: str) -> None:
        self._client.log_artifact(self.run_id, file)

    def download(self, name: str, folder: str) -> None:
        mlflow.artifacts.download_artifacts(
            run_id=self.run_id, artifact_path=name, dst_path=folder, tracking_uri=self._uri
        )

    def bare_upload(self, file: str) -> None:
        with open(file, "rb") as content:
            headers = {"Content-Length": str(os.path.getsize(file))}
            self._connection.request("PUT", self._artifact(os.path.basename(file)), content, headers)
            self._connection.getresponse().read()

    def bare_download(self, name: str) -> int:
        self._connection.request("GET", self._artifact(name))
        answer, piece, size = self._connection.getresponse(), bytearray(1 << 20), 0
        while taken := answer.readinto(piece):
            size += taken
        return size

    def _artifact(self, name: str) -> str:
        """The path of one of the run's artifacts at the server."""
        place = urlsplit(self._client.get_run(self.run_id).info.artifact_uri).path
        return f"{urlsplit(self._uri).path}/api/2.0/mlflow-artifacts/artifacts{place}/{name}"

    def history_page(self, key: str, limit: int) -> int:
        """The page after the one that was read last."""
        asked = {"run_id": self.run_id, "metric_key": key, "max_results": limit}
        if self._page_token:
            asked["page_token"] = self._page_token
        told = self._request("GET", f"metrics/get-history?{urlencode(asked)}")
        self._page_token = told.get("next_page_token")
        return len(told["metrics"])

    def thinned(self, key: str, most: int) -> int:
        asked = urlencode({"run_ids": self.run_id, "metric_key": key, "max_results": most})
        return len(self._request("GET", f"metrics/get-history-bulk-interval?{asked}")["metrics"])

    def _steps(self) -> range:
        self._step += BATCH
        return range(self._step, self._step + BATCH)

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        content = None if body is None else json.dumps(body)
        self._connection.request(method, self._path + path, content, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        told = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {told[:500]!r}")
        return json.loads(told)


def _point(key: str, step: int) -> dict[str, Any]:
    return {"key": key, "value": 0.5, "timestamp": step, "step": step}


def main(uri: str, run_id: str | None = None) -> None:
    client = Client(uri, run_id)
    print(json.dumps(client.run_id), flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        act = getattr(client, task["act"])
        client.reconnect()
        seconds, result = [], None
        for _ in range(task["times"]):
            begun = time.perf_counter()
            result = act(**task["given"])
            seconds.append(time.perf_counter() - begun)
        print(json.dumps({"seconds": seconds, "result": result}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
