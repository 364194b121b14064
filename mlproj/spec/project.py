"""A folder's MLproject becomes a Project, read as MLflow reads it, with what is odd about it as findings."""

from __future__ import annotations

import os
from pathlib import Path

from mlproj.errors import SpecError
from mlproj.model.project import EntryPoint, Finding, Location, Project
from mlproj.model.tolerance import Named
from mlproj.spec import entry_points, environments, text
from mlproj.spec.documents import Table, failure, is_null, parse
from mlproj.spec.fields import kind, unknown_keys, warning
from mlproj.spec.fields import text as text_of

KEYS = ("name", *environments.KEYS, "entry_points", "reproduce", "databricks_spark_job")


def read_project(directory: Path) -> Project:
    """The project in `directory`; a folder with no MLproject is a project with no entry points.

    Raises SpecError, with file and line, for what cannot be run at all. What is only odd is a finding.
    """
    findings: list[Finding] = []
    file = _find(directory, findings)
    root = _root(directory, file, findings) if file else None
    choice = environments.choose(directory, root, file, findings)
    name = text_of(root, "name", "name") if root else None
    if root and root.find("docker_env") and not name:
        message = "MLflow needs a `name` to tag the image of a project with `docker_env`"
        findings.append(warning(message, root.location))
    entries = _entry_points(root, findings)
    return Project(
        name=name,
        file=file,
        entry_points=tuple(entry for entry in entries if isinstance(entry, EntryPoint)),
        unreadable=tuple(entry for entry in entries if not isinstance(entry, EntryPoint)),
        environment=choice.spec,
        findings=tuple(findings),
        environment_failure=choice.failure,
        tolerances=_tolerances(root, findings),
    )


def _find(directory: Path, findings: list[Finding]) -> str | None:
    try:
        names = sorted(os.listdir(directory))
    except OSError as error:
        raise SpecError(
            f"the folder `{directory}` cannot be read: {error.strerror}",
            hint=f"`chmod u+rx` on `{directory}`" if isinstance(error, PermissionError) else None,
        ) from error
    found = [name for name in names if name.lower() == "mlproject"]
    unread = [name for name in names if name.lower() in ("mlproject.yaml", "mlproject.yml")]
    for name in unread:
        message = f"`{name}` is not read, by MLflow neither"
        findings.append(warning(message, Location(file=name), "call it `MLproject`"))
    if not found:
        return None
    chosen = "MLproject" if "MLproject" in found else found[0]
    if len(found) > 1:
        others = ", ".join(f"`{name}`" for name in found if name != chosen)
        findings.append(warning(f"{others} stands beside `{chosen}`, which is read", Location(file=chosen)))
    return chosen


def _root(directory: Path, file: str, findings: list[Finding]) -> Table | None:
    root = parse(text.read(directory, file), file, findings)
    if root is None or is_null(root):
        findings.append(warning(f"`{file}` is empty", Location(file=file)))
        return None
    if not isinstance(root, Table):
        raise failure(f"`{file}` must be a mapping, not {kind(root)}", root.location)
    findings.extend(unknown_keys(root, KEYS, "an MLproject"))
    return root


def _tolerances(root: Table | None, findings: list[Finding]) -> tuple[Named, ...]:
    if root is None:
        return ()
    return entry_points.tolerances(root.find("reproduce"), "reproduce", findings)


def _entry_points(
    root: Table | None, findings: list[Finding]
) -> tuple[EntryPoint | entry_points.Unreadable, ...]:
    if root is None:
        return ()
    job = root.find("databricks_spark_job")
    if job is not None and not is_null(job.value):
        raise failure(
            "`databricks_spark_job` runs on Databricks only, and mlproj cannot run it", job.location
        )
    entry = root.find("entry_points")
    return () if entry is None else entry_points.read(entry, findings)
