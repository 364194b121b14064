"""Makes of the ports of a store those that one caller has."""

from __future__ import annotations

from mlproj.artifact_ports import Artifacts
from mlproj.server.auth.known import KnownCaller
from mlproj.server.permitted.artifacts import PermittedArtifacts
from mlproj.server.permitted.experiments import PermittedExperiments
from mlproj.server.permitted.models import PermittedModels
from mlproj.server.permitted.registry import PermittedRegistry
from mlproj.server.permitted.rights import Rights
from mlproj.server.permitted.runs import PermittedRuns
from mlproj.server.permitted.traces import PermittedTraces
from mlproj.tracking_ports import Tracking


class PermittedTracking:
    """The `Tracking` that somebody sees."""

    def __init__(self, inner: Tracking, rights: Rights) -> None:
        self.experiments = PermittedExperiments(inner.experiments, rights)
        self.runs = PermittedRuns(inner.runs, rights)
        self.models = PermittedModels(inner.models, rights)
        self.registry = PermittedRegistry(inner.registry, rights)
        self.traces = PermittedTraces(inner.traces, rights)

    def close(self) -> None:
        """Nothing: it is the server that opened what is behind it."""


def permitted(caller: KnownCaller, tracking: Tracking, files: Artifacts) -> tuple[Tracking, Artifacts]:
    """What a caller sees of a store's tracking and of its files."""
    rights = Rights(tracking, caller)
    return PermittedTracking(tracking, rights), PermittedArtifacts(files, rights)
