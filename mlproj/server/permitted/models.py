"""Logged models as somebody may see them: those of the experiments that they may read."""

from __future__ import annotations

import json
from collections.abc import Sequence

from mlproj.model.access import Level
from mlproj.model.search import Search
from mlproj.model.tracking import LoggedModel, Page, Pairs
from mlproj.server.permitted.rights import Rights
from mlproj.tracking_ports import LoggedModels

VERSIONS_TAG = "mlflow.modelVersions"
"""Where a client writes down, of a model that it registers, as what: a JSON list that grows."""


class PermittedModels:
    """The `LoggedModels` of one caller."""

    def __init__(self, inner: LoggedModels, rights: Rights) -> None:
        self._inner = inner
        self._rights = rights

    def create(
        self,
        experiment_id: str,
        *,
        name: str | None,
        model_type: str | None = None,
        source_run_id: str | None = None,
        params: Pairs = (),
        tags: Pairs = (),
    ) -> LoggedModel:
        self._rights.experiment(Level.EDIT, experiment_id)
        if source_run_id is not None:
            # The files of a run's models are kept with the run.
            self._rights.run(Level.EDIT, source_run_id)
        made = self._inner.create(
            experiment_id,
            name=name,
            model_type=model_type,
            source_run_id=source_run_id,
            params=params,
            tags=tags,
        )
        self._rights.caller.note("logged model", made.model_id, changes=True)
        return made

    def get(self, model_id: str) -> LoggedModel:
        self._rights.logged_model(Level.READ, model_id)
        return self._inner.get(model_id)

    def experiment_of(self, model_id: str) -> str:
        self._rights.logged_model(Level.READ, model_id)
        return self._inner.experiment_of(model_id)

    def finalize(self, model_id: str, status: str) -> LoggedModel:
        self._rights.logged_model(Level.EDIT, model_id)
        return self._inner.finalize(model_id, status)

    def delete(self, model_id: str) -> None:
        self._rights.logged_model(Level.MANAGE, model_id)
        self._inner.delete(model_id)

    def log_params(self, model_id: str, params: Pairs) -> None:
        self._rights.logged_model(Level.EDIT, model_id)
        self._inner.log_params(model_id, params)

    def set_tags(self, model_id: str, tags: Pairs) -> LoggedModel:
        """Whoever may read a model may register it, which its tag of versions tells."""
        self._rights.logged_model(Level.READ, model_id)
        if not self._registers(model_id, tags):
            self._rights.logged_model(Level.EDIT, model_id)
        return self._inner.set_tags(model_id, tags)

    def delete_tag(self, model_id: str, key: str) -> None:
        self._rights.logged_model(Level.EDIT, model_id)
        self._inner.delete_tag(model_id, key)

    def search(
        self, experiment_ids: Sequence[str], search: Search, page: Page
    ) -> tuple[Sequence[LoggedModel], str | None]:
        return self._inner.search(self._rights.readable(experiment_ids), search, page)

    def _registers(self, model_id: str, tags: Pairs) -> bool:
        """Whether nothing is changed but that the model is told to be versions more than it was."""
        if [key for key, _ in tags] != [VERSIONS_TAG]:
            return False
        before = _listed(dict(self._inner.get(model_id).tags).get(VERSIONS_TAG, "[]"))
        after = _listed(tags[0][1])
        return before is not None and after is not None and after[: len(before)] == before


def _listed(text: str) -> list[object] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None
