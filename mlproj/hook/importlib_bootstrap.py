"""Finds MLflow's modules as Python would, and mends some of them right after they have run.

Python passes over frames of files with `importlib` and `_bootstrap` in their names when it says where a
warning comes from: MLflow's warnings are still of the script's own line, not of this file's.
"""

import contextlib
import sys
from typing import Any, Callable, Mapping

Mend = Callable[[Any], None]


def finder(mends: Mapping[str, Mend]) -> Callable[[Any, str, Any, Any], Any]:
    """What a finder on `sys.meta_path` answers: nothing but for the modules that have a mend."""

    def find(asking: Any, name: str, path: Any, target: Any) -> Any:
        if name not in mends:
            return None
        spec = _found(asking, name, path, target)
        loader = getattr(spec, "loader", None)
        if hasattr(loader, "exec_module"):
            # A loader that takes no attribute leaves its module as it is.
            with contextlib.suppress(AttributeError, TypeError):
                _extend(loader, name, mends[name])
        return spec

    return find


def _found(asking: Any, name: str, path: Any, target: Any) -> Any:
    """What the finders beside ours say."""
    for other in list(sys.meta_path):
        find = None if other is asking else getattr(other, "find_spec", None)
        spec = find(name, path, target) if find is not None else None
        if spec is not None:
            return spec
    return None


def _extend(loader: Any, name: str, mend: Mend) -> None:
    """Has one loader mend the module once, and be itself again."""
    execute = loader.exec_module

    def exec_module(module: Any) -> None:
        if module.__name__ == name:
            with contextlib.suppress(AttributeError):
                del loader.exec_module
        execute(module)
        if module.__name__ == name:
            with contextlib.suppress(Exception):
                mend(module)

    loader.exec_module = exec_module
