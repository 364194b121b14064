"""`conda.yaml`: channels, packages and the nested `pip:` list become a conda environment's specification."""

from __future__ import annotations

import os
from pathlib import Path

from mlproj.model.environment import CondaSpec
from mlproj.model.project import Finding
from mlproj.spec import fields, requirements, text
from mlproj.spec.documents import Entry, Listing, Node, Scalar, Table, failure, is_null, parse, printed

KEYS = ("name", "channels", "dependencies", "prefix", "variables", "platforms", "category")


def read(directory: Path, file: str, because: str, findings: list[Finding]) -> CondaSpec:
    """The specification in `file`, a path relative to the project folder. Raises SpecError."""
    root = parse(text.read(directory, file), file, findings)
    if root is None or is_null(root):
        return CondaSpec(file=file, because=because)
    if not isinstance(root, Table):
        raise failure(f"`{file}` must be a mapping, not {fields.kind(root)}", root.location)
    findings.extend(fields.unknown_keys(root, KEYS, "a conda environment"))
    packages, pip = _dependencies(root.find("dependencies"))
    requirements.referenced(directory, _from(os.path.dirname(file), pip), file)
    return CondaSpec(
        file=file,
        channels=fields.texts(root, "channels", "channels"),
        dependencies=packages,
        pip=tuple(line for _, line in pip),
        platforms=fields.texts(root, "platforms", "platforms"),
        variables=_variables(root.find("variables")),
        because=because,
    )


def lines_of(directory: Path, file: str) -> tuple[int | None, ...]:
    """The lines that the packages of a `CondaSpec` stand on, in their order. Raises SpecError."""
    root = parse(text.read(directory, file), file, [])
    entry = root.find("dependencies") if isinstance(root, Table) else None
    items = entry.value.items if entry is not None and isinstance(entry.value, Listing) else ()
    return tuple(item.location.line for item in items if isinstance(item, Scalar) and not is_null(item))


_Line = tuple[int | None, str]


def _dependencies(entry: Entry | None) -> tuple[tuple[str, ...], tuple[_Line, ...]]:
    if entry is None or is_null(entry.value):
        return (), ()
    if not isinstance(entry.value, Listing):
        message = f"`dependencies` must be a list, not {fields.kind(entry.value)}"
        raise failure(message, entry.location)
    packages: list[str] = []
    pip: list[_Line] = []
    for item in entry.value.items:
        if isinstance(item, Scalar) and not is_null(item):
            packages.append(item.text)
        else:
            pip += _pip(item)
    return tuple(packages), tuple(pip)


def _pip(item: Node) -> tuple[_Line, ...]:
    if not isinstance(item, Table) or [entry.key for entry in item.entries] != ["pip"]:
        message = f"`dependencies` holds {fields.kind(item)} where a package or a `pip:` list is expected"
        raise failure(message, item.location)
    line = item.location.line
    return tuple(
        (line, inner) for outer in fields.texts(item, "pip", "pip") for _, inner in requirements.lines(outer)
    )


def _from(folder: str, pip: tuple[_Line, ...]) -> tuple[_Line, ...]:
    """The requirement files that the list names, relative to the project's folder instead of the file's."""
    found = ((line, requirements.inclusion(text)) for line, text in pip)
    return tuple(
        (line, f"{inner.option} {os.path.join(folder, inner.file)}")
        for line, inner in found
        if inner is not None and inner.is_plain
    )


def _variables(entry: Entry | None) -> tuple[tuple[str, str], ...]:
    if entry is None or is_null(entry.value):
        return ()
    if not isinstance(entry.value, Table):
        message = f"`variables` must be a mapping of names to texts, not {fields.kind(entry.value)}"
        raise failure(message, entry.location)
    return tuple(_variable(variable) for variable in entry.value.entries)


def _variable(entry: Entry) -> tuple[str, str]:
    if not isinstance(entry.value, Scalar) or is_null(entry.value):
        message = f"the variable `{entry.key}` must be a text, not {fields.kind(entry.value)}"
        raise failure(message, entry.location)
    if not entry.key or "=" in entry.key or "\0" in entry.key + entry.value.text:
        raise failure(f"`{entry.key}` cannot be set: no variable has such a name or value", entry.location)
    return entry.key, printed(entry.value)
