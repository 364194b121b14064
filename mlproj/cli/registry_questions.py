"""What commands ask of a registry: which version is meant, all pages of a search, a version moved."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from mlproj.cli.registrar import Registrar
from mlproj.errors import AlreadyThere, NotFound, UsageError
from mlproj.model.registry import Origin, RecordedChange, Stage
from mlproj.server.wire.promotion import History
from mlproj.server.wire.registry import (
    CreateModelVersion,
    CreateRegisteredModel,
    GetLatestVersions,
    NamedAlias,
    NamedModel,
    NamedVersion,
    OneRegisteredModel,
    OneVersion,
    SearchModelVersions,
    ToldVersion,
    TransitionModelVersionStage,
    Versions,
)
from mlproj.server.wire.values import Pair
from mlproj.spec.model_uri import SCHEME, read_model_uri

OURS = "2.0/mlproj/models"
BELOW = "2.0/mlflow"
_MOST_PAGES = 10_000

Told = TypeVar("Told", bound=msgspec.Struct)
Found = TypeVar("Found")


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A registered model, or a version of it by number, alias or stage."""

    name: str
    version: int | None = None
    alias: str | None = None
    stage: Stage | None = None

    @property
    def is_model(self) -> bool:
        return (self.version, self.alias, self.stage) == (None, None, None)


def read_reference(text: str) -> Reference:
    """Raises UsageError for what names no model."""
    bare = text.removeprefix(SCHEME).strip("/")
    if not bare:
        raise UsageError("a registered model has a name")
    if "/" not in bare and "@" not in bare:
        return Reference(name=bare)
    asked = read_model_uri(f"{SCHEME}/{bare}")
    alias = asked.alias or ("latest" if asked.version is None and asked.stage is None else None)
    return Reference(name=asked.name, version=asked.version, alias=alias, stage=asked.stage)


def version_of(kept: Registrar, reference: Reference) -> ToldVersion:
    """The version that is meant, of a model alone its newest. Raises NotFound."""
    name = reference.name
    if reference.version is not None:
        number = NamedVersion(name=name, version=str(reference.version))
        return kept.ask("GET", f"{BELOW}/model-versions/get", number, OneVersion).model_version
    if reference.alias is not None and reference.alias.lower() != "latest":
        alias = NamedAlias(name=name, alias=reference.alias)
        return kept.ask("GET", f"{BELOW}/registered-models/alias", alias, OneVersion).model_version
    stages = () if reference.stage is None else (reference.stage.value,)
    asked = GetLatestVersions(name=name, stages=stages)
    found = kept.ask("POST", f"{BELOW}/registered-models/get-latest-versions", asked, Versions)
    if not found.model_versions:
        told = "" if reference.stage is None else f" in the stage {reference.stage.value}"
        raise NotFound(f"the registered model `{name}` has no version{told}")
    return max(found.model_versions, key=lambda each: int(each.version))


def register(
    kept: Registrar,
    name: str,
    origin: Origin,
    description: str,
    tags: Sequence[tuple[str, str]],
    why: str,
) -> ToldVersion:
    """The next version of a registered model, which is made if need be."""
    with contextlib.suppress(AlreadyThere):
        made = CreateRegisteredModel(name=name, why=why or None)
        kept.ask("POST", f"{BELOW}/registered-models/create", made, OneRegisteredModel)
    asked = CreateModelVersion(
        name=name,
        source=origin.source,
        run_id=origin.run_id,
        model_id=origin.model_id,
        description=description,
        tags=tuple(Pair(key=key, value=value) for key, value in tags),
        why=why or None,
    )
    return kept.ask("POST", f"{BELOW}/model-versions/create", asked, OneVersion).model_version


def move(
    kept: Registrar, version: ToldVersion, stage: Stage, why: str, *, archive_existing: bool = False
) -> ToldVersion:
    asked = TransitionModelVersionStage(
        name=version.name,
        version=version.version,
        stage=stage.value,
        archive_existing_versions=archive_existing,
        why=why or None,
    )
    return kept.ask("POST", f"{BELOW}/model-versions/transition-stage", asked, OneVersion).model_version


def versions_of(kept: Registrar, asked: SearchModelVersions) -> list[ToldVersion]:
    asked = msgspec.structs.replace(asked, max_results=1000)
    return searched(
        lambda token: kept.ask(
            "GET",
            f"{BELOW}/model-versions/search",
            msgspec.structs.replace(asked, page_token=token),
            Versions,
        ),
        lambda answer: answer.model_versions,
    )


def history(kept: Registrar, name: str) -> Sequence[RecordedChange]:
    return kept.ask("GET", f"{OURS}/history", NamedModel(name=name), History).changes


def searched(page: Callable[[str | None], Told], found: Callable[[Told], Sequence[Found]]) -> list[Found]:
    """Everything on all the pages of a search."""
    everything: list[Found] = []
    token: str | None = None
    for _ in range(_MOST_PAGES):
        answer = page(token)
        everything += found(answer)
        token = getattr(answer, "next_page_token", None)
        if not token:
            break
    return everything
