"""`conda.yaml`: channels, packages and the nested `pip:` list become a conda environment's specification."""

from __future__ import annotations

from pathlib import Path

from mlproj.model.environment import CondaSpec
from mlproj.model.project import Finding
from mlproj.spec import fields, text
from mlproj.spec.documents import Entry, Listing, Node, Scalar, Table, failure, is_null, parse

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
    return CondaSpec(
        file=file,
        channels=fields.texts(root, "channels", "channels"),
        dependencies=packages,
        pip=pip,
        because=because,
    )


def lines_of(directory: Path, file: str) -> tuple[int | None, ...]:
    """The lines that the packages of a `CondaSpec` stand on, in their order. Raises SpecError."""
    root = parse(text.read(directory, file), file, [])
    entry = root.find("dependencies") if isinstance(root, Table) else None
    items = entry.value.items if entry is not None and isinstance(entry.value, Listing) else ()
    return tuple(item.location.line for item in items if isinstance(item, Scalar) and not is_null(item))


def _dependencies(entry: Entry | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if entry is None or is_null(entry.value):
        return (), ()
    if not isinstance(entry.value, Listing):
        message = f"`dependencies` must be a list, not {fields.kind(entry.value)}"
        raise failure(message, entry.location)
    packages: list[str] = []
    pip: list[str] = []
    for item in entry.value.items:
        if isinstance(item, Scalar) and not is_null(item):
            packages.append(item.text)
        else:
            pip += _pip(item)
    return tuple(packages), tuple(pip)


def _pip(item: Node) -> tuple[str, ...]:
    if not isinstance(item, Table) or [entry.key for entry in item.entries] != ["pip"]:
        message = f"`dependencies` holds {fields.kind(item)} where a package or a `pip:` list is expected"
        raise failure(message, item.location)
    return fields.texts(item, "pip", "pip")
