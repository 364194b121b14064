"""`python_env.yaml`: a Python version and lines of requirements become a virtualenv's specification."""

from __future__ import annotations

import os
import re
from pathlib import Path

from mlproj.errors import did_you_mean
from mlproj.model.environment import VirtualenvSpec
from mlproj.model.project import Finding
from mlproj.spec import requirements, text
from mlproj.spec.documents import Scalar, Table, failure, is_null, parse
from mlproj.spec.fields import kind, scalars, warning

KEYS = ("python", "build_dependencies", "dependencies")

_VERSION = re.compile(r"[\w.*+!<>=~,\s-]*\d[\w.*+!<>=~,\s-]*", re.ASCII)


def read(directory: Path, file: str, because: str, findings: list[Finding]) -> VirtualenvSpec:
    """The specification in `file`, a path relative to the project folder. Raises SpecError."""
    root = parse(text.read(directory, file), file, findings)
    if root is None or is_null(root):
        return VirtualenvSpec(python=None, files=(os.path.normpath(file),), because=because)
    if not isinstance(root, Table):
        raise failure(f"`{file}` must be a mapping, not {kind(root)}", root.location)
    return from_table(directory, root, because, findings)


def from_table(directory: Path, table: Table, because: str, findings: list[Finding]) -> VirtualenvSpec:
    """The specification that a mapping holds, whichever file it stands in. Raises SpecError."""
    for entry in table.entries:
        if entry.key not in KEYS:
            hint = did_you_mean(entry.key, KEYS) or f"its keys are {', '.join(f'`{key}`' for key in KEYS)}"
            message = f"`{entry.key}` is not a key of a Python environment"
            raise failure(message, entry.location, hint)
    build = _lines(table, "build_dependencies")
    packages = _lines(table, "dependencies")
    file = table.location.file
    files = (os.path.normpath(file), *requirements.referenced(directory, (*build, *packages), file))
    return VirtualenvSpec(
        python=_python(table, findings),
        build_dependencies=tuple(line for _, line in build),
        dependencies=tuple(line for _, line in packages),
        files=tuple(dict.fromkeys(files)),
        because=because,
    )


def _python(table: Table, findings: list[Finding]) -> str | None:
    entry = table.find("python")
    if entry is None or is_null(entry.value):
        return None
    if not isinstance(entry.value, Scalar):
        raise failure(f"`python` must be a version, not {kind(entry.value)}", entry.location)
    version = entry.value.text.strip()
    quoted = f'write `python: "{version}"`'
    if not _VERSION.fullmatch(version) or version.startswith("-"):
        raise failure(f"`{version}` is not a Python version", entry.location, 'such as `python: "3.11"`')
    if entry.value.kind != "str":
        message = (
            f"`python: {version}` is a number in YAML; MLflow stops at it, and it is read as `{version}`"
        )
        findings.append(warning(message, entry.location, quoted))
    return version


def _lines(table: Table, key: str) -> tuple[tuple[int | None, str], ...]:
    entry = table.find(key)
    if entry is None or is_null(entry.value):
        return ()
    items = scalars(entry.value, key, entry.location)
    return tuple((item.location.line, line) for item in items for _, line in requirements.lines(item.text))
