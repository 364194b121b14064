"""Registered models and their versions as somebody may see them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mlproj.errors import AlreadyThere
from mlproj.model.absent import no_version
from mlproj.model.access import Kind, Level
from mlproj.model.registry import NOBODY, By, ModelVersion, RecordedChange, RegisteredModel, Stage
from mlproj.model.rules import Check, Sees, sees_all
from mlproj.model.search import Search
from mlproj.model.tracking import Page, Pairs
from mlproj.registry_ports import Registry
from mlproj.server.permitted.rights import Rights


class PermittedRegistry:
    """The `Registry` of one caller. A name that another's has is taken: that much anybody can tell."""

    def __init__(self, inner: Registry, rights: Rights) -> None:
        self._inner = inner
        self._rights = rights

    def create(
        self, name: str, *, description: str = "", tags: Pairs = (), by: By = NOBODY
    ) -> RegisteredModel:
        self._rights.make()
        try:
            made = self._inner.create(name, description=description, tags=tags, by=by)
        except AlreadyThere as error:
            raise self._taken(name, error) from error
        self._rights.caller.made(Kind.MODEL, name)
        self._rights.caller.note("model", name, changes=True)
        return made

    def get(self, name: str) -> RegisteredModel:
        self._rights.registered(Level.READ, name)
        return self._inner.get(name)

    def rename(self, name: str, new: str, *, by: By = NOBODY) -> RegisteredModel:
        self._rights.registered(Level.EDIT, name)
        try:
            return self._inner.rename(name, new, by=by)
        except AlreadyThere as error:
            raise self._taken(new, error) from error

    def describe(self, name: str, description: str) -> RegisteredModel:
        self._rights.registered(Level.EDIT, name)
        return self._inner.describe(name, description)

    def delete(self, name: str, *, by: By = NOBODY) -> None:
        self._rights.registered(Level.MANAGE, name)
        self._inner.delete(name, by=by)

    def history(self, name: str) -> Sequence[RecordedChange]:
        self._rights.registered(Level.READ, name)
        return self._inner.history(name)

    def rules(self, name: str) -> str | None:
        self._rights.registered(Level.READ, name)
        return self._inner.rules(name)

    def set_rules(self, name: str, text: str | None, *, by: By = NOBODY) -> None:
        """Whoever may put versions into Production may not say by which rules."""
        self._rights.registered(Level.MANAGE, name)
        self._inner.set_rules(name, text, by=by)

    def search(
        self, search: Search, page: Page, *, within: Collection[str] | None = None
    ) -> tuple[Sequence[RegisteredModel], str | None]:
        return self._inner.search(search, page, within=self._rights.among(Kind.MODEL, within))

    def set_tag(self, name: str, key: str, value: str) -> None:
        self._rights.registered(Level.EDIT, name)
        self._inner.set_tag(name, key, value)

    def delete_tag(self, name: str, key: str) -> None:
        self._rights.registered(Level.EDIT, name)
        self._inner.delete_tag(name, key)

    def set_alias(self, name: str, alias: str, version: int, *, by: By = NOBODY) -> None:
        self._version(Level.EDIT, name, version)
        self._inner.set_alias(name, alias, version, by=by)

    def delete_alias(self, name: str, alias: str, *, by: By = NOBODY) -> None:
        self._rights.registered(Level.EDIT, name)
        self._inner.delete_alias(name, alias, by=by)

    def aliased(self, name: str, alias: str) -> ModelVersion:
        self._rights.registered(Level.READ, name)
        return self._inner.aliased(name, alias)

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
    ) -> ModelVersion:
        """It may name what its maker cannot read, as it may what is elsewhere: nothing is read through it."""
        self._rights.registered(Level.EDIT, name)
        return self._inner.create_version(
            name,
            source=source,
            run_id=run_id,
            run_link=run_link,
            model_id=model_id,
            description=description,
            tags=tags,
            by=by,
        )

    def version(self, name: str, version: int) -> ModelVersion:
        self._version(Level.READ, name, version)
        return self._inner.version(name, version)

    def describe_version(self, name: str, version: int, description: str) -> ModelVersion:
        self._version(Level.EDIT, name, version)
        return self._inner.describe_version(name, version, description)

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
        self._version(Level.EDIT, name, version)
        return self._inner.transition(
            name,
            version,
            stage,
            archive_existing=archive_existing,
            further=further,
            sees=self._rights.sees_run,
            by=by,
        )

    def checks(
        self, name: str, version: int, *, further: str | None = None, sees: Sees = sees_all
    ) -> Sequence[Check]:
        self._version(Level.READ, name, version)
        return self._inner.checks(name, version, further=further, sees=self._rights.sees_run)

    def delete_version(self, name: str, version: int, *, by: By = NOBODY) -> None:
        self._version(Level.MANAGE, name, version)
        self._inner.delete_version(name, version, by=by)

    def set_version_tag(self, name: str, version: int, key: str, value: str) -> None:
        self._version(Level.EDIT, name, version)
        self._inner.set_version_tag(name, version, key, value)

    def delete_version_tag(self, name: str, version: int, key: str) -> None:
        self._version(Level.EDIT, name, version)
        self._inner.delete_version_tag(name, version, key)

    def latest(self, name: str, stages: Sequence[Stage]) -> Sequence[ModelVersion]:
        self._rights.registered(Level.READ, name)
        return self._inner.latest(name, stages)

    def search_versions(
        self, search: Search, page: Page, *, within: Collection[str] | None = None
    ) -> tuple[Sequence[ModelVersion], str | None]:
        return self._inner.search_versions(search, page, within=self._rights.among(Kind.MODEL, within))

    def _version(self, level: Level, name: str, version: int) -> None:
        self._rights.registered(level, name, no_version(name, version))

    def _taken(self, name: str, error: AlreadyThere) -> AlreadyThere:
        """What has the name is told only to whoever may read it."""
        if self._rights.may_read(Kind.MODEL, name):
            return error
        return AlreadyThere(f"Registered Model (name={name}) already exists.")
