"""Which part serves which port. Parts are named here and imported when they are first needed."""

from __future__ import annotations

import importlib
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlproj.access_ports import Users
from mlproj.errors import ProjectError, RunNotFound, SourceError, StoreError
from mlproj.housekeeping_ports import Copied
from mlproj.model.access import Level
from mlproj.model.environment import (
    Activation,
    CondaSpec,
    DockerSpec,
    EnvironmentSpec,
    Reach,
    SystemSpec,
    VirtualenvSpec,
)
from mlproj.model.events import Report
from mlproj.model.moment import now
from mlproj.model.redaction import outer_secrets, without_credentials
from mlproj.model.registry import ModelVersion
from mlproj.model.rules import Check, Sees
from mlproj.moving_ports import Arrivals, History
from mlproj.ports import Endpoint, Environment, EnvironmentCache, Executor, Observer, Source
from mlproj.services.request import Tools
from mlproj.settings import Limits, cache_folder, limits, user_name
from mlproj.store_ports import RunStore
from mlproj.tracking_ports import Artifacts, Server, Tracking

if TYPE_CHECKING:
    from mlproj.model.lineage import Lineage
    from mlproj.remote.registrar import FarRegistrar
    from mlproj.server.access import Application
    from mlproj.server.auth.entrance import Entrance, OpenEntrance
    from mlproj.server.described import Described
    from mlproj.services.bundle_beside import Suppliers
    from mlproj.services.model_images import ImageMakers


def part(name: str) -> Any:
    """The class or function that `package.module:name` names inside mlproj."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(f"mlproj.{module}"), attribute)


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
            container, run_id, cache / _WATCHES, environ, called=called
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


def observer(environ: Mapping[str, str]) -> Observer:
    """What looks at data and machine."""
    looking: Observer = part("provenance.observer:Observer")(cache_folder(environ), environ)
    return looking


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


def environment_cache(environ: Mapping[str, str]) -> EnvironmentCache:
    """Where built environments of every kind lie."""
    cache: EnvironmentCache = part("environments.catalogue:EnvironmentCatalogue")(cache_folder(environ))
    return cache


def suppliers(environ: Mapping[str, str]) -> Suppliers:
    """Where what goes into a bundle comes from, besides the store."""
    cache = cache_folder(environ)
    # A run, for which this module is loaded too, has no use for it.
    found: Suppliers = part("services.bundle_beside:Suppliers")(
        observer=part("provenance.observer:Observer")(cache, environ),
        download=lambda uri, folder, report: part("sources.download:download")(uri, folder, report),
        packages=lambda job, lock, blobs, folder, report: part("environments.packages:Bringing")(
            environ, blobs, folder, report
        ).packages(job, lock),
        image=lambda image, folder, report: part("environments.docker_saving:save_image")(
            image, folder, environ, report
        ),
    )
    return found


def image_makers(environ: Mapping[str, str]) -> ImageMakers:
    """What makes the image of a model."""
    blobs = part("store.blobs:FolderBlobs")
    # A run, for which this module is loaded too, has no use for it.
    made: ImageMakers = part("services.model_images:ImageMakers")(
        packages=lambda needing, lock, folder, report: part("environments.packages:Bringing")(
            environ, blobs(folder / "none"), folder, report
        ).packages(needing, lock),
        image=lambda context, name, report: part("environments.model_image:build_model_image")(
            context, name, environ, report
        ),
    )
    return made


def pythons(environ: Mapping[str, str]) -> Any:
    """The Pythons that are here for environments, as `services.doctor.Pythons`."""
    own = part("environments.system:SystemEnvironment")(cache_folder(environ), environ).python(Path("/"))
    return part("services.doctor:Pythons")(
        on_path=None if own is None else (own.version, own.executable),
        of_pyenv=tuple(version for version, _ in part("environments.pyenv:versions")(environ)),
    )


def secret_variables(variables: Mapping[str, str]) -> tuple[str, ...]:
    """The names of those whose name or value is that of a secret."""
    by_name, by_value = (part(f"provenance.redaction:looks_secret_{what}") for what in ("name", "value"))
    return tuple(name for name, value in variables.items() if by_name(name) or by_value(value))


def executor_for(activation: Activation, environ: Mapping[str, str], limits: Limits, cache: Path) -> Executor:
    """The place where a command runs that enters its environment so."""
    executor: Executor
    if activation.container is None:
        executor = part("execution.local:LocalExecutor")(log_limit=limits.log)
    else:
        made = part("execution.docker:DockerExecutor")
        watches = cache / _WATCHES
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


def server_at(uri: str, environ: Mapping[str, str]) -> Server:
    """The tracking server at an address. Nobody is asked yet."""
    server: Server = part("remote.server:RemoteServer")(uri, environ)
    return server


def far_address(store: str | None, environ: Mapping[str, str]) -> str | None:
    """The address of the server that has the store which is named, if a server has it."""
    address: str | None = part("store.locating:address")(store, environ)
    return address


def registrar_at(uri: str, environ: Mapping[str, str]) -> FarRegistrar:
    """The model registry of the server at an address. Nobody is asked yet."""
    credentials = part("remote.credentials:read_credentials")(uri, environ)
    found: FarRegistrar = part("remote.registrar:FarRegistrar")(uri, credentials, environ)
    return found


def server_of(uri: str, environ: Mapping[str, str], given: str | None) -> Server:
    """The server of a run that is recorded to be at `uri`: at the address `given`, else at the configured one
    if that is the same but for credentials."""
    configured = environ.get("MLFLOW_TRACKING_URI", "")
    return server_at(given or (configured if without_credentials(configured) == uri else uri), environ)


def tracking_of(store: RunStore) -> Tracking:
    """What a store tracks, for whoever logs to its runs. Raises StoreError for one at a server."""
    _refuse_far(store.address, "what scripts log to a store at a server goes there by MLflow's protocol")
    tracking: Tracking = part("store.tracking.opening:open_tracking")(store, partial(_judge, store))
    return tracking


def _judge(
    store: RunStore,
    tracking: Tracking,
    text: str,
    version: ModelVersion,
    current: ModelVersion | None,
    sees: Sees,
) -> Sequence[Check]:
    """Whether the rules for what is put into Production hold: asked seldom, so loaded then."""
    act = part("services.promotion:judge")
    found: Sequence[Check] = act(store, tracking, text, version, current, sees)
    return found


def artifacts_of(store: RunStore) -> Artifacts:
    """The files that clients log to the runs of a store. As `tracking_of`."""
    _refuse_far(store.address, "what scripts log to a store at a server goes there by MLflow's protocol")
    artifacts: Artifacts = part("store.objects.opening:open_artifacts")(store)
    return artifacts


def users_of(store: RunStore) -> Users:
    """Who may use a server over the store."""
    users: Users = part("store.users:open_users")(store)
    return users


def users_at(store: str | None, *, create: bool = False) -> tuple[Users, Tracking]:
    """Who may use a server over the store, made if need be and `create` says so, and what there is to use.
    Raises StoreError."""
    opened = open_store(os.environ, current_folder(), store, create=create)
    return users_of(opened), tracking_of(opened)


def entrance_for(
    store: RunStore,
    app: Application,
    *,
    default: Level = Level.NONE,
    unexpected: Callable[[Exception], None] = lambda error: None,
) -> Entrance:
    """The door of a server that asks who calls; what nobody said anything of is at the level `default`.

    Once it is called the process is not forked. `unexpected` hears of what could not be written down.
    """
    entrance: Entrance = part("server.auth.entrance:Entrance")(
        users_of(store), app, default=default, unexpected=unexpected
    )
    return entrance


def open_entrance_for(store: RunStore, app: Application) -> OpenEntrance:
    """The door of a server that asks nobody, but for the tokens of runs, which stand in the path."""
    entrance: OpenEntrance = part("server.auth.entrance:OpenEntrance")(users_of(store), app)
    return entrance


def add_pages(app: Described, environ: Mapping[str, str]) -> None:
    """Has a server's application show its pages, too."""

    def lineage(store: RunStore, of: str, depth: int) -> Lineage:
        looking = {"observer": observer(environ), "caller": Path("/")}
        found: Lineage = part("services.lineage:lineage")(store, of, depth=depth, **looking)
        return found

    verbs = part("server.pages.visit:Verbs")(
        lineage=lineage,
        difference=lambda blobs, *runs: part("services.diff:difference_by")(blobs, *runs),
    )
    part("server.pages.adding:add")(app, verbs)


def arrivals_of(store: RunStore) -> Arrivals:
    """What takes history from elsewhere into a store."""
    arrivals: Arrivals = part("store.tracking.arriving:StoredArrivals")(store)
    return arrivals


def history_at(source: str, environ: Mapping[str, str], directory: Path, artifacts: str | None) -> History:
    """What MLflow kept at an address: that of a server, of a database, or of a folder. `artifacts` is where
    the files are that only its server knows the place of. Raises StoreError and UsageError."""
    open_history = part("remote.history.opening:open_history")
    history: History = open_history(source, environ, directory, artifacts=artifacts)
    return history


def current_folder() -> Path:
    """The folder that the command was called in. Raises ProjectError where it was removed since."""
    try:
        return Path.cwd()
    except OSError as error:
        raise ProjectError(
            f"the current folder cannot be used: {error.strerror}", hint="`cd` to a folder that is there"
        ) from error


def existing_store(store: str | None) -> RunStore:
    """The store that is there already, for commands that only look. Raises StoreError."""
    return open_store(os.environ, current_folder(), store, create=False)


def store_here(store: str | None) -> RunStore:
    """The same, made if there is none. Raises StoreError."""
    return open_store(os.environ, current_folder(), store, create=True)


def named_store(store: str) -> RunStore:
    """Another store, by the address of its server or its folder. Raises StoreError."""
    return open_store(os.environ, current_folder(), store, create=False)


def back_up(store: str | None, destination: Path, report: Report) -> Copied:
    """Copies the store to the folder `destination`. Raises StoreError."""
    copied: Copied = part("store.relocating:back_up")(_located(store), destination, report)
    return copied


def restore(store: str | None, backup: Path, report: Report, *, replacing: bool) -> Copied:
    """Makes the store anew from a copy of it. Raises StoreError."""
    act = part("store.relocating:restore")
    copied: Copied = act(backup, _located(store), replacing=replacing, report=report)
    return copied


def move(store: str | None, destination: Path, report: Report, *, wait: bool) -> Copied:
    """Moves the store to the folder `destination`, and leaves word. Raises StoreError."""
    copied: Copied = part("store.relocating:move")(_located(store), destination, wait=wait, report=report)
    return copied


def _located(store: str | None) -> Path:
    address = part("store.locating:address")(store, os.environ)
    if address is not None:
        _refuse_far(address, "a store at a server is backed up, restored and moved where that runs")
    path: Path = part("store.locating:locate")(store, os.environ, current_folder())
    return path


def _refuse_far(address: str, why: str) -> None:
    if "://" in address:
        raise StoreError(f"this cannot be done to `{without_credentials(address)}`: {why}")


_WATCHES = "containers"


def _clear_containers(environ: Mapping[str, str]) -> None:
    """Removes the containers of runs whose runner was killed, as their runs are closed."""
    folder = cache_folder(environ) / _WATCHES
    if folder.is_dir() and (left := part("execution.watches:left")(folder)):
        part("execution.containers:sweep_left")(left, environ)


def open_served(
    backend_uri: str | None,
    destination: str | None,
    environ: Mapping[str, str],
    directory: Path,
    *,
    create: bool = True,
) -> RunStore:
    """The store that a server serves, made if need be and `create` says so: that at `backend_uri`, a folder
    or the URI of a database, else that which commands would use in `directory`. `destination`, a folder or a
    URL, is where its contents are to lie. Raises StoreError."""
    chosen = part("store.served:chosen")(backend_uri, destination, directory)
    if chosen.database is None:
        return open_store(environ, directory, chosen.folder, create=create, destination=chosen.contents)
    opened: RunStore = part("store.opening:open_served_store")(
        chosen.database, Path(chosen.folder), create=create, destination=chosen.contents
    )
    return opened


def open_store(
    environ: Mapping[str, str],
    directory: Path,
    store: str | None,
    *,
    create: bool,
    destination: str | None = None,
) -> RunStore:
    """The store that is named, else the one that is found from `directory` upward, made there if need be and
    `create` says so; with `destination`, a folder or a URL, its contents are to lie there. Raises StoreError;
    of a store at a server nobody is asked yet whether it is there."""
    _clear_containers(environ)
    address = part("store.locating:address")(store, environ)
    if address is not None:
        far: RunStore = part("remote.store.opening:open_far_store")(
            address, environ, cache_folder(environ), part("store.blobs:FolderBlobs")
        )
        return far
    database = part("store.locating:database")(store, environ)
    if database is not None:
        named = (environ.get(name) for name in part("store.locating:DESTINATIONS"))
        destination = destination or next(filter(None, named), None)
        return open_served(database, destination, environ, directory, create=create)
    path = part("store.locating:locate")(store, environ, directory)
    opened: RunStore = part("store.opening:open_store")(path, create=create, destination=destination)
    return opened
