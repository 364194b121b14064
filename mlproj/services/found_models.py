"""A model that a person named, brought to this machine: what it is, and what it came from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from mlproj.errors import DataError, RunNotFound, StoreError
from mlproj.model.digest import Digest
from mlproj.model.events import Note, Report, silent
from mlproj.model.mlmodel import MlModel
from mlproj.model.provenance import InputState
from mlproj.model.registry import ModelVersion
from mlproj.model.run import MODEL_FILE, Run
from mlproj.model.source import Checkout
from mlproj.services.configured import configured_server
from mlproj.services.datasets import ShownDataset, datasets_of
from mlproj.services.kept_files import recorded_digest
from mlproj.services.own_tracked import (
    Located,
    Tracked,
    by_id,
    find_tracked,
    hint_of_registered,
    place_of,
    version_of,
)
from mlproj.services.request import Context, RunRequest, Tools
from mlproj.services.tracked_data import bring, is_plain, is_tracked
from mlproj.spec.mlmodel import read_model
from mlproj.spec.model_uri import SCHEME, ModelUri, read_model_uri
from mlproj.store_ports import RunStore


class FoundModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model in the folder or file `place`. `description` is that of MLflow's, None for a plain file.
    `uri` is how it was named, `address` what leads to the same one tomorrow, too, when a stage or an alias
    may stand for another.

    `run` is the one that made it, as far as the store knows, `datasets` are what its script said that it
    read, and `versions` those that were registered of the model there. `digest` and `size` are those of all
    its content.
    """

    uri: str
    address: str
    place: Path
    description: MlModel | None
    run: Run | None
    datasets: tuple[ShownDataset, ...] = ()
    versions: tuple[ModelVersion, ...]
    digest: Digest
    size: int

    @property
    def folder(self) -> Path:
        return self.place if self.place.is_dir() else self.place.parent

    @property
    def inputs(self) -> tuple[InputState, ...]:
        """The data that its run was given, and what it read beside that."""
        if self.run is None or self.run.job is None:
            return ()
        return (*self.run.job.inputs, *(() if self.run.outcome is None else self.run.outcome.reads))


class ModelSearch(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of whom: `store` is None where there is none."""

    request: RunRequest
    tools: Tools
    store: RunStore | None
    report: Report


@contextlib.contextmanager
def found_model(search: ModelSearch) -> Iterator[FoundModel]:
    """The model that the request's URI names, for the length of the `with`: a path, or an address.

    Raises DataError where there is none, SpecError for a description that cannot be read, StoreError.
    """
    uri = search.request.uri
    with search.tools.workplace() as folder:
        address = _pinned(uri, search)
        tracked, kept = _tracked(address, search)
        place = _brought(address, search, folder)
        description = read_model(place) if (place / MODEL_FILE).is_file() else None
        if description is None and place.is_dir():
            raise DataError(
                f"`{uri}` is a folder without `{MODEL_FILE}`, and no model",
                hint="name the file in it that holds the model",
            )
        seen = search.tools.observer.data(
            uri, place, search.request.caller, declared=True, report=search.report
        ).state
        assert seen.digest is not None, "what was read has a digest"
        run = _run(search.store, tracked, description, seen.digest)
        _warn(address, search, run, kept, seen.digest)
        yield FoundModel(
            uri=uri,
            address=address,
            place=place,
            description=description,
            run=run,
            datasets=() if run is None or search.store is None else datasets_of(run, search.store.blobs),
            versions=_versions(search.store, run, tracked, description),
            digest=seen.digest,
            size=seen.size or 0,
        )


def _pinned(uri: str, search: ModelSearch) -> str:
    """The address with the number of the version, where a stage, an alias or a name stands for one now, or
    with the id of the run."""
    if not uri.startswith(SCHEME):
        return uri if search.store is None else by_id(uri, search.store)
    server = configured_server(search.request, silent)
    if server is not None:
        return search.tools.server(server).pinned(uri)
    asked = read_model_uri(uri)
    if asked.model_id is not None or asked.version is not None or search.store is None:
        return uri
    with contextlib.closing(search.tools.tracking(search.store)) as tracking:
        return str(ModelUri(name=asked.name, version=version_of(asked, tracking.registry).version))


def _tracked(uri: str, search: ModelSearch) -> tuple[Tracked, Located | None]:
    """What the store here knows of an address, and where it keeps the files; nothing where a server, or
    nobody, does."""
    if search.store is None or not is_tracked(uri) or configured_server(search.request, silent) is not None:
        return Tracked(), None
    try:
        with contextlib.closing(search.tools.tracking(search.store)) as tracking:
            found = find_tracked(uri, tracking)
            return found, place_of(found, tracking, search.store.root)
    except StoreError:
        return Tracked(), None


def _warn(uri: str, search: ModelSearch, run: Run | None, place: Located | None, digest: Digest) -> None:
    """Says of a model of the store here that it is not what its run left, where the record of that has it."""
    if search.store is None or run is None or place is None:
        return
    recorded = recorded_digest(place, run, search.store)
    if recorded not in (None, digest):
        told = (
            f"`{uri}` is not what its run `{run.name}` left: the record has {recorded}, and this is {digest}"
        )
        search.report(Note(message=told))


def _brought(uri: str, search: ModelSearch, folder: Path) -> Path:
    if is_tracked(uri):
        caller = search.request.caller
        checkout = Checkout(directory=caller, root=caller, uri=uri)
        context = Context(request=search.request, checkout=checkout, tools=search.tools, report=search.report)
        return bring(context, uri, folder / "model")
    if not is_plain(uri) and not uri.startswith("file:"):
        return search.tools.download(uri, folder / "model", search.report)
    place = search.request.caller / (unquote(urlsplit(uri).path) if uri.startswith("file:") else uri)
    if not place.exists():
        registered = None if search.store is None else hint_of_registered(uri, search.store.contents)
        raise DataError(
            f"there is no model `{uri}`",
            hint=registered or "a path, `runs:/RUN/PATH` or `models:/NAME/VERSION`",
        )
    return place.absolute()


def _run(store: RunStore | None, tracked: Tracked, description: MlModel | None, digest: Digest) -> Run | None:
    """By its address, by what its folder says, or by its content."""
    if store is None:
        return None
    named = tracked.run_id or (None if description is None else description.run_id)
    if named is None:
        named = next((use.run_id for use in store.contents.makers(digest, 1).uses), None)
    if named is None:
        return None
    try:
        return store.find(named)
    except RunNotFound:
        return None


def _versions(
    store: RunStore | None, run: Run | None, tracked: Tracked, description: MlModel | None
) -> tuple[ModelVersion, ...]:
    found: tuple[ModelVersion, ...] = () if tracked.version is None else (tracked.version,)
    model_id = tracked.model_id or (None if description is None else description.model_id)
    if store is not None and model_id is not None:
        found += store.contents.versions(model_id)
    elif store is not None and run is not None and description is not None and description.path is not None:
        ending = f"/{description.path}"
        found += tuple(
            version
            for version in store.models(run.run_id).versions
            if version.source.rstrip("/").endswith(ending)
        )
    return tuple({(version.name, version.version): version for version in found}.values())
