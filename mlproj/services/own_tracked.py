"""Finds what the store here tracks: the artifacts of a run, a logged model, a version of a registered one."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import msgspec

from mlproj.errors import DataError, MlprojError, NotFound, StoreError, UsageError
from mlproj.lineage_ports import Contents
from mlproj.model.registry import ModelVersion
from mlproj.registry_ports import Registry
from mlproj.services.artifacts import artifacts, get_artifact
from mlproj.services.collect import ARTIFACTS
from mlproj.spec.model_uri import SCHEME, ModelUri, read_model_uri
from mlproj.store_ports import RunStore
from mlproj.tracking_ports import Tracking

_RUNS = "runs:"
_ID = re.compile(r"[0-9a-f]{32}")
_MOST_STEPS = 100
"""A version may be made of another one, and that of a third."""


class Tracked(msgspec.Struct, frozen=True, kw_only=True):
    """What an address led to: a run and the `paths` among its outputs that may be meant, the likeliest first;
    or, as `elsewhere`, an address that is not the store's. `lying` is where clients were told to put the
    files; `version` is the registered one that it was found by."""

    run_id: str | None = None
    paths: tuple[str, ...] = ()
    lying: Path | None = None
    elsewhere: str | None = None
    version: ModelVersion | None = None
    model_id: str | None = None


def find_tracked(uri: str, tracking: Tracking) -> Tracked:
    """Raises NotFound and DataError for what is not there, UsageError for what cannot be meant."""
    version: ModelVersion | None = None
    for _ in range(_MOST_STEPS):
        if uri.startswith(SCHEME):
            asked = read_model_uri(uri)
            if asked.model_id is not None:
                return msgspec.structs.replace(_logged(asked.model_id, "", tracking), version=version)
            found = version_of(asked, tracking.registry)
            version, uri = version or found, found.source
            continue
        return msgspec.structs.replace(_at(uri, tracking), version=version)
    raise DataError(f"`{uri}` leads from one version of a model to another, and to no files")


def by_id(uri: str, store: RunStore) -> str:
    """The address `runs:/RUN/PATH` with the id of its run, which people name in other ways, too; any other
    one, and one whose run is not in the store, as it is."""
    if uri.startswith(_RUNS):
        named, separator, path = uri.removeprefix(_RUNS).strip("/").partition("/")
        if not _ID.fullmatch(named):
            with contextlib.suppress(StoreError):
                return f"{_RUNS}/{store.find(named).run_id}{separator}{path}"
    return uri


def hint_of_registered(named: str, contents: Contents) -> str | None:
    """How to name a registered model, or a version, for whoever wrote `wine`, `wine/1` or `wine@champion`."""
    with contextlib.suppress(UsageError):
        asked = read_model_uri(f"{SCHEME}/{named}")
        if asked.name and contents.version(asked.name, asked.which) is not None:
            return f"a registered model is `{SCHEME}/{named}`"
    return None


class Located(msgspec.Struct, frozen=True, kw_only=True):
    """Files of a run of the store: below which path its record has them, and the store's artifacts do."""

    run_id: str
    recorded: str
    stored: str


def located(uri: str, tracking: Tracking, root: Path) -> Located | None:
    """Where the files at an address are, if they are those of a run of the store in the folder `root`."""
    try:
        return place_of(find_tracked(uri, tracking), tracking, root)
    except MlprojError:
        return None


def place_of(tracked: Tracked, tracking: Tracking, root: Path) -> Located | None:
    """As `located`, of what an address led to."""
    if tracked.elsewhere is not None:
        match _below(tracked.elsewhere, root):
            case ["runs", run_id, "artifacts", *path]:
                return _of_files("runs", run_id, run_id, path)
            case ["models", model_id, "artifacts", *path]:
                with contextlib.suppress(NotFound):
                    made_by = tracking.models.get(model_id).source_run_id
                    return None if made_by is None else _of_files("models", model_id, made_by, path)
        return None
    if tracked.run_id is None:
        return None
    path = tracked.paths[0].split("/")
    if tracked.model_id is not None:
        return _of_files("models", tracked.model_id, tracked.run_id, path[2:])
    return _of_files("runs", tracked.run_id, tracked.run_id, path[1:])


def _of_files(kind: str, name: str, run_id: str, path: Sequence[str]) -> Located:
    recorded = (ARTIFACTS,) if kind == "runs" else ("models", name)
    return Located(
        run_id=run_id,
        recorded="/".join((*recorded, *path)),
        stored="/".join((kind, name, "artifacts", *path)),
    )


def _below(path: str, root: Path) -> list[str]:
    """The parts of a path below a folder; none where it is not, or there may be a way out of it."""
    place = PurePosixPath(path)
    if ".." in place.parts or not place.is_relative_to(root):
        return []
    return list(place.relative_to(root).parts)


def version_of(asked: ModelUri, registry: Registry) -> ModelVersion:
    """The version that is meant. Raises NotFound."""
    if asked.alias is not None:
        return registry.aliased(asked.name, asked.alias)
    if asked.version is not None:
        return registry.version(asked.name, asked.version)
    found = registry.latest(asked.name, () if asked.stage is None else (asked.stage,))
    if not found:
        told = "no version" if asked.stage is None else f"no version in the stage {asked.stage.value}"
        raise NotFound(f"the registered model `{asked.name}` has {told}")
    return max(found, key=lambda each: each.version)


def brought(tracked: Tracked, store: RunStore, folder: Path, download: Callable[[str, Path], Path]) -> Path:
    """Where the files are: as they lie in the store, else copied into `folder`. Raises DataError, StoreError,
    UsageError."""
    if tracked.elsewhere is not None:
        return download(tracked.elsewhere, folder)
    if tracked.lying is not None and tracked.lying.exists():
        return tracked.lying
    assert tracked.run_id is not None, "what is not elsewhere is a run's"
    run = store.find(tracked.run_id)
    kept = [item.path for item in artifacts(store, run)]
    path = next(
        (path for path in tracked.paths if any(f"{one}/".startswith(f"{path}/") for one in kept)),
        tracked.paths[0],
    )
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / Path(path).name
    get_artifact(store, run, path, target)
    return target


def _at(uri: str, tracking: Tracking) -> Tracked:
    parts = urlsplit(uri)
    if parts.scheme == "runs":
        run_id, _, path = parts.path.strip("/").partition("/")
        if not run_id:
            raise DataError(f"`{uri}` names no run", hint="`runs:/RUN/path/below/its/artifacts`")
        return _of_run(run_id, _inside(uri, path), tracking)
    if parts.scheme == "mlflow-artifacts":
        return _served(uri, unquote(parts.path).strip("/").split("/"), tracking)
    if parts.scheme in ("", "file"):
        return Tracked(elsewhere=unquote(parts.path) if parts.scheme else uri)
    return Tracked(elsewhere=uri)


def _served(uri: str, parts: list[str], tracking: Tracking) -> Tracked:
    """What a server of the store calls so: `<experiment>/[models/]<id>/artifacts/<path>`."""
    match parts:
        case [_, "models", model_id, "artifacts", *path]:
            return _logged(model_id, _inside(uri, "/".join(path)), tracking)
        case [_, run_id, "artifacts", *path]:
            return _of_run(run_id, _inside(uri, "/".join(path)), tracking)
        case _:
            raise DataError(f"`{uri}` is no address of the store here")


def _inside(uri: str, path: str) -> str:
    if ".." in path.split("/"):
        raise DataError(f"`{uri}` leads out of the run's artifacts", hint="name a path below them")
    return path


def _of_run(run_id: str, path: str, tracking: Tracking) -> Tracked:
    """A path below the artifacts of a run; from MLflow 3 on it may be the name of a model that it logged."""
    run = tracking.runs.get(run_id)
    lying = _lying(run.artifact_uri, path)
    if path and (lying is None or not lying.exists()):
        made = [tracking.models.get(output.model_id) for output in run.model_outputs]
        for model in reversed(made):
            first, _, below = path.partition("/")
            if model.name == first:
                return _logged(model.model_id, below, tracking)
    # What is declared to be an output lies beside the artifacts.
    paths = (f"{ARTIFACTS}/{path}", path) if path else (ARTIFACTS,)
    return Tracked(run_id=run_id, paths=paths, lying=lying)


def _logged(model_id: str, path: str, tracking: Tracking) -> Tracked:
    model = tracking.models.get(model_id)
    lying = _lying(model.artifact_uri, path)
    if model.source_run_id is None and lying is None:
        raise UsageError(f"the files of the model `{model_id}` are not in the store here")
    return Tracked(
        run_id=model.source_run_id,
        paths=(f"models/{model_id}/{path}".rstrip("/"),),
        lying=lying,
        model_id=model_id,
    )


def _lying(address: str, path: str) -> Path | None:
    parts = urlsplit(address)
    return Path(unquote(parts.path), path) if parts.scheme in ("", "file") else None
