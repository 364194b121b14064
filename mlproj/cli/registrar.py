"""The model registry that a command is about: of the store here, or of a server, asked in the same words.

The routes of MLflow's API answer here too, without a server between: names, limits and refusals are the same
wherever a command is given.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from mlproj import wiring
from mlproj.errors import AlreadyThere, MlprojError, NotFound, StoreError, UsageError
from mlproj.model.redaction import STORE_TOKEN
from mlproj.model.registry import Origin
from mlproj.server import again
from mlproj.server.access import Grant
from mlproj.server.desk import Desk
from mlproj.server.failures import INVALID, MISSING, TAKEN, Failure
from mlproj.server.route import Route
from mlproj.server.routes import promotion, registry, versions
from mlproj.services.artifacts import artifacts
from mlproj.services.configured import VARIABLE, is_server
from mlproj.services.own_tracked import by_id, find_tracked
from mlproj.settings import user_name
from mlproj.store_ports import RunStore

T = TypeVar("T", bound=msgspec.Struct)

REGISTRY_VARIABLE = "MLFLOW_REGISTRY_URI"
_PIECE = 1 << 20
_KINDS: dict[str, type[MlprojError]] = {MISSING: NotFound, TAKEN: AlreadyThere, INVALID: UsageError}
_ROUTES: dict[tuple[str, str], Route] = {
    (route.method, route.path): route for route in (*registry.ROUTES, *versions.ROUTES, *promotion.ROUTES)
}


class Registrar(Protocol):
    """Whoever keeps a registry."""

    def ask(self, method: str, path: str, asked: msgspec.Struct, kind: type[T]) -> T:
        """What a route answers. Raises MlprojError."""
        ...

    def origin(self, uri: str) -> Origin:
        """Where the files are that a `runs:/` names."""
        ...

    def keep(self, folder: Path, name: str) -> Origin:
        """Takes a model that is of no run."""
        ...

    def close(self) -> None: ...


@contextlib.contextmanager
def registrar(store: str | None, *, create: bool = False) -> Iterator[Registrar]:
    """That of the store, else of the server that a variable names, else of the store here."""
    kept = _at_server(store) or _here(store, create)
    with contextlib.closing(kept):
        yield kept


def _at_server(store: str | None) -> Registrar | None:
    environ = dict(os.environ)
    uri = wiring.far_address(store, environ)
    if uri is None and store is None:
        named = (environ.get(name, "") for name in (REGISTRY_VARIABLE, VARIABLE))
        uri = next(filter(is_server, named), None)
    elif uri is not None and (token := environ.get(STORE_TOKEN)):
        environ = {**environ, "MLFLOW_TRACKING_TOKEN": token}
    if uri is None:
        return None
    found: Registrar = wiring.registrar_at(uri, environ)
    return found


def origin_of(kept: Registrar, uri: str, store: str | None) -> Origin:
    """Where the files are that a `runs:/` names, whose run may be named as in every command."""
    if wiring.far_address(store, os.environ) is not None:
        uri = by_id(uri, wiring.existing_store(store))
    return kept.origin(uri)


def _here(store: str | None, create: bool) -> Registrar:
    opened = wiring.store_here(store) if create else wiring.existing_store(store)
    return NearRegistrar(opened)


def answered(route: Route, desk: Desk, asked: msgspec.Struct, kind: type[T]) -> T:
    """What a route answers in this process. Raises MlprojError."""
    act: Callable[[Desk, Any], Any] = route.act
    try:
        answer = again.act(act, desk, asked)
    except Failure as failure:
        raise _KINDS.get(failure.code, StoreError)(failure.message) from failure
    assert isinstance(answer, kind)
    return answer


class NearRegistrar:
    """Of a store that this process has open."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._tracking = wiring.tracking_of(store)
        self._artifacts = wiring.artifacts_of(store)
        self._desk = Desk(
            tracking=self._tracking,
            artifacts=self._artifacts,
            grant=Grant(),
            link=lambda method, path: path,
            address="",
            store=store,
            user=user_name(),
        )

    def ask(self, method: str, path: str, asked: msgspec.Struct, kind: type[T]) -> T:
        return answered(_ROUTES[method, path], self._desk, asked, kind)

    def origin(self, uri: str) -> Origin:
        uri = by_id(uri, self._store)
        tracked = find_tracked(uri, self._tracking)
        if tracked.model_id is not None:
            return Origin(
                source=f"models:/{tracked.model_id}", run_id=tracked.run_id, model_id=tracked.model_id
            )
        if tracked.lying is not None and tracked.lying.exists():
            return Origin(source=tracked.lying.as_uri(), run_id=tracked.run_id)
        assert tracked.run_id is not None, "what a `runs:/` names is a run's"
        run = self._store.find(tracked.run_id)
        left = [item.path for item in artifacts(self._store, run)]
        if not any(f"{one}/".startswith(f"{path}/") for path in tracked.paths for one in left):
            raise NotFound(
                f"the run `{run.name}` left no `{tracked.paths[-1]}`",
                hint="`mlproj artifacts` lists what it left",
            )
        return Origin(source=uri, run_id=tracked.run_id)

    def keep(self, folder: Path, name: str) -> Origin:
        made = self._tracking.models.create("0", name=name)
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            path = f"models/{made.model_id}/artifacts/{file.relative_to(folder).as_posix()}"
            self._artifacts.write(path, _pieces(file))
        self._tracking.models.finalize(made.model_id, "READY")
        return Origin(source=f"models:/{made.model_id}", model_id=made.model_id)

    def close(self) -> None:
        self._tracking.close()
        self._store.close()


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as content:
        while piece := content.read(_PIECE):
            yield piece
