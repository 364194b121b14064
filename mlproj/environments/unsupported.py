"""Says in one sentence which kinds of environment this version cannot build, and what to do instead."""

from __future__ import annotations

from mlproj.errors import NotSupportedYet
from mlproj.model.environment import CondaSpec, DockerSpec

HINT = "`--env-manager local` runs the project in the current environment"


def not_yet(spec: CondaSpec | DockerSpec) -> NotSupportedYet:
    """The error for a specification that is understood and cannot be built; the caller raises it."""
    kind = "conda environments" if isinstance(spec, CondaSpec) else "Docker environments"
    return NotSupportedYet(f"this version cannot build {kind} yet", hint=HINT)
