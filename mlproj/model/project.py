"""What a person wrote: entry points with their parameters, as read from an MLproject file."""

from __future__ import annotations

from enum import Enum

import msgspec

from mlproj.model.environment import EnvironmentSpec
from mlproj.model.tolerance import Named


class ParameterType(str, Enum):
    """The types that a value is checked against; a type that nobody knows counts as `string`."""

    STRING = "string"
    FLOAT = "float"
    INT = "int"
    BOOL = "bool"
    CHOICE = "choice"
    PATH = "path"
    URI = "uri"


class Location(msgspec.Struct, frozen=True, kw_only=True):
    """A place in one of the author's files; `str()` gives `MLproject:7`."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One declared parameter. `default` is the text that the script gets, None if a value is required."""

    name: str
    type: ParameterType
    declared_type: str
    default: str | None = None
    description: str | None = None
    choices: tuple[str, ...] = ()
    secret: bool = False
    location: Location


class EntryPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A command with its declarations. `inputs`, `outputs` and `metrics` are templates, as the command is;
    `models` are those of the outputs that are models."""

    name: str
    command: str
    parameters: tuple[Parameter, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    timeout: float | None = None
    tolerances: tuple[Named, ...] = ()
    """How far its metrics and outputs may be from those of an earlier run."""
    description: str | None = None
    location: Location
    command_location: Location | None = None
    """Where the command is written, for what is said of it."""

    def parameter(self, name: str) -> Parameter | None:
        return next((parameter for parameter in self.parameters if parameter.name == name), None)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something about a project's files that a person should know, and what MLflow makes of it."""

    severity: str
    """`error` where a run would be refused, `warning` where it runs but probably not as meant, `note` for
    what is no fault of the project's."""
    message: str
    location: Location
    hint: str | None = None


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A folder's MLproject, read. `file` is the name found there, None where there is no such file.

    `environment` is what the file declares or the folder falls back on; its `because` says which. Where the
    environment's own files cannot be read, `environment_failure` says why: an error for whoever wants that
    environment, and nothing to one who runs in the caller's own. `unreadable` are the entry points that
    cannot be read, by name, with the reason: an error for whoever wants one of these.
    """

    name: str | None
    file: str | None
    entry_points: tuple[EntryPoint, ...]
    environment: EnvironmentSpec
    findings: tuple[Finding, ...] = ()
    environment_failure: Finding | None = None
    unreadable: tuple[tuple[str, Finding], ...] = ()
    tolerances: tuple[Named, ...] = ()
    """Those of all entry points, after each one's own."""

    def entry_point(self, name: str) -> EntryPoint | None:
        return next((entry for entry in self.entry_points if entry.name == name), None)
