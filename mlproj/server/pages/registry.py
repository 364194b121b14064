"""Registered models: their versions with stages and aliases, where each came from, and what can be done."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from mlproj.errors import NotFound, UsageError
from mlproj.model.access import Kind as Thing
from mlproj.model.access import Level
from mlproj.model.registry import Stage
from mlproj.model.search import Comparison, Key, Kind, Operator, Search
from mlproj.model.tracking import LoggedModel
from mlproj.model.tracking import Page as Part
from mlproj.server import limits, places
from mlproj.server.pages.files import is_file, listed
from mlproj.server.pages.meant import names_of_runs
from mlproj.server.pages.model_files import model_card
from mlproj.server.pages.visit import Answer, GoTo, Page, Shown, Visit
from mlproj.spec.filters import read_search
from mlproj.spec.searchable import Subject

_AT_ONCE = 100
_OF_RUN = re.compile(r"(?:runs:/([0-9a-f]{32})|mlflow-artifacts:/+\d+/([0-9a-f]{32})/artifacts)/(.+)")
_MOST_VERSIONS = 500


def show_models(visit: Visit) -> Answer:
    wanted = visit.one("name")
    search = Search(where=_compared("name", Operator.ILIKE, f"%{wanted}%")) if wanted else Search()
    found, token = visit.desk.tracking.registry.search(
        search, Part(limit=_AT_ONCE, token=visit.one("page") or None)
    )
    return Shown(template="models.html", values={"models": found, "next": token, "name": wanted})


def show_model(visit: Visit) -> Answer:
    model = visit.desk.tracking.registry.get(visit.path["name"])
    where = _compared("name", Operator.EQUAL, model.name)
    versions, token = visit.desk.tracking.registry.search_versions(
        Search(where=where), Part(limit=_MOST_VERSIONS)
    )
    ordered = sorted(versions, key=lambda version: -version.version)
    values = {
        "model": model,
        "versions": ordered,
        "more": token is not None,
        "rules": visit.desk.tracking.registry.rules(model.name),
        "changes": tuple(reversed(visit.desk.tracking.registry.history(model.name))),
        **_rights(visit, model.name),
    }
    return Shown(template="model.html", values=values)


def lead_to_version(visit: Visit) -> Answer:
    """By the name that commands have for it: `wine/1`."""
    number = limits.version(visit.path["version"])
    found = visit.desk.tracking.registry.version(visit.path["name"], number)
    return GoTo(path=f"/models/{quote(found.name, safe='')}/versions/{found.version}")


def show_version(visit: Visit) -> Answer:
    number = limits.version(visit.path["version"])
    version = visit.desk.tracking.registry.version(visit.path["name"], number)
    run = None
    if version.run_id is not None:
        try:
            run = visit.run(version.run_id)
        except NotFound:
            run = None
    checks = visit.desk.tracking.registry.checks(version.name, number)
    place = _place(visit, version.source)
    values = {
        "version": version,
        "run": run,
        "files": None if place is None else f"/runs/{place.name}/files/{quote(place.path)}",
        "is_file": place is not None and is_file(visit, place),
        "stages": list(Stage),
        "checks": checks,
        **_rights(visit, version.name),
    }
    return Shown(template="version.html", values=values)


def _place(visit: Visit, source: str) -> places.Place | None:
    """Where the files lie that a version was made of, where they are a run's that is here."""
    found = _OF_RUN.fullmatch(source)
    run = None if found is None else visit.seen(found[1] or found[2])
    if found is None or run is None:
        return None
    return places.Place(kind="runs", name=run.run_id, path=found[3].rstrip("/"))


def show_logged(visit: Visit) -> Answer:
    """A model as MLflow 3 logs it."""
    model = visit.desk.tracking.models.get(visit.path["model_id"])
    versions, _ = visit.desk.tracking.registry.search_versions(
        Search(where=_compared("model_id", Operator.EQUAL, model.model_id)), Part(limit=_AT_ONCE)
    )
    place = places.Place(kind="models", name=model.model_id)
    values = {"model": model, "files": listed(visit, place), "versions": versions}
    return Shown(template="logged_model.html", values={**values, "card": model_card(visit, place.stored)})


def show_all_logged(visit: Visit) -> Answer:
    """The models that were logged to an experiment, the newest first."""
    experiment = visit.desk.tracking.experiments.get(visit.path["experiment_id"])
    models: Sequence[LoggedModel] = ()
    token, fault = None, None
    try:
        search = read_search(Subject.LOGGED_MODELS, visit.one("filter"))
        part = Part(limit=_AT_ONCE, token=visit.one("page") or None)
        models, token = visit.desk.tracking.models.search((experiment.experiment_id,), search, part)
    except UsageError as error:
        fault = error
    runs = names_of_runs(visit, experiment.experiment_id, {model.source_run_id for model in models})
    values = {"experiment": experiment, "models": models, "runs": runs, "next": token, "fault": fault}
    return Shown(template="logged_models.html", values=values, status=400 if fault else 200)


def _compared(name: str, operator: Operator, value: str) -> Comparison:
    return Comparison(key=Key(kind=Kind.ATTRIBUTE, name=name), operator=operator, values=(value,))


def _rights(visit: Visit, name: str) -> dict[str, bool]:
    may = visit.desk.caller.may
    return {
        "may_edit": may(Level.EDIT, Thing.MODEL, name),
        "may_manage": may(Level.MANAGE, Thing.MODEL, name),
    }


PAGES = (
    Page(path="/experiments/{experiment_id}/models", act=show_all_logged),
    Page(path="/models", act=show_models),
    Page(path="/models/{name}", act=show_model),
    Page(path="/models/{name}/versions/{version}", act=show_version),
    Page(path="/models/{name}/{version}", act=lead_to_version),
    Page(path="/logged-models/{model_id}", act=show_logged),
)
