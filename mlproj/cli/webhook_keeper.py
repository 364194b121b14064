"""The webhooks that a command is about: of the store here, or of a server, asked in the same words."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Protocol, TypeVar

import msgspec

from mlproj import server_wiring, wiring
from mlproj.cli.registrar import answered
from mlproj.cli.registry_questions import searched
from mlproj.errors import NotFound, StoreError, UsageError
from mlproj.model.redaction import STORE_TOKEN
from mlproj.server.access import Grant
from mlproj.server.desk import Desk
from mlproj.server.route import Route
from mlproj.server.routes import experiments, webhooks
from mlproj.server.wire.experiments import GetExperimentByName, OneExperiment
from mlproj.server.wire.webhooks import ListWebhooks, ManyOfOurs, OurWebhook
from mlproj.settings import user_name
from mlproj.store_ports import RunStore

T = TypeVar("T", bound=msgspec.Struct)

HOOKS = "2.0/mlproj/webhooks"
_PAGE = 1000
_ROUTES: dict[tuple[str, str], Route] = {
    (route.method, route.path): route for route in (*webhooks.ROUTES, *experiments.ROUTES)
}


class Keeper(Protocol):
    """Whoever keeps webhooks."""

    def ask(self, method: str, path: str, asked: msgspec.Struct, kind: type[T]) -> T:
        """What a route answers; the path is as the caller of a server has it. Raises MlprojError."""
        ...

    def close(self) -> None: ...


@contextlib.contextmanager
def keeper(store: str | None, *, private: bool = False, create: bool = False) -> Iterator[Keeper]:
    """Of the store that is named, else of the one here; `private` where its webhooks may lead to this
    machine and its network, which of a server's is said where that is started."""
    environ = dict(os.environ)
    uri = wiring.far_address(store, environ)
    kept: Keeper
    if uri is None:
        opened = wiring.store_here(store) if create else wiring.existing_store(store)
        kept = NearKeeper(opened, private=private)
    else:
        if token := environ.get(STORE_TOKEN):
            environ = {**environ, "MLFLOW_TRACKING_TOKEN": token}
        kept = wiring.registrar_at(uri, environ)
    with contextlib.closing(kept):
        yield kept


class NearKeeper:
    """Of a store that this process has open."""

    def __init__(self, store: RunStore, *, private: bool) -> None:
        self._store = store
        self._tracking = wiring.tracking_of(store)
        self._telling = server_wiring.telling_of(store, os.environ, private=private)
        self._desk = Desk(
            tracking=self._tracking,
            artifacts=wiring.artifacts_of(store),
            grant=Grant(),
            link=lambda method, path: path,
            address="",
            store=store,
            webhooks=self._telling.webhooks,
            user=user_name(),
        )

    def ask(self, method: str, path: str, asked: msgspec.Struct, kind: type[T]) -> T:
        webhook_id = getattr(asked, "webhook_id", None)
        described = path if not webhook_id else path.replace(f"/{webhook_id}", "/{webhook_id}")
        return answered(_ROUTES[method, described], self._desk, asked, kind)

    def close(self) -> None:
        self._telling.close()
        self._tracking.close()
        self._store.close()


def all_of(kept: Keeper) -> list[OurWebhook]:
    """The newest first."""
    return searched(
        lambda token: kept.ask("GET", HOOKS, ListWebhooks(max_results=_PAGE, page_token=token), ManyOfOurs),
        lambda answer: answer.webhooks,
    )


def named(kept: Keeper, text: str) -> OurWebhook:
    """The webhook of that id or name, or of the one id that begins so. Raises NotFound, UsageError."""
    known = all_of(kept)
    for fits in (
        [each for each in known if text in (each.webhook_id, each.name)],
        [each for each in known if each.webhook_id.startswith(text)],
    ):
        if len(fits) > 1:
            raise UsageError(
                f"`{text}` may be any of {len(fits)} webhooks", hint="`mlproj webhooks list` shows their ids"
            )
        if fits:
            return fits[0]
    raise NotFound(f"there is no webhook `{text}`", hint="`mlproj webhooks list` lists them")


def experiment_id(kept: Keeper, name: str) -> str:
    """Of the experiment of that name. Raises NotFound."""
    path = "2.0/mlflow/experiments/get-by-name"
    found = kept.ask("GET", path, GetExperimentByName(experiment_name=name), OneExperiment)
    return found.experiment.experiment_id


def refuse_far(store: str | None) -> None:
    """Raises StoreError where it is a server that sends."""
    if wiring.far_address(store, dict(os.environ)) is not None:
        raise StoreError("a server sends what is due itself", hint="name the store that is on this machine")
