"""Where artifacts are: MLflow's addresses (`<experiment>/<run>/artifacts/…`) and the folders of a store."""

from __future__ import annotations

import re

import msgspec

from mlproj.server.failures import invalid

SCHEME = "mlflow-artifacts"
_PLACE = re.compile(
    r"(?P<experiment>\d+)/(?:(?P<kind>models|traces)/)?(?P<name>[a-zA-Z0-9][\w\-]*)/artifacts(?:/(?P<path>.*))?",
    re.ASCII | re.DOTALL,
)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The artifacts of one thing: `kind` is `runs`, `models` or `traces`, `path` is below its folder."""

    kind: str
    name: str
    path: str = ""

    @property
    def stored(self) -> str:
        """The path in the store."""
        return "/".join(filter(None, (self.kind, self.name, "artifacts", self.path)))


def uri(path: str) -> str:
    return f"{SCHEME}:/{path}"


def of_run(experiment_id: str, run_id: str) -> str:
    return f"{experiment_id}/{run_id}/artifacts"


def of_model(experiment_id: str, model_id: str) -> str:
    return f"{experiment_id}/models/{model_id}/artifacts"


def of_trace(experiment_id: str, trace_id: str) -> str:
    return f"{experiment_id}/traces/{trace_id}/artifacts"


def place(path: str) -> Place:
    """What a client's path means. Raises Failure for one that is below no run, model or trace."""
    found = _PLACE.fullmatch(path)
    if found is None:
        raise invalid("Invalid path")
    return Place(kind=found["kind"] or "runs", name=found["name"], path=(found["path"] or "").rstrip("/"))
