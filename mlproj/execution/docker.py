"""Runs a task in a container of its own, which is gone when the task has ended."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docker import APIClient
from docker.errors import NotFound

from mlproj import settings
from mlproj.engine import engine
from mlproj.errors import EnvironmentFailed
from mlproj.execution import signals
from mlproj.execution.containers import created, described, lacks_init, no_shell, start, sweep
from mlproj.execution.recording import Recorder
from mlproj.execution.stalls import Stalls, freed
from mlproj.execution.supervision import Limits
from mlproj.execution.watches import watching
from mlproj.execution.watching import Watch, kept_code
from mlproj.model.environment import Container
from mlproj.model.events import Report
from mlproj.model.moment import timestamp
from mlproj.ports import Execution, Task

NOT_FOUND = 127
_NO_SHELL = re.compile(rb"\[FATAL tini \(\d+\)\] exec sh failed")
"""What a container's first process says where it finds no shell to give the command to."""


class DockerExecutor:
    """The Executor for containers. `environ` says where the engine is, `watches` is the folder for files that
    tell of containers (else that of the logs); the rest as for `LocalExecutor`.

    The command's standard input is empty, and its output is never a terminal.
    """

    def __init__(
        self,
        container: Container,
        environ: Mapping[str, str] = os.environ,
        *,
        watches: Path | None = None,
        log_limit: int = settings.Limits().log,
        patience: float = 3.0,
    ) -> None:
        self._container = container
        self._environ = environ
        self._watches = watches
        self._log_limit = log_limit
        self._patience = patience

    def execute(self, task: Task, report: Report) -> Execution:
        """Runs the task to its end; see `ports.Executor`. Raises EnvironmentFailed where Docker cannot."""
        stalls = Stalls(None if task.timeout is None else time.monotonic() + task.timeout)
        with contextlib.ExitStack() as stack:
            wakeups = stack.enter_context(signals.listening(stalls.hear))
            name = task.environ.get("MLPROJ_RUN_ID") or uuid.uuid4().hex
            watched = stack.enter_context(watching(self._watches or task.logs, name))
            recorder = stack.enter_context(
                Recorder(task.logs, freed(report, stalls), self._log_limit, secrets=task.secrets)
            )
            client = stack.enter_context(engine(self._environ, timeout=None))
            sweep(client, report)
            stack.enter_context(stalls.watching())
            body = described(self._container, task, watched)
            limits = Limits(patience=self._patience, grace=0.0, timeout=task.timeout)
            try:
                execution = _carried_out(client, body, recorder, limits, wakeups)
            except EnvironmentFailed as error:
                if not lacks_init(error):
                    raise
                body["HostConfig"]["Init"] = False
                execution = _carried_out(client, body, recorder, limits, wakeups)
        if execution.exit_code == NOT_FOUND and _NO_SHELL.match(_beginning(task.logs / "stderr")):
            raise no_shell()
        return execution


def _beginning(log: Path) -> bytes:
    with open(log, "rb") as file:
        return file.read(200)


def _carried_out(
    client: APIClient, body: dict[str, Any], recorder: Recorder, limits: Limits, wakeups: int | None
) -> Execution:
    with created(client, dict(body)) as container:
        with _attached(client, container) as output:
            began_at = time.time()
            start(client, container)
            watch = Watch(client, container, output, recorder, limits)
            watch.run(wakeups)
        state = _end(client, container, watch.exit_code)
        usage = watch.usage()
    return Execution(
        exit_code=kept_code(state["ExitCode"]),
        started=timestamp(began_at),
        ended=timestamp(began_at + usage.wall_s),
        usage=usage,
        timed_out=watch.timed_out,
        interrupted=watch.interrupted,
        out_of_memory=bool(state.get("OOMKilled")),
    )


def _end(client: APIClient, container: str, code: int | None) -> dict[str, Any]:
    """How the container ended: with what was told of its end, where it is all that is left of it."""
    if code != 0:
        with contextlib.suppress(NotFound):
            state: dict[str, Any] = client.inspect_container(container)["State"]
            return state
    if code is None:
        raise EnvironmentFailed("the container was removed by somebody else, and nothing tells how it ended")
    return {"ExitCode": code}


@contextlib.contextmanager
def _attached(client: APIClient, container: str) -> Iterator[socket.socket]:
    """The connection on which the engine sends what the container writes, from its very beginning."""
    found = client.attach_socket(container, params={"stdout": 1, "stderr": 1, "stream": 1})
    connection: socket.socket = getattr(found, "_sock", found)
    with contextlib.ExitStack() as stack:
        stack.callback(connection.close)
        if connection is not found:
            # The answer to our request, which holds the connection, and the reader that it has made of it.
            stack.callback(found.close)
            stack.callback(found._response.close)
        connection.setblocking(False)
        yield connection
