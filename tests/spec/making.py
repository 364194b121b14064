"""Projects of the tests of reading, made from plain texts."""

from __future__ import annotations

from pathlib import Path

from mlproj.errors import SpecError
from mlproj.model.project import EntryPoint, Finding, Parameter, Project
from mlproj.planning.entry import find_entry_point
from mlproj.spec import read_project

MAIN = "entry_points:\n  main:\n    command: echo\n"


def project(folder: Path, files: dict[str, str | bytes]) -> Project:
    """The project in `folder` with these files in it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_project(folder)


def refused(folder: Path, files: dict[str, str | bytes]) -> SpecError:
    """The error that reading these files gives, or asking for the entry point that cannot be read."""
    try:
        found = project(folder, files)
        for name, _ in found.unreadable:
            find_entry_point(found, name, lambda script: (folder / script).is_file())
    except SpecError as error:
        return error
    raise AssertionError(f"it was read: {found}")


def entry(folder: Path, text: str) -> tuple[EntryPoint, tuple[Finding, ...]]:
    """The entry point `main` with this text as its mapping, indented by nothing."""
    lines = "\n".join(f"    {line}" for line in text.splitlines())
    found = project(folder, {"MLproject": f"entry_points:\n  main:\n{lines}\n"})
    main = found.entry_point("main")
    assert main is not None
    return main, found.findings


def parameter(folder: Path, text: str) -> tuple[Parameter, tuple[Finding, ...]]:
    """The parameter that one line declares."""
    main, findings = entry(folder, f"parameters:\n  {text}\ncommand: echo")
    return main.parameters[0], findings
