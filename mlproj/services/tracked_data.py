"""Data that a `path` parameter names by where it is tracked: `runs:/<id>/…`, or `mlflow-artifacts:/…`.

The server that the run is to be at holds it, or else the store here.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlproj.errors import DataError, UsageError
from mlproj.model.events import Ended, Started, silent
from mlproj.services.artifacts import get_artifact
from mlproj.services.collect import ARTIFACTS
from mlproj.services.configured import configured_server
from mlproj.services.request import Context

SCHEMES = ("runs", "mlflow-artifacts")


def is_tracked(uri: str) -> bool:
    """Whether only whoever tracks it knows where the data is."""
    return uri.partition(":")[0] in SCHEMES


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
            elif urlsplit(address).scheme in ("", "file"):
                place = Path(unquote(urlsplit(address).path))
            else:
                place = context.tools.download(address, folder, report)
    except UsageError as error:
        raise DataError(error.message, hint=error.hint) from error
    if not place.exists():
        raise DataError(f"`{uri}` is not there: there is no `{place}`")
    report(Ended(stage="download"))
    return place


def _own(context: Context, uri: str, folder: Path) -> Path:
    parts = urlsplit(uri)
    run_id, _, path = parts.path.strip("/").partition("/")
    if ".." in path.split("/"):
        raise DataError(f"`{uri}` leads out of the run's artifacts", hint="name a path below them")
    if parts.scheme != "runs" or not run_id:
        raise DataError(
            f"could not download `{uri}`: no tracking server is configured that could hold it",
            hint="`--tracking-uri` or `MLFLOW_TRACKING_URI` names one",
        )
    store = context.tools.open_store()
    with contextlib.closing(context.tools.tracking(store)) as tracking:
        lying = Path(unquote(urlsplit(tracking.runs.get(run_id).artifact_uri).path), path)
    if lying.exists():
        return lying
    folder.mkdir(parents=True, exist_ok=True)
    get_artifact(store, store.find(run_id), f"{ARTIFACTS}/{path}", folder / (Path(path).name or ARTIFACTS))
    return folder / (Path(path).name or ARTIFACTS)
