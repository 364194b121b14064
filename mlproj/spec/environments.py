"""Which environment a project asks for, why that one, and what `--env-manager` makes of it."""

from __future__ import annotations

import importlib
import os
import re
from pathlib import Path

import msgspec

from mlproj.errors import SpecError, UsageError, did_you_mean, unreachable
from mlproj.model.environment import CondaSpec, DockerSpec, EnvironmentSpec, SystemSpec, VirtualenvSpec
from mlproj.model.project import Finding, Project
from mlproj.spec import conda, docker, fields, python_env, requirements, text, toml
from mlproj.spec.documents import Entry, Scalar, Table, failure, is_false

KEYS = ("python_env", "conda_env", "docker_env")
MANAGERS = ("local", "virtualenv", "uv", "conda", "docker")

_LOCAL = "`--env-manager local` runs it in the current environment"


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """An environment, and what is wrong with its files where they cannot be read."""

    spec: EnvironmentSpec
    failure: Finding | None = None


def choose(directory: Path, root: Table | None, file: str | None, findings: list[Finding]) -> Choice:
    """The environment that the MLproject declares, else the one that the folder falls back on.

    Raises SpecError where two are declared, or a file that one names is missing.
    """
    declared = [entry for entry in root.entries if entry.key in KEYS] if root else []
    if len(declared) > 1:
        names = " and ".join(f"`{entry.key}`" for entry in declared)
        raise failure(f"a project has one environment, and this names {names}", declared[1].location)
    if declared and is_false(declared[0].value):
        message = f"`{declared[0].key}` is empty, and counts as missing"
        findings.append(fields.warning(message, declared[0].location))
        return _fallback(directory, findings)
    if not declared:
        return _fallback(directory, findings)
    return _declared(directory, declared[0], file or "MLproject", findings)


def environment_for(project: Project, directory: Path, manager: str | None) -> EnvironmentSpec:
    """The environment to run in, given `--env-manager` (None where it was not).

    Raises UsageError for a manager that nobody knows or that the project's environment is not one for,
    SpecError where the environment's files are wrong.
    """
    if manager is not None and manager not in MANAGERS:
        hint = did_you_mean(manager, MANAGERS) or f"known are {', '.join(f'`{name}`' for name in MANAGERS)}"
        raise UsageError(f"there is no environment manager `{manager}`", hint=hint)
    if manager == "local":
        own = f", in place of {project.environment.because}"
        named = own if isinstance(project.environment, DockerSpec) else ""
        return SystemSpec(because=f"--env-manager local{named}")
    if manager == "uv" and _has_uv_lock(directory):
        return _uv_project(directory, "--env-manager uv, and the folder holds `uv.lock`")
    if project.environment_failure is not None:
        found = project.environment_failure
        raise failure(found.message, found.location, f"{found.hint}; {_LOCAL}" if found.hint else _LOCAL)
    return project.environment if manager is None else _managed(project.environment, manager, directory)


def _managed(spec: EnvironmentSpec, manager: str, directory: Path) -> EnvironmentSpec:
    wanted = "conda" if manager == "conda" else "docker" if manager == "docker" else "virtualenv"
    match spec:
        case SystemSpec():
            if wanted == "virtualenv":
                return VirtualenvSpec(python=None, because=f"--env-manager {manager}")
            raise UsageError(f"the project names no {wanted} environment", hint=_LOCAL)
        case VirtualenvSpec():
            if wanted == "virtualenv":
                return spec
            raise _unfit("a virtualenv", spec, wanted, "leave `--env-manager` out, or give `virtualenv`")
        case CondaSpec():
            if wanted == "virtualenv":
                return _translated(spec, manager, directory)
            if wanted == "conda":
                return spec
            raise _unfit("a conda environment", spec, wanted, "leave `--env-manager` out, or give `conda`")
        case DockerSpec():
            if wanted == "docker":
                return spec
            raise _unfit("a container image", spec, manager, f"leave `--env-manager` out; {_LOCAL}")
        case _:
            unreachable(spec)


def _unfit(kind: str, spec: EnvironmentSpec, wanted: str, hint: str) -> UsageError:
    message = f"the project's environment is {kind} ({spec.because}), and {wanted} cannot build one"
    return UsageError(message, hint=hint)


def _translated(spec: CondaSpec, manager: str, directory: Path) -> VirtualenvSpec:
    # What translates takes a while to load, and few ask for it.
    translation = importlib.import_module("mlproj.spec.conda_pypi")
    found: VirtualenvSpec = translation.as_virtualenv(
        spec, conda.lines_of(directory, spec.file), f"--env-manager {manager}"
    )
    numbered = ((None, line) for line in found.dependencies)
    files = (*found.files, *requirements.referenced(directory, numbered, spec.file))
    paths = importlib.import_module("mlproj.spec.requirement_paths")
    lines = paths.with_contents(found.dependencies, os.path.dirname(spec.file), directory)
    return msgspec.structs.replace(found, dependencies=lines, files=tuple(dict.fromkeys(files)))


def _declared(directory: Path, entry: Entry, file: str, findings: list[Finding]) -> Choice:
    because = f"`{entry.key}` in {file}"
    if entry.key == "docker_env":
        return Choice(spec=docker.from_entry(directory, entry, because, findings))
    if entry.key == "python_env" and isinstance(entry.value, Table):
        message = "`python_env` holds a mapping, where MLflow takes the path of a file only"
        findings.append(fields.warning(message, entry.location))
        return Choice(spec=python_env.from_table(directory, entry.value, because, findings))
    if not isinstance(entry.value, Scalar):
        message = f"`{entry.key}` must be the path of a file, not {fields.kind(entry.value)}"
        raise failure(message, entry.location)
    named = entry.value.text
    if not os.path.exists(directory / named):
        message = f"`{entry.key}` names `{named}`, and there is no such file"
        raise failure(message, entry.location, _near(directory, named))
    return _read(directory, entry.key, named, because, findings)


def _read(directory: Path, key: str, file: str, because: str, findings: list[Finding]) -> Choice:
    try:
        if key == "conda_env":
            return Choice(spec=conda.read(directory, file, because, findings))
        return Choice(spec=python_env.read(directory, file, because, findings))
    except SpecError as error:
        return _unreadable(error, file, findings)


def _unreadable(error: SpecError, file: str, findings: list[Finding]) -> Choice:
    finding = fields.finding_of(error, file)
    findings.append(finding)
    return Choice(spec=SystemSpec(because=f"`{file}` cannot be read"), failure=finding)


def _fallback(directory: Path, findings: list[Finding]) -> Choice:
    def holds(name: str) -> bool:
        return os.path.isfile(directory / name)

    if holds("python_env.yaml"):
        return _read(directory, "python_env", "python_env.yaml", _found("python_env.yaml"), findings)
    for name in ("conda.yaml", "environment.yml"):
        if holds(name):
            return _read(directory, "conda_env", name, _found(name), findings)
    try:
        if _has_uv_lock(directory):
            return Choice(spec=_uv_project(directory, _found("uv.lock")))
        if holds("requirements.txt"):
            return Choice(spec=_requirements(directory))
    except SpecError as error:
        return _unreadable(error, error.file or "requirements.txt", findings)
    return Choice(spec=SystemSpec(because="the project names no environment"))


def _found(name: str) -> str:
    return f"the project names no environment, and its folder holds `{name}`"


def _requirements(directory: Path) -> VirtualenvSpec:
    line = "-r requirements.txt"
    files = requirements.referenced(directory, ((None, line),), "requirements.txt")
    return VirtualenvSpec(python=None, dependencies=(line,), files=files, because=_found("requirements.txt"))


def _has_uv_lock(directory: Path) -> bool:
    return all(os.path.isfile(directory / name) for name in ("uv.lock", "pyproject.toml"))


def _uv_project(directory: Path, because: str) -> VirtualenvSpec:
    """uv's project: its lock says all but the Python, which the first of three files to name one says."""
    version, named_in = _uv_python(directory)
    files = tuple(dict.fromkeys(("uv.lock", "pyproject.toml", *named_in)))
    return VirtualenvSpec(python=version, uv_lock="uv.lock", files=files, because=because)


def _uv_python(directory: Path) -> tuple[str | None, tuple[str, ...]]:
    if os.path.isfile(directory / "python_env.yaml"):
        version = python_env.read(directory, "python_env.yaml", "", []).python
        if version is not None:
            return version, ("python_env.yaml",)
    if os.path.isfile(directory / ".python-version"):
        words = text.read(directory, ".python-version").split()
        if words and re.fullmatch(r"\d+(\.\d+)*", words[0]):
            return words[0], (".python-version",)
    return _requires_python(directory), ()


def _requires_python(directory: Path) -> str | None:
    file = "pyproject.toml"
    try:
        document = toml.decode(text.read(directory, file), dict[str, object])
    except ValueError as error:
        raise SpecError(f"`{file}` is not valid TOML: {error}", file=file) from error
    project = document.get("project")
    wanted = project.get("requires-python") if isinstance(project, dict) else None
    return wanted if isinstance(wanted, str) else None


def _near(directory: Path, named: str) -> str | None:
    folder = directory / os.path.dirname(named)
    try:
        return did_you_mean(os.path.basename(named), set(os.listdir(folder)) - {os.path.basename(named)})
    except (OSError, ValueError):
        return None
