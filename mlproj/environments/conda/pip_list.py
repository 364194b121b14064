"""The `pip:` list of a conda environment, locked by uv for its Python and beside what conda brings."""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path

from mlproj.environments.conda.stand_ins import write_stand_ins
from mlproj.environments.paths import with_moved_paths
from mlproj.environments.question import Question
from mlproj.environments.resolve import resolve
from mlproj.environments.system import installed
from mlproj.environments.uv import Uv
from mlproj.errors import EnvironmentFailed
from mlproj.model.environment import Lock
from mlproj.model.events import Note, Report

_CONTRADICTION = re.compile(r"No solution found|unsatisfiable|conflict|no versions of", re.IGNORECASE)


def resolve_list(question: Question, prefix: Path, project: Path, uv: Uv, report: Report) -> Lock:
    """The lock of the list, its paths relative to `project`; what conda put into `prefix` already stays out.

    What the list can only have in another version replaces conda's. Raises EnvironmentFailed.
    """
    try:
        lock = _beside(question, prefix, uv, report)
    except EnvironmentFailed as error:
        if not _CONTRADICTION.search(error.output):
            raise
        lock = resolve(question, uv, report)
        report(Note(message=_replaced(question, prefix, lock)))
    text = with_moved_paths(lock.text.decode(), question.project, project)
    return Lock(format=lock.format, packages=lock.packages, text=text.encode())


def _beside(question: Question, prefix: Path, uv: Uv, report: Report) -> Lock:
    with tempfile.TemporaryDirectory(prefix="mlproj-") as name:
        folder = Path(name)
        provided = write_stand_ins(prefix, folder)
        (folder / "constraints.txt").write_text("".join(f"{line}\n" for line in provided), encoding="utf-8")
        return resolve(replace(question, arguments=_arguments(question, folder, provided)), uv, report)


def _arguments(question: Question, folder: Path, provided: tuple[str, ...]) -> tuple[str, ...]:
    """uv's options; one on the command line hides what variables say of the same, so that it says both."""
    constraints = dict(question.settings.resolving).get("UV_CONSTRAINT", "").split()
    links = filter(None, dict(question.settings.variables).get("UV_FIND_LINKS", "").split(","))
    return (
        *(
            word
            for file in (*constraints, str(folder / "constraints.txt"))
            for word in ("--constraint", file)
        ),
        *(word for place in (*links, str(folder)) for word in ("--find-links", place)),
        *(word for line in provided for word in ("--no-emit-package", line.partition("==")[0])),
    )


def _replaced(question: Question, prefix: Path, lock: Lock) -> str:
    sites = map(str, prefix.glob("lib/python*/site-packages"))
    versions = {package.name: package.version for package in installed(sites)}
    found = [found for found in lock.packages if versions.get(found.name, found.version) != found.version]
    names = ", ".join(f"{found.name} {versions[found.name]} by {found.version}" for found in found)
    return f"the `pip:` list of `{question.where}` replaces what conda brings: {names}"
