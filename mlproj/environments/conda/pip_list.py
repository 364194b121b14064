"""The `pip:` list of a conda environment, locked by uv for its Python and beside what conda brings."""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path

from mlproj.environments.paths import with_moved_paths
from mlproj.environments.question import Question
from mlproj.environments.resolve import resolve
from mlproj.environments.system import installed
from mlproj.environments.uv import Uv
from mlproj.errors import EnvironmentFailed
from mlproj.model.environment import Lock, LockedPackage
from mlproj.model.events import Note, Report

_CONTRADICTION = re.compile(r"No solution found|unsatisfiable|conflict|no versions of", re.IGNORECASE)


def resolve_list(question: Question, prefix: Path, project: Path, uv: Uv, report: Report) -> Lock:
    """The lock of the list, its paths relative to `project`; what conda put into `prefix` already stays out.

    What the list can only have in another version replaces conda's. Raises EnvironmentFailed.
    """
    provided = installed(map(str, prefix.glob("lib/python*/site-packages")))
    try:
        lock = _beside(question, provided, uv, report)
    except EnvironmentFailed as error:
        if not _CONTRADICTION.search(error.output):
            raise
        lock = resolve(question, uv, report)
        versions = {package.name: package.version for package in provided}
        replaced = [p.name for p in lock.packages if versions.get(p.name, p.version) != p.version]
        what = f"the `pip:` list of `{question.where}` replaces what conda brings"
        report(Note(message=f"{what}: {', '.join(replaced)}"))
    text = with_moved_paths(lock.text.decode(), question.project, project)
    return Lock(format=lock.format, packages=lock.packages, text=text.encode())


def _beside(question: Question, provided: tuple[LockedPackage, ...], uv: Uv, report: Report) -> Lock:
    with tempfile.TemporaryDirectory(prefix="mlproj-") as folder:
        constraints = Path(folder, "conda-packages.txt")
        constraints.write_text("".join(f"{package.name}=={package.version}\n" for package in provided))
        own = dict(question.settings.resolving).get("UV_CONSTRAINT", "").split()
        arguments = [word for file in (*own, str(constraints)) for word in ("--constraint", file)]
        arguments += [word for package in provided for word in ("--no-emit-package", package.name)]
        return resolve(replace(question, arguments=tuple(arguments)), uv, report)
