"""Which part serves which port. Parts are named here and imported when they are first needed."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlproj.artifact_ports import Artifacts
from mlproj.errors import ProjectError, StoreError
from mlproj.housekeeping_ports import Copied, Resettled
from mlproj.model.events import Report
from mlproj.model.redaction import without_credentials
from mlproj.model.registry import Case
from mlproj.model.rules import Check
from mlproj.moving_ports import Arrivals, History
from mlproj.ports import EnvironmentCache, Observer
from mlproj.settings import cache_folder, container_watches
from mlproj.store_ports import RunStore
from mlproj.tracking_ports import Server, Tracking

if TYPE_CHECKING:
    from mlproj.remote.registrar import FarRegistrar
    from mlproj.services.bundle_beside import Suppliers
    from mlproj.services.model_images import ImageMakers


def part(name: str) -> Any:
    """The class or function that `package.module:name` names inside mlproj."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(f"mlproj.{module}"), attribute)


def observer(environ: Mapping[str, str]) -> Observer:
    """What looks at data and machine."""
    looking: Observer = part("provenance.observer:Observer")(cache_folder(environ), environ)
    return looking


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
    case: Case,
) -> Sequence[Check]:
    """Whether the rules for what is put into Production hold: asked seldom, so loaded then."""
    act = part("services.promotion:judge")
    found: Sequence[Check] = act(store, tracking, artifacts_of(store), text, case)
    return found


def artifacts_of(store: RunStore) -> Artifacts:
    """The files that clients log to the runs of a store. As `tracking_of`."""
    _refuse_far(store.address, "what scripts log to a store at a server goes there by MLflow's protocol")
    artifacts: Artifacts = part("store.objects.opening:open_artifacts")(store)
    return artifacts


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


def move_contents(store: str | None, destination: str, report: Report, *, wait: bool) -> Resettled:
    """Has the store keep its contents at `destination`, a folder or a URL. Raises StoreError."""
    address = part("store.locating:address")(store, os.environ)
    if address is not None:
        _refuse_far(address, "contents are moved where the server runs")
    act = part("store.resettling:resettle")
    moved: Resettled = act(partial(existing_store, store), destination, report, wait=wait)
    return moved


def _located(store: str | None) -> Path:
    address = part("store.locating:address")(store, os.environ)
    if address is not None:
        _refuse_far(address, "a store at a server is backed up, restored and moved where that runs")
    path: Path = part("store.locating:locate")(store, os.environ, current_folder())
    return path


def _refuse_far(address: str, why: str) -> None:
    if "://" in address:
        raise StoreError(f"this cannot be done to `{without_credentials(address)}`: {why}")


def _clear_containers(environ: Mapping[str, str]) -> None:
    """Removes the containers of runs whose runner was killed, as their runs are closed."""
    folder = container_watches(cache_folder(environ))
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
    if chosen.file is not None:
        placed: RunStore = part("store.opening:open_store_by_file")(
            Path(chosen.file), Path(chosen.folder), create=create, destination=chosen.contents
        )
        return placed
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
