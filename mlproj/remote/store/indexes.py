"""What is searched of a run, as it came from a server, in the form in which it is held against the record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlproj.model.digest import Digest

_SETS = ("inputs", "outputs", "datasets", "models")
_TABLES = ("params", "metrics")


def as_index(told: Mapping[str, Any]) -> dict[str, object]:
    """The same with tuples and sets, which no document tells from lists. Raises ValueError for what is no
    digest."""
    index: dict[str, object] = dict(told)
    for name in _SETS:
        index[name] = frozenset(map(tuple, told[name]))
    for name in _TABLES:
        index[name] = {key: tuple(value) for key, value in told[name].items()}
    history = told["history"]
    if isinstance(history, str):
        index["history"] = Digest(history)
    elif history is not None:
        index["history"] = tuple(map(tuple, history))
    return index
