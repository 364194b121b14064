"""Where a container finds what a run is about: the project, its data, and the places that it writes to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mlproj.model.environment import Mount
from mlproj.model.plan import Value

CODE = "/mlflow/projects/code"
"""The project's folder, and the command's: as MLflow calls it."""
OUTPUT = "/mlproj/output"
"""What MLPROJ_OUTPUT_DIR names."""
HOME = "/mlproj/home"
"""A home folder for a user that the image does not know."""
HOOK = "/mlproj/hook"
READS = "/mlproj/reads"
"""Where the Pythons in there note what they open."""
_DATA = "/mlproj/inputs"


def places(values: Sequence[Value], project: Path) -> tuple[Mapping[str, str], tuple[Mount, ...]]:
    """What a container calls the files that `path` parameters name, and what it has to be given for that.

    What lies in the project is there already; anything else is seen in a folder of the parameter's own.
    """
    texts: dict[str, str] = {}
    mounts = []
    for value in values:
        if value.located is None:
            continue
        inside = _inside(value.located, project)
        if inside is not None:
            texts[value.name] = os.path.normpath(f"{CODE}/{inside}")
            continue
        target = f"{_DATA}/{value.name}/{value.located.name or 'root'}"
        texts[value.name] = target
        mounts.append(Mount(source=str(value.located), target=target, read_only=True))
    return texts, tuple(mounts)


def mounted(paths: Iterable[Path], project: Path) -> tuple[Mount, ...]:
    """Further inputs outside of the project, which code finds under the path that they have here."""
    outside = (os.path.normpath(path) for path in paths if _inside(path, project) is None)
    return tuple(
        Mount(source=path, target=path, read_only=True)
        for path in dict.fromkeys(outside)
        if os.path.exists(path)
    )


def _inside(path: Path, project: Path) -> str | None:
    """The path in the project's folder, None for one outside of it."""
    relative = os.path.relpath(os.path.normpath(path), project)
    return None if relative == ".." or relative.startswith("../") else relative
