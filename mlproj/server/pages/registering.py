"""Makes a registered model's version of what a run left, from the run's own page."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from mlproj.errors import NotFound
from mlproj.model.run import ARTIFACTS, MODEL_FILE, MODELS, Run, models_among
from mlproj.model.search import Search
from mlproj.model.tracking import LoggedModel, TrackedRun
from mlproj.model.tracking import Page as Part
from mlproj.server import places
from mlproj.server.pages.files import is_file
from mlproj.server.pages.safety import without_token
from mlproj.server.pages.visit import Answer, GoTo, Page, Visit
from mlproj.server.reading import from_query
from mlproj.server.routes import registry, versions
from mlproj.server.wire.registry import CreateModelVersion, CreateRegisteredModel

_MOST = 50
_MOST_NAMES = 200


class Candidates(msgspec.Struct, frozen=True, kw_only=True):
    """What of a run can be registered, each with what it is called, and the names that there are."""

    sources: tuple[tuple[str, str], ...] = ()
    names: tuple[str, ...] = ()


def candidates(
    visit: Visit,
    run: TrackedRun,
    record: Run | None,
    models: Sequence[tuple[str, LoggedModel]],
    files: Sequence[tuple[str, bool, int]],
) -> Candidates:
    """Models that it logged, folders with a model among its files, and what its project says is one."""
    if not visit.desk.caller.may_make():
        return Candidates()
    found = [(f"models:/{model.model_id}", model.name) for role, model in models if role == "made"]
    folders = [name for name, is_folder, _ in files[:_MOST] if is_folder and _has_model(visit, run, name)]
    outputs = () if record is None or record.outcome is None else record.outcome.outputs
    told = [each.path for each in outputs if each.model]
    told += [path for path in models_among(outputs) if not path.startswith((ARTIFACTS, MODELS))]
    found += [(f"runs:/{run.run_id}/{path}", path) for path in dict.fromkeys((*folders, *told))]
    if not found:
        return Candidates()
    known, _ = visit.desk.tracking.registry.search(Search(), Part(limit=_MOST_NAMES))
    return Candidates(sources=tuple(found[:_MOST]), names=tuple(model.name for model in known))


def register(visit: Visit) -> Answer:
    """A new version, under a name that is made where it is not there yet."""
    form = {name: value for name, value in without_token(visit.form).items() if value}
    asked = from_query(list(form.items()), CreateModelVersion)
    try:
        visit.desk.tracking.registry.get(asked.name)
    except NotFound:
        registry.create(visit.desk, CreateRegisteredModel(name=asked.name))
    made = versions.create(visit.desk, asked).model_version
    return GoTo(path=f"/models/{quote(made.name, safe='')}/versions/{made.version}")


def _has_model(visit: Visit, run: TrackedRun, folder: str) -> bool:
    return is_file(visit, places.Place(kind="runs", name=run.run_id, path=f"{folder}/{MODEL_FILE}"))


PAGES = (Page(path="/change/register", act=register, method="POST"),)
