"""Gives a run's script somewhere to log to: variables by which MLflow's client finds server and run."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

import msgspec

from mlproj.model.redaction import OUTER_SECRETS, outer_secrets
from mlproj.model.tracking import BEGUN_IN
from mlproj.services.hook import Wishes, hook_variables
from mlproj.services.request import RunRequest

_LAUNCH = (
    "import sys; sys.path[:] = filter(None, sys.path); from mlproj.__main__ import main; sys.exit(main())"
)
EXECUTABLE = (sys.executable, "-c", _LAUNCH)
"""How the steps of a pipeline call us: by our own Python, for the `mlproj` on the script's PATH may be
another, and without the modules in the script's folder, which would come before those that we import."""

_SHORT = 3
"""Characters of a value that is no secret worth hiding."""
_OWN_ADDRESS = ("127.0.0.1", "localhost")
_NO_LINKS = "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"
"""Where the client says that a run can be looked at, nobody answers any more once the run has ended."""
_DISPLACING = ("MLFLOW_REGISTRY_URI", "MLFLOW_EXPERIMENT_NAME")
"""What would lead a client to another registry, or to an experiment beside the one that is said by its id."""

_CONTEXT = "MLFLOW_RUN_CONTEXT"
"""Tags, as JSON, that the client gives to every run that it begins."""


class Office(msgspec.Struct, frozen=True, kw_only=True):
    """A server that a run's script logs to, and what the run and its experiment are called there.

    `ours` says that it is the run's own endpoint; `secret` is what of the address nobody is shown.
    """

    uri: str
    run_id: str
    experiment_id: str
    ours: bool
    secret: str | None


def tracking_variables(
    run_id: str, office: Office, request: RunRequest, environ: Mapping[str, str]
) -> dict[str, str | None]:
    """The changes to `environ` for the script of a run; None takes a variable away."""
    wishes = Wishes(
        experiment_given=request.experiment_given,
        environment_manager=request.environment_manager,
        script_tracking=request.script_tracking,
        hook=request.hook,
    )
    variables = hook_variables(
        run_id=run_id,
        tracking_uri=office.uri,
        tracking_run_id=None if office.ours else office.run_id,
        executable=EXECUTABLE,
        wishes=wishes,
        environ=environ,
    )
    own = {name: _without_proxy(environ, name) for name in ("NO_PROXY", "no_proxy")} | {_NO_LINKS: "true"}
    return {
        **variables,
        **dict.fromkeys(_DISPLACING if office.ours else _DISPLACING[-1:]),
        "MLFLOW_TRACKING_URI": office.uri,
        "MLFLOW_RUN_ID": office.run_id,
        "MLFLOW_EXPERIMENT_ID": office.experiment_id,
        _CONTEXT: _context(environ.get(_CONTEXT), office),
        OUTER_SECRETS: json.dumps(secrets_of(office, environ)),
        **(own if office.ours else {}),
    }


def secrets_of(
    office: Office | None, environ: Mapping[str, str], named: Sequence[str] = ()
) -> tuple[str, ...]:
    """What nobody is shown: of addresses, the run's own and those of the runs that it is in; and the values
    of the variables that are `named`, save short ones, which would be taken out of innocent text, too."""
    own = () if office is None or office.secret is None else (office.secret,)
    values = (environ.get(name, "") for name in named)
    return (*own, *outer_secrets(environ), *(text for text in values if len(text) > _SHORT))


def _context(inherited: str | None, office: Office) -> str | None:
    """At a server that somebody keeps, runs have to say whose script began them: it could not tell."""
    try:
        tags = json.loads(inherited or "{}")
    except ValueError:
        return inherited
    if not isinstance(tags, dict):
        return inherited
    tags.pop(BEGUN_IN, None)
    if not office.ours:
        tags[BEGUN_IN] = office.run_id
    return json.dumps(tags) if tags else None


def _without_proxy(environ: Mapping[str, str], name: str) -> str:
    """A client behind a proxy would look for its own machine there. Some read only one of the two names."""
    entries = (environ.get(name) or environ.get(name.swapcase(), "")).split(",")
    return ",".join(dict.fromkeys(entry.strip() for entry in (*entries, *_OWN_ADDRESS) if entry.strip()))
