"""Experiments as somebody may see them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mlproj.model.absent import no_experiment_named
from mlproj.model.access import Kind, Level
from mlproj.model.search import Search
from mlproj.model.tracking import Experiment, Lifecycle, Page, Pairs
from mlproj.server.permitted.rights import Rights
from mlproj.tracking_ports import Experiments


class PermittedExperiments:
    """The `Experiments` of one caller. A name that another's has is taken: that much anybody can tell."""

    def __init__(self, inner: Experiments, rights: Rights) -> None:
        self._inner = inner
        self._rights = rights

    def create(self, name: str, *, artifact_location: str | None = None, tags: Pairs = ()) -> Experiment:
        self._rights.make()
        made = self._inner.create(name, artifact_location=artifact_location, tags=tags)
        self._rights.caller.made(Kind.EXPERIMENT, made.experiment_id)
        self._rights.caller.note("experiment", made.experiment_id, changes=True)
        return made

    def get(self, experiment_id: str) -> Experiment:
        self._rights.experiment(Level.READ, experiment_id)
        return self._inner.get(experiment_id)

    def named(self, name: str) -> Experiment:
        found = self._inner.named(name)
        self._rights.experiment(Level.READ, found.experiment_id, no_experiment_named(name))
        return found

    def rename(self, experiment_id: str, name: str) -> None:
        self._rights.experiment(Level.EDIT, experiment_id)
        self._inner.rename(experiment_id, name)

    def set_lifecycle(self, experiment_id: str, lifecycle: Lifecycle) -> None:
        self._rights.experiment(Level.MANAGE, experiment_id)
        self._inner.set_lifecycle(experiment_id, lifecycle)

    def set_tag(self, experiment_id: str, key: str, value: str) -> None:
        self._rights.experiment(Level.EDIT, experiment_id)
        self._inner.set_tag(experiment_id, key, value)

    def delete_tag(self, experiment_id: str, key: str) -> None:
        self._rights.experiment(Level.EDIT, experiment_id)
        self._inner.delete_tag(experiment_id, key)

    def search(
        self,
        search: Search,
        page: Page,
        *,
        lifecycle: Lifecycle | None = Lifecycle.ACTIVE,
        within: Collection[str] | None = None,
    ) -> tuple[Sequence[Experiment], str | None]:
        seen = self._rights.among(Kind.EXPERIMENT, within)
        return self._inner.search(search, page, lifecycle=lifecycle, within=seen)
