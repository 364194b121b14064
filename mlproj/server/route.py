"""A route as a value: where it is, what is asked there, what is answered, and the function between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from mlproj.server.desk import Desk

Asked = TypeVar("Asked", bound=msgspec.Struct)
Told = TypeVar("Told", bound=msgspec.Struct)

TRACKING = "2.0/mlflow"
"""Most of MLflow's routes are below this."""

TRACES = "3.0/mlflow"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Parts of `path` in braces are fields of the request. Types are erased: one table holds many."""

    method: str
    path: str
    asked: type[msgspec.Struct]
    answer: type[msgspec.Struct]
    act: Callable[[Desk, Any], msgspec.Struct]


class _Method(msgspec.Struct, frozen=True):
    """Makes routes of a method. `below` is what the path is below."""

    name: str

    def __call__(
        self,
        path: str,
        asked: type[Asked],
        answer: type[Told],
        act: Callable[[Desk, Asked], Told],
        below: str = TRACKING,
    ) -> Route:
        return Route(method=self.name, path=f"{below}/{path}", asked=asked, answer=answer, act=act)


get, post, patch, delete = map(_Method, ("GET", "POST", "PATCH", "DELETE"))
