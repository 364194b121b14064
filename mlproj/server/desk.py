"""What a route's work is done with: the ports, what the caller may do, and how artifacts are addressed."""

from __future__ import annotations

import time
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from mlproj.model.tracking import Experiment, LoggedModel, TrackedRun
from mlproj.server import places
from mlproj.server.access import Grant
from mlproj.tracking_ports import Artifacts, Tracking

Thing = TypeVar("Thing", Experiment, TrackedRun, LoggedModel)


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """One caller's view. With `proxied`, artifacts go through the server, and not through a shared folder."""

    tracking: Tracking
    artifacts: Artifacts
    grant: Grant
    proxied: bool = False

    def addressed(self, thing: Thing) -> Thing:
        """With the address of its artifacts as this server's clients reach them."""
        if not self.proxied:
            return thing
        match thing:
            case Experiment():
                return replace(thing, artifact_location=places.uri(thing.experiment_id))
            case TrackedRun():
                return replace(
                    thing, artifact_uri=places.uri(places.of_run(thing.experiment_id, thing.run_id))
                )
            case LoggedModel():
                root = places.of_model(thing.experiment_id, thing.model_id)
                return replace(thing, artifact_uri=places.uri(root))

    def now(self) -> int:
        return time.time_ns() // 1_000_000
