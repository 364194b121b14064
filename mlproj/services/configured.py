"""Which tracking server a run is at, where a person configured one; and which experiment is meant there."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from mlproj.errors import MlprojError, NotFound, StoreError, UsageError
from mlproj.model.events import Note, Report
from mlproj.model.index import DEFAULT_EXPERIMENT
from mlproj.model.redaction import without_credentials
from mlproj.model.tracking import Experiment, Lifecycle
from mlproj.services.request import RunRequest
from mlproj.tracking_ports import Server

VARIABLE = "MLFLOW_TRACKING_URI"
_OWN_RECORD = "leave it out: what the script logs gets into the run's own record"


def configured_server(request: RunRequest, report: Report) -> str | None:
    """The address of the server, as clients take it; None where the run has an endpoint of its own.

    A variable that names no server is told of, and does nothing; an option that does is a UsageError.
    """
    asked = request.tracking_uri
    if asked is not None:
        if not request.tracking:
            raise UsageError(
                "`--tracking-uri` and `--no-tracking` exclude each other", hint="give one of them"
            )
        if not is_server(asked):
            raise UsageError(
                f"`--tracking-uri` takes the address of a server, and `{_shown(asked)}` is none",
                hint=f"give one such as `http://localhost:5000`, or {_OWN_RECORD}",
            )
        return asked
    found = request.environ.get(VARIABLE, "")
    if not found or not request.tracking or _is_own_endpoint(request.environ, found):
        return None
    if is_server(found):
        return found
    report(
        Note(
            message=f"`{VARIABLE}` is `{_shown(found)}`, which is no server's address: what the script logs"
            " gets into the run's own record"
        )
    )
    return None


def is_server(uri: str) -> bool:
    """Whether MLflow's client would speak to a server there."""
    try:
        parts = urlsplit(uri)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def is_same_server(uri: str, store: str | None) -> bool:
    """Whether the tracking server is the one that has the store: what is logged is in the record then."""
    return store is not None and _is_same(without_credentials(uri), without_credentials(store))


def outer_run(environ: Mapping[str, str], uri: str) -> str | None:
    """What that server calls the run that we are in, if it has it."""
    outer = environ.get("MLPROJ_TRACKING_RUN_ID")
    return outer if outer and _is_same(environ.get("MLPROJ_TRACKING_URI", ""), uri) else None


def experiment_at(server: Server, request: RunRequest, outer: str | None) -> Experiment:
    """The experiment that the request means there; with an empty id where it is yet to be made.

    A run within another finds that one's in its variables, by an id that means nothing at a server which does
    not have that other run: `outer` is what it calls it.

    The first question to the server: raises StoreError where it is away, and where the experiment cannot be
    used.
    """
    if request.run_id is not None:
        found = server.experiment(experiment_id=server.run(request.run_id).experiment_id)
    elif request.experiment_id is not None and (outer is not None or not _is_inherited(request)):
        found = server.experiment(experiment_id=request.experiment_id)
    else:
        found = _named(server, request.experiment or DEFAULT_EXPERIMENT)
    if found.lifecycle is Lifecycle.DELETED:
        raise StoreError(
            f"the experiment `{found.name}` was deleted at the tracking server",
            hint="restore it there, or name another with `--experiment-name`",
        )
    return found


def _is_inherited(request: RunRequest) -> bool:
    return "MLPROJ_RUN_ID" in request.environ and not request.experiment_given


def _named(server: Server, name: str) -> Experiment:
    try:
        return server.experiment(name=name)
    except NotFound:
        return Experiment(experiment_id="", name=name, artifact_location="", created=0, updated=0)


def made(server: Server, experiment: Experiment) -> str:
    """The id of an experiment, which is made if need be; others may make it at the same time."""
    if experiment.experiment_id:
        return experiment.experiment_id
    try:
        return server.create_experiment(experiment.name)
    except MlprojError:
        found = _named(server, experiment.name).experiment_id
        if not found:
            raise
        return found


def _is_own_endpoint(environ: Mapping[str, str], uri: str) -> bool:
    """Whether the address is that of the endpoint of the run that we are in, and no configured server's."""
    inside = "MLPROJ_RUN_ID" in environ and "MLPROJ_TRACKING_RUN_ID" not in environ
    return inside and _is_same(environ.get("MLPROJ_TRACKING_URI", ""), uri)


def _is_same(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")


def _shown(uri: str) -> str:
    return without_credentials(uri)
