"""mlproj runs machine learning projects, and knows afterwards exactly what ran.

    import mlproj

    project = mlproj.load_project("example_projects/elasticnet")
    plan = mlproj.plan("example_projects/elasticnet", entry_point="train", parameters={"alpha": 0.5})
    run = mlproj.run("example_projects/elasticnet", entry_point="train", parameters={"alpha": 0.5})
    mlproj.reproduce(run.run_id).verdict.grade
    store = mlproj.open_store()
    store.find("last") == run

The folders tell the story of a run in order: `spec` reads the author's files, `sources` fetches the code,
`planning` decides, `provenance` observes, `environments` builds, `execution` runs, `store` records.
`services` are the verbs that lead through them, `model` the nouns they pass on, `ports` the seams.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mlproj.version import __version__

if TYPE_CHECKING:
    from mlproj.api import load_project as load_project
    from mlproj.api import open_store as open_store
    from mlproj.api import plan as plan
    from mlproj.api import reproduce as reproduce
    from mlproj.api import run as run

__all__ = ["__version__", "load_project", "open_store", "plan", "reproduce", "run"]


def __getattr__(name: str) -> Any:
    """The functions of `mlproj.api`, imported when they are first asked for: the command line is quick."""
    if name in __all__:
        return getattr(importlib.import_module("mlproj.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
