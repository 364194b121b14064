"""Data that is named by where it is tracked: `runs:/<id>/…`, `models:/<name>/…`, or `mlflow-artifacts:/…`.

The server that a person configured holds it, or else the store here.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlproj.errors import DataError, UsageError
from mlproj.model.events import Ended, Started, silent
from mlproj.services.configured import configured_server
from mlproj.services.own_tracked import brought, find_tracked
from mlproj.services.request import Context

SCHEMES = ("runs", "models", "mlflow-artifacts")


def is_tracked(uri: str) -> bool:
    """Whether only whoever tracks it knows where the data is."""
    return uri.partition(":")[0] in SCHEMES


def is_plain(address: str) -> bool:
    """Whether it is the path of a file, and no URI."""
    return ":" not in address.partition("/")[0]


def bring(context: Context, uri: str, folder: Path) -> Path:
    """The file or folder on this machine, brought into `folder` if need be. Raises DataError."""
    report, request = context.report, context.request
    report(Started(stage="download", detail=uri))
    configured = configured_server(request, silent)
    try:
        if configured is None:
            place = _own(context, uri, folder)
        else:
            server = context.tools.server(configured)
            address = server.address(uri)
            if urlsplit(address).scheme == "mlflow-artifacts":
                place = server.fetch(address, folder)
            elif urlsplit(address).scheme == "file":
                place = Path(unquote(urlsplit(address).path))
            else:
                place = _elsewhere(address, folder, context)
    except UsageError as error:
        raise DataError(error.message, hint=error.hint) from error
    if not place.exists():
        raise DataError(f"`{uri}` is not there: there is no `{place}`")
    report(Ended(stage="download"))
    return place


def _own(context: Context, uri: str, folder: Path) -> Path:
    if uri.startswith("mlflow-artifacts:"):
        raise DataError(
            f"could not download `{uri}`: no tracking server is configured that could hold it",
            hint="`--tracking-uri` or `MLFLOW_TRACKING_URI` names one",
        )
    store, tools = context.tools.open_store(), context.tools
    with contextlib.closing(tools.tracking(store)) as tracking:
        tracked = find_tracked(uri, tracking)
    return brought(tracked, store, folder, lambda there, into: _elsewhere(there, into, context))


def _elsewhere(address: str, folder: Path, context: Context) -> Path:
    if is_plain(address):
        return Path(address)
    return context.tools.download(address, folder, context.report)
