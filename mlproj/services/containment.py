"""What a run in a container is given: variables, and the folders of ours that it sees."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from mlproj.model.environment import Container, Mount
from mlproj.planning.containers import HOME, HOOK, OUTPUT
from mlproj.process import patched
from mlproj.services import hook
from mlproj.services.request import RunRequest
from mlproj.services.tracking import Office, tracking_variables

_NOT_THERE = ("MLPROJ_EXECUTABLE", "MLPROJ_ENV_MANAGER")
"""What leads a script to mlproj itself, which no container holds."""
_CREDENTIALS = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
"""What a client shows to a server that a person configured."""
_ROOT = "0:0"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def contained_variables(
    container: Container, run_id: str, planned: Mapping[str, str], office: Office | None, request: RunRequest
) -> dict[str, str]:
    """The variables of a run in a container: nothing of the caller's but what the project asks for.

    The user there is one that the image does not know: programs find its name and a home in variables.
    """
    user = request.environ.get("LOGNAME") or request.environ.get("USER") or "mlproj"
    known = container.user == _ROOT or any(name == "user" for name, _ in container.arguments)
    patch: dict[str, str | None] = {
        **planned,
        **({} if known else {"HOME": HOME, "USER": user, "LOGNAME": user}),
        **dict(container.variables),
        "MLPROJ_RUN_ID": run_id,
        "MLPROJ_OUTPUT_DIR": OUTPUT,
    }
    if office is not None:
        if not office.ours:
            patch |= {name: request.environ.get(name) for name in _CREDENTIALS}
        inner = patched({}, patch)
        patch |= tracking_variables(run_id, office, request, inner)
        patch |= dict.fromkeys(_NOT_THERE)
        patch["PYTHONPATH"] = _inside(patch.get("PYTHONPATH"))
        if container.reach is not None:
            for name in ("NO_PROXY", "no_proxy"):
                patch[name] = ",".join(filter(None, (patch.get(name), container.reach.name)))
    return patched({}, patch)


def is_out_of_reach(container: Container, office: Office | None) -> bool:
    """Whether the script would look for the server in its own container, where nobody listens."""
    if office is None or office.ours or container.reach is None:
        return False
    return urlsplit(office.uri).hostname in _LOOPBACK and container.reach.name not in _LOOPBACK


def own_mounts(artifacts: Path, home: Path) -> tuple[Mount, ...]:
    """The folders of ours that it sees: for outputs, for a home, and the start-up hook."""
    return (
        Mount(source=str(artifacts), target=OUTPUT),
        Mount(source=str(home), target=HOME),
        Mount(source=str(hook.FOLDER.parent), target=HOOK, read_only=True),
    )


def _inside(path: str | None) -> str | None:
    """A PYTHONPATH with our hook as the container sees it."""
    if path is None:
        return None
    entries = path.split(os.pathsep)
    return os.pathsep.join(f"{HOOK}/start" if entry == str(hook.FOLDER) else entry for entry in entries)
