"""Says in one sentence which kinds of environment this version cannot build, and what to do instead."""

from __future__ import annotations

from mlproj.errors import NotSupportedYet
from mlproj.model.environment import CondaSpec

HINT = "`--env-manager local` runs the project in the current environment"


def not_yet(_spec: CondaSpec) -> NotSupportedYet:
    """The error for a specification that is understood and cannot be built; the caller raises it."""
    return NotSupportedYet("this version cannot build conda environments yet", hint=HINT)
