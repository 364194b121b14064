"""The columns of a table of runs: what they are called in addresses, what they hold, how they sort."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from mlproj.model.search import Key, Kind, Order
from mlproj.model.tracking import TrackedRun

OF_THE_MACHINE = "system/"
"""Begins the metrics in which MLflow's client tells of the machine."""

OF_CLIENTS = "mlflow."
"""Begins the tags that clients set for themselves."""

_FEW = 4
_KINDS = {"metrics": Kind.METRIC, "params": Kind.PARAM, "tags": Kind.TAG}
_ATTRIBUTES = {"name": "run_name", "status": "status", "started": "start_time", "user": "user_id"}


class Column(msgspec.Struct, frozen=True):
    """`metrics`, `params` or `tags`, and a key."""

    kind: str
    key: str

    @property
    def name(self) -> str:
        """What it is called in an address."""
        return f"{self.kind}.{self.key}"


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """What a run has of many, by key."""

    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]

    @property
    def own(self) -> Mapping[str, float]:
        """Metrics that are not of the machine."""
        return {key: value for key, value in self.metrics.items() if not key.startswith(OF_THE_MACHINE)}

    def value(self, column: Column) -> str | float | None:
        kinds: Mapping[str, Mapping[str, str | float]] = {
            "metrics": self.metrics,
            "params": self.params,
            "tags": self.tags,
        }
        return kinds[column.kind].get(column.key)


def details(run: TrackedRun) -> Details:
    return Details(
        metrics={point.key: point.value for point in run.metrics},
        params=dict(run.params),
        tags=dict(run.tags),
    )


def column(name: str) -> Column | None:
    """The column of that name; None for what is none."""
    kind, dot, key = name.partition(".")
    return Column(kind, key) if dot and key and kind in _KINDS else None


def order(name: str, *, descending: bool) -> tuple[Order, ...]:
    """How the runs are sorted by a column or by one of what every run has."""
    if name in _ATTRIBUTES:
        key = Key(kind=Kind.ATTRIBUTE, name=_ATTRIBUTES[name])
    elif (found := column(name)) is not None:
        key = Key(kind=_KINDS[found.kind], name=found.key)
    else:
        return ()
    return (Order(key=key, descending=descending),)


def offered(rows: Sequence[Details]) -> tuple[Column, ...]:
    """What these runs can be shown with, what most of them have first."""
    counts = Counter(
        Column(kind, key)
        for row in rows
        for kind, keys in (("params", row.params), ("metrics", row.metrics), ("tags", row.tags))
        for key in keys
        if not (kind == "tags" and key.startswith(OF_CLIENTS))
    )
    return tuple(sorted(counts, key=lambda each: (list(_KINDS).index(each.kind), -counts[each], each.key)))


def usual(columns: Sequence[Column]) -> tuple[Column, ...]:
    """The few that are shown where nobody chose."""
    of = {
        kind: [each for each in columns if each.kind == kind and not each.key.startswith(OF_THE_MACHINE)]
        for kind in ("params", "metrics")
    }
    return (*of["params"][:_FEW], *of["metrics"][:_FEW])
