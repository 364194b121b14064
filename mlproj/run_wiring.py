"""Which parts a run goes through: what fetches, builds, executes and listens."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from mlproj.errors import RunNotFound, SourceError
from mlproj.model.environment import (
    Activation,
    CondaSpec,
    DockerSpec,
    EnvironmentSpec,
    Reach,
    SystemSpec,
    VirtualenvSpec,
)
from mlproj.model.moment import now
from mlproj.model.redaction import outer_secrets
from mlproj.ports import Endpoint, Environment, Executor, Source
from mlproj.services.request import Tools
from mlproj.settings import Limits, cache_folder, container_watches, limits, user_name
from mlproj.store_ports import RunStore
from mlproj.wiring import artifacts_of, open_store, part, server_at, tracking_of


def tools(environ: Mapping[str, str], caller: Path, store: str | None = None) -> Tools:
    """The tools of a run for one person on one machine."""
    cache, chosen = cache_folder(environ), limits(environ)
    return Tools(
        sources=lambda uri: source_for(uri, cache),
        observer=part("provenance.observer:Observer")(cache, environ),
        download=lambda uri, folder, report: part("sources.download:download")(uri, folder, report),
        environments=lambda spec: environment_for(spec, environ, cache),
        executor=lambda activation: executor_for(activation, environ, chosen, cache),
        open_store=lambda: open_store(environ, caller, store, create=True),
        far=part("store.locating:address")(store, environ),
        endpoint=partial(endpoint_for, outer_secrets(environ)),
        enclosure=lambda container, run_id, called: part("execution.enclosure:enclosed")(
            container, run_id, container_watches(cache), environ, called=called
        ),
        server=lambda uri: server_at(uri, environ),
        tracking=tracking_of,
        now=now,
        new_id=lambda: uuid.uuid4().hex,
        workplace=lambda: part("sources.tree:temporary_tree")(cache / "checkouts"),
        user=user_name,
        cache=cache,
        limits=chosen,
        tracer=lambda trace: part("provenance.tracing.tracers:tracer_for")(
            trace, cache, chosen.reads, environ
        ),
    )


SOURCES = ("sources.folder:FolderSource", "sources.git:GitSource", "sources.archive:ArchiveSource")
"""Each tells from a URI whether it is its own; the commonest is asked first, so that no other is loaded."""


ENVIRONMENTS: dict[type[EnvironmentSpec], str] = {
    SystemSpec: "environments.system:SystemEnvironment",
    VirtualenvSpec: "environments.virtualenv:VirtualenvEnvironment",
    CondaSpec: "environments.conda.environment:CondaEnvironment",
    DockerSpec: "environments.docker:DockerEnvironment",
}


def source_for(uri: str, cache: Path) -> Source:
    """The source that takes `uri`. Raises SourceError where none does."""
    for name in SOURCES:
        source: Source = part(name)(cache / "checkouts")
        if source.accepts(uri):
            return source
    raise SourceError(f"`{uri}` is neither a folder, nor a git URL, nor a zip file")


def environment_for(spec: EnvironmentSpec, environ: Mapping[str, str], cache: Path) -> Environment:
    """The kind of environment that serves `spec`."""
    environment: Environment = part(ENVIRONMENTS[type(spec)])(cache, environ)
    return environment


def executor_for(activation: Activation, environ: Mapping[str, str], limits: Limits, cache: Path) -> Executor:
    """The place where a command runs that enters its environment so."""
    executor: Executor
    if activation.container is None:
        executor = part("execution.local:LocalExecutor")(log_limit=limits.log)
    else:
        made = part("execution.docker:DockerExecutor")
        watches = container_watches(cache)
        executor = made(activation.container, environ, log_limit=limits.log, watches=watches)
    return executor


def endpoint_for(
    secrets: tuple[str, ...],
    store: RunStore,
    run_id: str,
    movable: bool,
    unexpected: Callable[[Exception], None],
    reach: Reach | None,
) -> Endpoint:
    """Where the script of a run logs to. What serves it is only loaded when the script calls. `secrets` are
    those of the runs that this one is in.

    A script in a container sees no folder of the store: its artifacts come through the endpoint.
    """

    def is_step(other: str) -> bool:
        try:
            return store.index(other)["parent"] == run_id
        except RunNotFound:
            return False

    uri = store.script_uri(run_id)
    if uri is not None and reach is None:
        straight: Endpoint = part("remote.store.straight:StraightEndpoint")(uri)
        return straight
    endpoint: Endpoint = part("server.endpoint:Endpoint")(
        run_id,
        lambda: tracking_of(store),
        lambda: artifacts_of(store),
        relay=store.relay(run_id),
        owns=is_step,
        movable=movable,
        secrets=secrets,
        reach=reach,
        user=user_name(),
        unexpected=unexpected,
    )
    return endpoint
