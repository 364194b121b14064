"""Loads the model with whatever its environment has for it: mlflow, else joblib or pickle."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
from typing import Any, NamedTuple

from .exchange import Loaded, Unusable

DESCRIPTION = "MLmodel"


class Facts(NamedTuple):
    """What mlproj knows of the model: the file in it that holds it, the columns that its signature asks for
    (as MLmodel has them), mlproj's own version, and which model it is."""

    file: str = ""
    columns: tuple[dict[str, Any], ...] | None = None
    version: str = ""
    served: dict[str, Any] | None = None


def load(model: str, facts: Facts) -> Loaded:
    """The model in a folder, or file. Raises Unusable."""
    if os.path.isfile(os.path.join(model, DESCRIPTION)) and importlib.util.find_spec("mlflow"):
        return _loaded("with_mlflow", model, facts)
    return _loaded("without_mlflow", os.path.join(model, facts.file) if facts.file else model, facts)


def read_facts(path: str | None) -> Facts:
    if path is None:
        return Facts()
    with open(path, "rb") as file:
        content = json.load(file)
    columns = content.get("columns")
    return Facts(
        content.get("file") or "",
        None if columns is None else tuple(columns),
        content.get("version") or "",
        content.get("served"),
    )


def _loaded(way: str, place: str, facts: Facts) -> Loaded:
    # It imports what may not be here, and what takes seconds.
    module = importlib.import_module(f"{__package__}.{way}")
    try:
        loaded: Loaded = module.load(place, facts)
    except Unusable:
        raise
    except Exception as error:
        raise Unusable(f"the model cannot be loaded: {type(error).__name__}: {error}") from error
    return loaded
