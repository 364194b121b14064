"""What a route's work is done with: the ports, what the caller may do, and how artifacts are addressed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from mlproj.access_ports import Users
from mlproj.artifact_ports import Artifacts
from mlproj.errors import UsageError
from mlproj.model.registry import By
from mlproj.model.tracking import Experiment, LoggedModel, TrackedRun
from mlproj.server import places
from mlproj.server.access import Grant
from mlproj.server.callers import Anybody, Caller
from mlproj.server.failures import DENIED, Failure
from mlproj.store_ports import RunStore
from mlproj.tracking_ports import Tracking
from mlproj.webhook_ports import Webhooks

Thing = TypeVar("Thing", Experiment, TrackedRun, LoggedModel)

_LONGEST_WHY = 5000


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """One caller's view. With `proxied`, artifacts go through the server, and not through a shared folder.

    `link` tells of a method and a path by which address the caller can make that request, with what lets it
    in, and `address` where it reaches the server without that. `store` holds whole runs, where the server is
    one for those too. `tracking` and `artifacts` show and change no more than the caller may; what is done
    through `store` has to ask `caller` itself. `users` and `webhooks` are those of the server's store. Where
    nobody has to say who they are, `user` is who is taken for it.
    """

    tracking: Tracking
    artifacts: Artifacts
    grant: Grant
    link: Callable[[str, str], str]
    address: str
    proxied: bool = False
    store: RunStore | None = None
    caller: Caller = Anybody()
    users: Users | None = None
    webhooks: Webhooks | None = None
    user: str = ""

    def by(self, why: str | None = None) -> By:
        """Who changes something, and why they say they do."""
        if why is not None and len(why) > _LONGEST_WHY:
            raise UsageError(f"a reason has {_LONGEST_WHY} characters at most")
        return By(who=self.caller.name or self.user, why=why or "")

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

    def write_run(self, run_id: str) -> None:
        """Raises NotFound, or Failure where the run is another's: that can be read."""
        if not self.grant.has("run", run_id):
            self.tracking.runs.get(run_id)
            raise _denied("run", run_id)
        if run_id == self.grant.run_id:
            self.grant.movable = None

    def write_experiment(self, experiment_id: str) -> None:
        """As `write_run`."""
        if not self.grant.has("experiment", experiment_id):
            self.tracking.experiments.get(experiment_id)
            raise _denied("experiment", experiment_id)

    def write_model(self, model_id: str) -> None:
        """As `write_run`; the models of a run are its own, whoever told of them."""
        if not self.grant.has("model", model_id):
            run_id = self.tracking.models.get(model_id).source_run_id
            if run_id is None or not self.grant.has("run", run_id):
                raise _denied("model", model_id)

    def write_trace(self, trace_id: str) -> None:
        """As `write_run`; one that came to be there meanwhile is the caller's own if the caller made it."""
        if not self.grant.has("trace", trace_id):
            self.tracking.traces.get(trace_id)
            if not self.grant.has("trace", trace_id):
                raise _denied("trace", trace_id)

    def writable(self, place: places.Place) -> places.Place:
        """The place of a file or folder that the caller may write. As `write_run`."""
        if not place.path:
            raise UsageError("this is the whole artifact folder", hint="name a file or a folder in it")
        match place.kind:
            case "runs":
                self.write_run(place.name)
            case "models":
                self.write_model(place.name)
            case _:
                self.write_trace(place.name)
        return place

    def now(self) -> int:
        return time.time_ns() // 1_000_000


def _denied(kind: str, name: str) -> Failure:
    return Failure(DENIED, f"the {kind} `{name}` is not of this token's run, and can only be read")
