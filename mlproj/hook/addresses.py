"""Keeps a run's record in one place: a script that names another server of its own is recorded as asking so.

A server that nobody started costs MLflow's user minutes of retries, and one that was started does not know
this run. So the address stays, in `set_tracking_uri`, in the environment and in `MlflowClient(tracking_uri)`
alike: scripts name the same server in all three. With `--script-tracking` the script is obeyed.
"""

import functools
import os
from pathlib import Path
from typing import Any, Optional

from .endpoint import Endpoint
from .run import Run

VARIABLE = "MLFLOW_TRACKING_URI"


def settle(run: Run) -> Optional[str]:
    """Looks at the address in the environment, and returns one that the script put there."""
    asked = os.environ.get(VARIABLE)
    if asked is not None and not run.is_foreign(asked):
        return None
    if run.obeys_script:
        run.leave()
    else:
        os.environ[VARIABLE] = run.tracking_uri
    return asked


def mend_tracking(module: Any, run: Run, endpoint: Endpoint) -> None:
    """Mends `mlflow.tracking._tracking_service.utils`, which everything else takes these functions from."""
    set_uri, get_uri = module.set_tracking_uri, module.get_tracking_uri

    @functools.wraps(set_uri)
    def set_tracking_uri(uri: Any, *rest: Any, **named: Any) -> Any:
        asked = _text(uri)
        if asked is not None and not run.is_foreign(asked):
            return set_uri(uri, *rest, **named)
        if run.obeys_script:
            _depart(asked)
            return set_uri(uri, *rest, **named)
        if asked is not None:
            _displace(endpoint, asked)
        return None

    @functools.wraps(get_uri)
    def get_tracking_uri(*rest: Any, **named: Any) -> Any:
        current = get_uri(*rest, **named)
        if not run.is_foreign(str(current)):
            return current
        if run.obeys_script:
            _depart(None)
            return current
        # The script has changed its environment after the import.
        os.environ[VARIABLE] = run.tracking_uri
        _displace(endpoint, str(current))
        return run.tracking_uri

    def _depart(asked: Optional[str]) -> None:
        run.leave()
        if asked is not None:
            endpoint.note_address(asked)

    module.set_tracking_uri, module.get_tracking_uri = set_tracking_uri, get_tracking_uri


def mend_client(module: Any, run: Run, endpoint: Endpoint) -> None:
    """Mends `mlflow.tracking.client`."""
    initialize = module.MlflowClient.__init__

    @functools.wraps(initialize)
    def __init__(
        self: Any, tracking_uri: Any = None, registry_uri: Any = None, *rest: Any, **named: Any
    ) -> None:
        asked = _text(tracking_uri)
        if asked and run.is_foreign(asked) and not run.obeys_script:
            registry_uri = None if _text(registry_uri) == asked else registry_uri
            tracking_uri = run.tracking_uri
            _displace(endpoint, asked)
        initialize(self, tracking_uri, registry_uri, *rest, **named)

    module.MlflowClient.__init__ = __init__


def mend_registry(module: Any, endpoint: Endpoint) -> None:
    """Mends `mlflow.tracking._model_registry.utils`: a registry elsewhere is the script's own affair, unless
    it is at the address that it could not have for tracking."""
    set_uri = module.set_registry_uri

    @functools.wraps(set_uri)
    def set_registry_uri(uri: Any, *rest: Any, **named: Any) -> Any:
        return None if _text(uri) in endpoint.displaced else set_uri(uri, *rest, **named)

    module.set_registry_uri = set_registry_uri


def _displace(endpoint: Endpoint, asked: str) -> None:
    endpoint.displaced.add(asked)
    endpoint.note_address(asked)


def _text(uri: Any) -> Optional[str]:
    if uri is None:
        return None
    return uri.absolute().as_uri() if isinstance(uri, Path) else str(uri)
