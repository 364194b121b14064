"""The seam of registered models and their versions, with the errors and searches of `tracking_ports`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from mlproj.model.registry import NOBODY, By, ModelVersion, RecordedChange, RegisteredModel, Stage
from mlproj.model.rules import Check, Sees, sees_all
from mlproj.model.search import Search
from mlproj.model.tracking import Page, Pairs


class Registry(Protocol):
    """Registered models and their versions. What changes which there are, where they stand and what they are
    called is a link of the chain, with who did it and why."""

    def create(
        self, name: str, *, description: str = "", tags: Pairs = (), by: By = NOBODY
    ) -> RegisteredModel: ...

    def get(self, name: str) -> RegisteredModel: ...

    def rename(self, name: str, new: str, *, by: By = NOBODY) -> RegisteredModel: ...

    def describe(self, name: str, description: str) -> RegisteredModel: ...

    def delete(self, name: str, *, by: By = NOBODY) -> None: ...

    def history(self, name: str) -> Sequence[RecordedChange]:
        """What was done to the model that has that name, or had it last, the oldest first."""
        ...

    def rules(self, name: str) -> str | None:
        """The text of the rules that have to hold of what is put into Production, if there are any."""
        ...

    def set_rules(self, name: str, text: str | None, *, by: By = NOBODY) -> None: ...

    def search(
        self, search: Search, page: Page, *, within: Collection[str] | None = None
    ) -> tuple[Sequence[RegisteredModel], str | None]: ...

    def set_tag(self, name: str, key: str, value: str) -> None: ...

    def delete_tag(self, name: str, key: str) -> None: ...

    def set_alias(self, name: str, alias: str, version: int, *, by: By = NOBODY) -> None: ...

    def delete_alias(self, name: str, alias: str, *, by: By = NOBODY) -> None: ...

    def aliased(self, name: str, alias: str) -> ModelVersion: ...

    def create_version(
        self,
        name: str,
        *,
        source: str,
        run_id: str | None = None,
        run_link: str | None = None,
        model_id: str | None = None,
        description: str = "",
        tags: Pairs = (),
        by: By = NOBODY,
    ) -> ModelVersion: ...

    def version(self, name: str, version: int) -> ModelVersion: ...

    def describe_version(self, name: str, version: int, description: str) -> ModelVersion: ...

    def transition(
        self,
        name: str,
        version: int,
        stage: Stage,
        *,
        archive_existing: bool,
        further: str | None = None,
        sees: Sees = sees_all,
        by: By = NOBODY,
    ) -> ModelVersion:
        """Into Production the rules that are kept with the model have to let it, and the `further` ones, as
        far as somebody can tell who `sees` some runs. Raises NotPromoted where they do not; how each fared is
        on the record either way."""
        ...

    def checks(
        self, name: str, version: int, *, further: str | None = None, sees: Sees = sees_all
    ) -> Sequence[Check]:
        """How each of these rules fares now."""
        ...

    def delete_version(self, name: str, version: int, *, by: By = NOBODY) -> None: ...

    def set_version_tag(self, name: str, version: int, key: str, value: str) -> None: ...

    def delete_version_tag(self, name: str, version: int, key: str) -> None: ...

    def latest(self, name: str, stages: Sequence[Stage]) -> Sequence[ModelVersion]:
        """The newest version of each of these stages, of all where none is named."""
        ...

    def search_versions(
        self, search: Search, page: Page, *, within: Collection[str] | None = None
    ) -> tuple[Sequence[ModelVersion], str | None]: ...
