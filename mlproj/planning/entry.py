"""Which entry point a name means: a declared one, or a script of the project."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable

from mlproj.errors import SpecError, UsageError, did_you_mean
from mlproj.model.project import EntryPoint, Location, Project

_SCRIPTS = (".py", ".sh", ".R")


def find_entry_point(project: Project, name: str, exists: Callable[[str], bool]) -> EntryPoint:
    """The entry point called `name`, else the script of that name (`.py`, `.sh`, `.R`) without parameters.

    `exists` tells whether the project's folder holds a file. Raises SpecError where that entry point cannot
    be read, and UsageError, listing what there is, where nothing has the name.
    """
    declared = project.entry_point(name)
    if declared is not None:
        return declared
    for unreadable, finding in project.unreadable:
        if unreadable == name:
            place = finding.location
            raise SpecError(finding.message, hint=finding.hint, file=place.file, line=place.line)
    command = _script(name)
    if command is None or "\0" in name:
        raise _unknown(project, name)
    if not exists(name):
        raise UsageError(
            f"there is no entry point `{name}`, and no script of that name in the project",
            hint=_listing(project),
        )
    return EntryPoint(name=name, command=command, location=Location(file=name))


def _script(name: str) -> str | None:
    """The template that runs a script, braces of its name doubled."""
    quoted = shlex.quote(name).replace("{", "{{").replace("}", "}}")
    match os.path.splitext(name)[1]:
        case ".py":
            return f"python {quoted}"
        case ".sh":
            return f'"${{{{SHELL:-bash}}}}" {quoted}'
        case ".R":
            inner = name.replace("\\", "\\\\").replace("'", "\\'")
            call = shlex.quote(f"mlflow::mlflow_source('{inner}')").replace("{", "{{").replace("}", "}}")
            return f"Rscript -e {call} --args"
        case _:
            return None


def _unknown(project: Project, name: str) -> UsageError:
    # Nobody mistyped the default.
    near = None if name == "main" else did_you_mean(name, [entry.name for entry in project.entry_points])
    scripts = ", ".join(f"`{suffix}`" for suffix in _SCRIPTS)
    message = f"there is no entry point `{name}`, and it is not the name of a script ({scripts})"
    return UsageError(message, hint=near or _listing(project))


def _listing(project: Project) -> str:
    if project.file is None:
        return "the folder holds no MLproject: `mlproj init` writes one, `-e train.py` runs a script as it is"
    if not project.entry_points:
        return f"`{project.file}` declares no entry points; `mlproj check` says what is wrong with it"
    return "entry points are " + ", ".join(f"`{entry.name}`" for entry in project.entry_points)
