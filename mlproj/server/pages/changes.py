"""What a person changes on a page: done by the routes of MLflow's API, with their limits and their rights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from urllib.parse import quote

from mlproj.server.failures import invalid
from mlproj.server.pages.safety import without_token
from mlproj.server.pages.visit import Answer, GoTo, Page, Visit
from mlproj.server.reading import from_query
from mlproj.server.route import Route
from mlproj.server.routes import experiments, promotion, registry, runs, versions

BACK = "back"
"""The field of a form that says where to go on."""

_OPTIONAL = ("why", "rules")

_CHANGED = {
    f"2.0/mlflow/{path}"
    for path in (
        "experiments/create",
        "experiments/update",
        "experiments/delete",
        "experiments/restore",
        "experiments/set-experiment-tag",
        "experiments/delete-experiment-tag",
        "runs/update",
        "runs/delete",
        "runs/restore",
        "runs/set-tag",
        "runs/delete-tag",
        "registered-models/create",
        "registered-models/rename",
        "registered-models/update",
        "registered-models/delete",
        "registered-models/set-tag",
        "registered-models/delete-tag",
        "registered-models/alias",
        "model-versions/create",
        "model-versions/update",
        "model-versions/transition-stage",
        "model-versions/delete",
        "model-versions/set-tag",
        "model-versions/delete-tag",
    )
}
_OURS = {f"{promotion.OURS}/models/rules"}
_ROUTES = (
    *experiments.ROUTES,
    *runs.ROUTES,
    *registry.ROUTES,
    *versions.ROUTES,
    *promotion.ROUTES,
)
_ELSEWHERE: Mapping[str, Callable[[Mapping[str, str]], str]] = {
    # Where something is that has been made just now, or is called otherwise since.
    "registered-models/create": lambda form: f"/models/{quote(form['name'], safe='')}",
    "registered-models/rename": lambda form: f"/models/{quote(form['new_name'], safe='')}",
}


def way_back(form: Sequence[tuple[str, str]], otherwise: str | None = None) -> str | None:
    """The page that a form leads back to; None where that is none of this server."""
    back = dict(form).get(BACK, otherwise)
    # Browsers leave out some characters before they look where an address leads.
    if back is None or not back.startswith("/") or back.startswith(("//", "/\\")) or not back.isprintable():
        return None
    return back


def _act(route: Route, name: str, visit: Visit) -> Answer:
    form = dict(without_token(visit.form))
    form.pop(BACK, None)
    back = way_back(visit.form, "/")
    if back is None:
        raise invalid("a form leads back to a page of this server")
    # An empty field is one that nobody filled in.
    form = {key: value for key, value in form.items() if value or key not in _OPTIONAL}
    route.act(visit.desk, from_query(list(form.items()), route.asked))
    return GoTo(path=_ELSEWHERE[name](form) if name in _ELSEWHERE else back)


def _pages() -> tuple[Page, ...]:
    """A page for each change. What has one path for several methods is told apart by the method's name."""
    pages = []
    for route in _ROUTES:
        if route.path in _CHANGED | _OURS and route.method != "GET":
            name = route.path.removeprefix("2.0/mlflow/").removeprefix("2.0/mlproj/")
            name = f"{name}/{route.method.lower()}" if name.endswith("/alias") else name
            pages.append(Page(path=f"/change/{name}", act=partial(_act, route, name), method="POST"))
    return tuple(pages)


PAGES = _pages()
