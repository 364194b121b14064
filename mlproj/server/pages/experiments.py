"""The first page: experiments, found by their names."""

from __future__ import annotations

from mlproj.model.search import Comparison, Key, Kind, Operator, Search
from mlproj.model.tracking import Lifecycle
from mlproj.model.tracking import Page as Part
from mlproj.server.pages.visit import Answer, Page, Shown, Visit

NOTE = "mlflow.note.content"
"""The tag in which MLflow keeps what people write about an experiment or a run."""

_AT_ONCE = 100


def show(visit: Visit) -> Answer:
    wanted, state = visit.one("name"), lifecycle(visit)
    where = Search() if not wanted else Search(where=_named(wanted))
    found, token = visit.desk.tracking.experiments.search(
        where, Part(limit=_AT_ONCE, token=visit.one("page") or None), lifecycle=state
    )
    rows = [(each, dict(each.tags).get(NOTE, "")) for each in found]
    values = {"rows": rows, "next": token, "name": wanted, "state": state.value}
    return Shown(template="experiments.html", values=values)


def lifecycle(visit: Visit) -> Lifecycle:
    """Whether what is deleted was asked for."""
    return Lifecycle.DELETED if visit.one("state") == Lifecycle.DELETED.value else Lifecycle.ACTIVE


def _named(wanted: str) -> Comparison:
    key = Key(kind=Kind.ATTRIBUTE, name="name")
    return Comparison(key=key, operator=Operator.ILIKE, values=(f"%{wanted}%",))


PAGES = (Page(path="/", act=show),)
