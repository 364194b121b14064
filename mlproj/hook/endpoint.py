"""The server that this run is recorded at, asked through MLflow's own client for its credentials and proxies.

Nothing here raises or tries again: what cannot be noted is not worth a minute of the script's time.
"""

import contextlib
import re
import time
from importlib import import_module
from typing import Any, List, Optional, Set

from .run import Run

TIMEOUT = 30
"""Seconds."""

LONGEST = 5000
"""Characters of a tag's value: the shortest limit of MLflow's versions."""

MASK = "***"


class Endpoint:
    """What a run's server is told beside what the script logs."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._noted: Set[str] = set()
        self._reused: List[str] = []
        self.displaced: Set[str] = set()
        """Addresses that the script asked for and did not get."""

    def is_current(self) -> bool:
        """Whether what the script logs now goes to this server."""
        utils = import_module("mlflow.tracking._tracking_service.utils")
        return not self._run.is_foreign(str(utils.get_tracking_uri()))

    def experiment(self) -> Optional[str]:
        """The id of the experiment that the run is under."""
        answer = self._ask("GET", "mlflow/runs/get", params={"run_id": self._run.run_id})
        return None if answer is None else str(answer["run"]["info"]["experiment_id"])

    def has(self, run_id: str) -> bool:
        return self._ask("GET", "mlflow/runs/get", params={"run_id": run_id}) is not None

    def fail(self, run_id: str) -> None:
        """Ends a step's run that nobody has ended, at a server that does not see to it as ours does."""
        if not self._run.is_elsewhere:
            return
        found = self._ask("GET", "mlflow/runs/get", params={"run_id": run_id})
        if found is not None and found["run"]["info"]["status"] == "RUNNING":
            body = {"run_id": run_id, "run_uuid": run_id, "status": "FAILED"}
            self._ask("POST", "mlflow/runs/update", json=dict(body, end_time=int(time.time() * 1000)))

    def move(self, experiment_id: str) -> bool:
        """Puts the run under another experiment. A server of MLflow's own cannot."""
        body = {"run_id": self._run.run_id, "experiment_id": experiment_id}
        return self._ask("POST", "mlproj/runs/move", json=body) is not None

    def note_address(self, uri: str) -> None:
        self._note("mlproj.tracking_uri.asked", masked(uri))

    def note_experiment(self, name: str) -> None:
        self._note("mlproj.experiment.asked", name)

    def note_reused(self, run_id: str) -> None:
        """Has the run say which earlier runs stand for its steps."""
        if run_id not in self._reused:
            self._reused.append(run_id)
        self._note("mlproj.reused", ", ".join(self._reused))

    def _note(self, key: str, value: str) -> None:
        """Sets a tag of the run, unless this process has set it last."""
        line = key + "=" + value
        if line in self._noted:
            return
        self._noted.add(line)
        self._ask(
            "POST",
            "mlflow/runs/set-tag",
            json={
                "run_id": self._run.run_id,
                "run_uuid": self._run.run_id,
                "key": key,
                "value": value[:LONGEST],
            },
        )

    def _ask(self, method: str, route: str, **content: Any) -> Any:
        """The answer, or None where there is none or an error."""
        with contextlib.suppress(Exception):
            store = import_module("mlflow.tracking._tracking_service.utils")._get_store(
                self._run.tracking_uri
            )
            http_request = import_module("mlflow.utils.rest_utils").http_request
            credentials = store.get_host_creds()
            path = "/api/2.0/" + route
            answer = http_request(credentials, path, method, max_retries=0, timeout=TIMEOUT, **content)
            return answer.json() if answer.status_code == 200 else None
        return None


def masked(uri: str) -> str:
    """An address without its user, password and query, and without the token of another run's endpoint."""
    bare = re.sub(r"^([A-Za-z][A-Za-z0-9+.-]*:/*)[^/?#]*@", r"\1" + MASK + "@", uri)
    head, mark, _ = re.sub(r"(?<=/t/)[^/?#]+", MASK, bare).partition("?")
    return head + mark + (MASK if mark else "")
