"""A small server with the routes that a script's first steps take, and the move that MLflow's API lacks."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TOKEN = "/t/0123456789abcdef"


@dataclass
class Stub:
    """What was written. `requests` are the paths asked for, `connections` counts all, the silent ones too."""

    moves: bool = True
    address: str = ""
    connections: int = 0
    requests: list[str] = field(default_factory=list)
    experiments: dict[str, str] = field(default_factory=lambda: {"0": "Default"})
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        return f"http://{self.address}{TOKEN}"

    def add_run(self, run_id: str, experiment_id: str) -> None:
        self.runs[run_id] = {"experiment": experiment_id, "tags": {}, "metrics": {}, "status": "RUNNING"}

    def answer(self, route: str, given: dict[str, Any]) -> Any:
        """The answer's content. Raises LookupError where there is no such thing."""
        match route:
            case "mlflow/experiments/get-by-name":
                ids = [key for key, name in self.experiments.items() if name == given["experiment_name"]]
                return {"experiment": self._experiment(ids[0])}
            case "mlflow/experiments/get":
                return {"experiment": self._experiment(given["experiment_id"])}
            case "mlflow/experiments/create":
                self.experiments[str(len(self.experiments))] = given["name"]
                return {"experiment_id": str(len(self.experiments) - 1)}
            case "mlflow/runs/create":
                run_id = f"{len(self.runs):032x}"
                self.add_run(run_id, given["experiment_id"])
                return {"run": self._run(run_id)}
            case "test/begin":
                self.add_run(given["run_id"], "0")
                return {}
            case "mlproj/hook":
                return {}
            case "mlproj/runs/move" if self.moves:
                self._experiment(given["experiment_id"])
                self.runs[given["run_id"]]["experiment"] = given["experiment_id"]
                return {}
        run = self.runs[given["run_id"]]
        match route:
            case "mlflow/runs/get":
                return {"run": self._run(given["run_id"])}
            case "mlflow/runs/update":
                run["status"] = given.get("status", run["status"])
                return {"run_info": self._run(given["run_id"])["info"]}
            case "mlflow/runs/set-tag":
                run["tags"][given["key"]] = given["value"]
                return {}
            case "mlflow/runs/log-metric":
                run["metrics"][given["key"]] = given["value"]
                return {}
        raise KeyError(route)

    def _experiment(self, experiment_id: str) -> Any:
        name = self.experiments[experiment_id]
        return {"experiment_id": experiment_id, "name": name, "lifecycle_stage": "active"}

    def _run(self, run_id: str) -> Any:
        run = self.runs[run_id]
        info = {
            "run_id": run_id,
            "run_uuid": run_id,
            "experiment_id": run["experiment"],
            "status": run["status"],
            "lifecycle_stage": "active",
            "artifact_uri": f"file:///nowhere/{run_id}",
            "start_time": 1,
        }
        tags = [{"key": key, "value": value} for key, value in run["tags"].items()]
        return {"info": info, "data": {"tags": tags}}


@contextmanager
def serving() -> Iterator[Stub]:
    """Serves a new stub on a port of this machine."""
    stub = Stub()

    class Handler(BaseHTTPRequestHandler):
        def setup(self) -> None:
            stub.connections += 1
            super().setup()

        def do_GET(self) -> None:
            self._answer(dict(parse_qsl(urlsplit(self.path).query)))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(json.loads(body))

        def _answer(self, given: dict[str, Any]) -> None:
            path = urlsplit(self.path).path
            stub.requests.append(path)
            try:
                if not path.startswith(f"{TOKEN}/api/2.0/"):
                    raise KeyError(path)
                code, content = 200, stub.answer(path.removeprefix(f"{TOKEN}/api/2.0/"), given)
            except LookupError as error:
                code, content = 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": str(error)}
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stub.address = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()
