"""`mlproj check`: everything about a project's files that a person should know, found without running it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePath

from packaging.requirements import InvalidRequirement, Requirement

from mlproj.errors import MlprojError, SpecError, did_you_mean, unreachable
from mlproj.model.environment import CondaSpec, DockerSpec, SystemSpec, VirtualenvSpec
from mlproj.model.fitting import is_remote
from mlproj.model.plan import Origin
from mlproj.model.project import EntryPoint, Finding, Location, Parameter, ParameterType, Project
from mlproj.planning.cautions import placeholders_in_programs, unsafe_placeholders
from mlproj.planning.paths import usual_outputs
from mlproj.planning.template import names, placeholders, undeclared
from mlproj.services.locate import locate
from mlproj.spec import read_project

_NAMED = re.compile(r"[A-Za-z0-9]")
_LONGEST_PATH = 4096
_ESCAPED_BLANK = re.compile(r"(?:^|\s)\\[ \t]")


def check(directory: Path) -> tuple[Finding, ...]:
    """What is wrong or odd about the project in `directory`, in the order of its files and lines.

    A file that cannot be read is itself a finding: nothing is raised for what an author wrote.
    """
    try:
        project = read_project(directory)
    except SpecError as error:
        return (_of_error(error, Location(file=error.file or "MLproject", line=error.line)),)
    found = [*project.findings, *_of_project(project), *_of_environment(project)]
    makers = _makers(project)
    for entry in project.entry_points:
        found += _of_entry_point(entry)
        for parameter in entry.parameters:
            found += _missing_path(parameter, directory, entry, makers)
    return tuple(sorted(dict.fromkeys(found), key=_place))


def _place(finding: Finding) -> tuple[str, int]:
    return finding.location.file, finding.location.line or 0


def _of_error(error: MlprojError, location: Location) -> Finding:
    message = error.sentence if isinstance(error, SpecError) else error.message
    return Finding(severity="error", message=message, location=location, hint=error.hint)


def _warning(message: str, location: Location, hint: str | None = None) -> Finding:
    return Finding(severity="warning", message=message, location=location, hint=hint)


def _of_project(project: Project) -> Iterator[Finding]:
    broken = (name for name, _ in project.unreadable)
    if project.file is None:
        message = "there is no MLproject: only scripts can be run, by their names"
        yield _warning(message, Location(file="MLproject"), "`mlproj init` writes one")
    elif project.entry_points and "main" not in (*(entry.name for entry in project.entry_points), *broken):
        known = ", ".join(f"`{entry.name}`" for entry in project.entry_points)
        message = f"there is no entry point `main`: a run has to name one of {known}"
        yield _warning(message, project.entry_points[0].location)


def _of_environment(project: Project) -> Iterator[Finding]:
    """What can be told of the environment without resolving it."""
    specification, place = project.environment, Location(file=project.file or "MLproject")
    match specification:
        case CondaSpec():
            yield from _of_requirements(specification.pip, Location(file=specification.file))
        case VirtualenvSpec():
            file = Location(file=specification.files[0]) if specification.files else place
            yield from _of_requirements(
                (*specification.build_dependencies, *specification.dependencies), file
            )
        case SystemSpec() | DockerSpec():
            return
        case _:
            unreachable(specification)


def _of_requirements(lines: Iterable[str], place: Location) -> Iterator[Finding]:
    for line in lines:
        if _is_no_requirement(line):
            message = f"`{line}` is no requirement that pip or uv can read"
            yield Finding(severity="error", message=message, location=place, hint=_instead_of(line))


def _is_no_requirement(line: str) -> bool:
    """Whether a line is meant as a package's name and versions, and is not written so (PEP 508)."""
    if not _NAMED.match(line) or "://" in line or "/" in line.partition(";")[0]:
        return False
    wanted, *_ = re.split(r"\s(?:#|--)", line, maxsplit=1)
    try:
        Requirement(wanted)
    except InvalidRequirement:
        return True
    return False


def _instead_of(line: str) -> str | None:
    name, equals, version = line.partition("=")
    return f"write `{name}=={version}`" if equals and not version.startswith("=") else None


def _of_entry_point(entry: EntryPoint) -> Iterator[Finding]:
    yield from _undeclared(entry)
    yield from _unused(entry)
    yield from _misplaced(entry)
    yield from _escaped_blank(entry)
    yield from _outside(entry)


def _undeclared(entry: EntryPoint) -> Iterator[Finding]:
    location = entry.command_location or entry.location
    for template in (entry.command, *entry.inputs, *entry.outputs, *entry.metrics):
        for name in undeclared(template, names(entry)):
            hint = did_you_mean(name, names(entry)) or f"declare it, or write `{{{{{name}}}}}` for braces"
            message = (
                f"`{{{name}}}` stands in braces, and entry point `{entry.name}` declares no such parameter"
            )
            yield Finding(severity="error", message=message, location=location, hint=hint)


def _unused(entry: EntryPoint) -> Iterator[Finding]:
    used: set[str] = set()
    for template in (entry.command, *entry.inputs, *entry.outputs, *entry.metrics):
        used |= placeholders(template, names(entry))
    for parameter in entry.parameters:
        if parameter.name not in used:
            message = (
                f"parameter `{parameter.name}` is declared, and entry point `{entry.name}` never uses it"
            )
            yield _warning(message, parameter.location)


def _misplaced(entry: EntryPoint) -> Iterator[Finding]:
    if undeclared(entry.command, names(entry)):
        return
    try:
        yield from unsafe_placeholders(entry)
        yield from placeholders_in_programs(entry)
    except SpecError as error:
        yield _of_error(error, entry.command_location or entry.location)


def _escaped_blank(entry: EntryPoint) -> Iterator[Finding]:
    """Backslashes of lines that are one in a folded text, or that end in a blank."""
    if _ESCAPED_BLANK.search(entry.command):
        message = (
            f"a backslash stands before a blank in the command of entry point `{entry.name}`: "
            "it continues no line, and the program gets the blank"
        )
        hint = "leave the backslashes out of a folded text (`>`), and end lines right after them elsewhere"
        yield _warning(message, entry.command_location or entry.location, hint)


def _outside(entry: EntryPoint) -> Iterator[Finding]:
    """Paths of `inputs`, `outputs` and `metrics` that no value could bring into the project."""
    for key, templates in (("inputs", entry.inputs), ("outputs", entry.outputs), ("metrics", entry.metrics)):
        for template in templates:
            filled = re.sub(r"\{[^{}]*\}", "x", template)
            if filled.startswith("/") or ".." in Path(filled).parts:
                message = f"`{template}` in `{key}` must be a path below the project's folder"
                yield Finding(severity="error", message=message, location=entry.location)


def _makers(project: Project) -> dict[str, set[str]]:
    """The paths that entry points write, as far as their defaults tell, with the names of these."""
    makers: dict[str, set[str]] = {}
    for entry in project.entry_points:
        for path in usual_outputs(entry):
            makers.setdefault(path, set()).add(entry.name)
    return makers


def _missing_path(
    parameter: Parameter, directory: Path, entry: EntryPoint, makers: Mapping[str, set[str]]
) -> Iterator[Finding]:
    """A default that is no path yet, unless another entry point makes it: a step of a pipeline."""
    default = parameter.default
    if parameter.type is not ParameterType.PATH or not default or is_remote(default):
        return
    if locate(default, Origin.DEFAULT, caller=directory, project=directory) is not None:
        return
    above = (default, *map(str, PurePath(default).parents)) if len(default) <= _LONGEST_PATH else ()
    if not any(makers.get(str(PurePath(path)), set()) - {entry.name} for path in above):
        message = f"the default of `{parameter.name}` is a path, and there is no file or folder `{default}`"
        yield _warning(message, parameter.location)
