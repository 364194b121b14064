"""What happens when a program begins to import mlflow: its endpoint is woken, and its modules are watched."""

import contextlib
import os
import socket
import sys
import threading
from typing import Any, Callable, Dict, Optional
from urllib.parse import urlsplit

from . import addresses, experiments, further, projects
from .endpoint import Endpoint
from .importlib_bootstrap import finder
from .run import Run

Find = Callable[[Any, str, Any, Any], Any]

SERVER = "_MLFLOW_SERVER_FILE_STORE"
"""Set by MLflow in the processes of its own server."""


def begin() -> Find:
    """Returns what finds modules in MLflow's stead and mends the few that it must."""
    if _serves():
        return finder({})
    run = Run()
    endpoint = Endpoint(run)
    asked = addresses.settle(run)
    _wake(run)
    mends: Dict[str, Callable[[Any], None]] = {
        "mlflow": lambda module: _note(asked, endpoint),
        "mlflow.tracking._tracking_service.utils": lambda m: addresses.mend_tracking(m, run, endpoint),
        "mlflow.tracking._model_registry.utils": lambda m: addresses.mend_registry(m, endpoint),
        "mlflow.tracking.client": lambda m: _mend_client(m, run, endpoint),
        "mlflow.tracking.fluent": lambda m: experiments.mend(m, run, endpoint),
        "mlflow.projects": lambda m: projects.mend(m, run, endpoint),
    }
    return finder(mends)


def _mend_client(module: Any, run: Run, endpoint: Endpoint) -> None:
    addresses.mend_client(module, run, endpoint)
    further.mend(module, run)


def _note(asked: Optional[str], endpoint: Endpoint) -> None:
    if asked is not None:
        endpoint.note_address(asked)


def _serves() -> bool:
    """Whether this is a tracking server that a script has started: its addresses are its own."""
    program = os.path.basename(sys.argv[0]) if getattr(sys, "argv", None) else ""
    return SERVER in os.environ or (program == "mlflow" and sys.argv[1:2] in (["server"], ["ui"]))


def _wake(run: Run) -> None:
    """Has the endpoint load its application while mlflow is imported, which takes longer, and know of us."""
    if run.is_elsewhere:
        return
    place = urlsplit(run.tracking_uri)
    if place.scheme == "http" and os.environ.get("MLFLOW_TRACKING_URI") == run.tracking_uri:
        address = (place.hostname or "", place.port or 80, place.path)
        threading.Thread(target=_announce, args=address, name="mlproj-wake", daemon=True).start()


def _announce(host: str, port: int, path: str) -> None:
    # Written by hand: the modules that speak HTTP take longer to load than all that we do.
    request = f"GET {path}/api/2.0/mlproj/hook HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    with contextlib.suppress(Exception), socket.create_connection((host, port), timeout=30) as connection:
        connection.sendall(request.encode("ascii"))
        connection.recv(1)
