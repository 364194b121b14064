"""`--env-file`: variables that a person keeps in files, for a run and for options that stand in variables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from mlproj import wiring
from mlproj.cli.loading import load
from mlproj.model.redaction import SECRET_VARIABLES

_META = "mlproj.env_files"
_NAMES = f"{_META}.names"


def take_env_files(context: typer.Context, paths: list[Path] | None) -> list[Path] | None:
    """Reads the files, the last winning, before the other options are looked at: one that may stand in a
    variable finds it there. What is set already outranks the files, as with MLflow. Raises UsageError."""
    if not paths:
        return paths
    found: dict[str, str] = {}
    for path in paths:
        found |= load("mlproj.spec.env_file").read_env_file(path)
    context.meta[_META] = {name: value for name, value in found.items() if name not in os.environ}
    context.meta[_NAMES] = (*context.meta.get(_NAMES, ()), *found)
    of_options = {
        parameter.name: context.meta[_META][name]
        for parameter in context.command.params
        for name in _variables(parameter)
        if parameter.name and name in context.meta[_META]
    }
    context.default_map = {**(context.default_map or {}), **of_options}
    return paths


def take_for_all(context: typer.Context, paths: list[Path]) -> None:
    """The same for files that are named before a command, as MLflow has it: whatever the command, it finds
    their variables as if they were set. Raises UsageError."""
    take_env_files(context, paths)
    os.environ.update(context.meta[_META])


EnvFileOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--env-file",
        metavar="FILE",
        is_eager=True,
        callback=take_env_files,
        help="Variables, in dotenv's notation, for those that are not set; repeatable, the last wins.",
    ),
]


def with_env_files(context: typer.Context) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables to run with, and the names of those among the files' that hold secrets."""
    environ = {**context.meta.get(_META, {}), **os.environ}
    named = named_in_env_files(context)
    secrets = wiring.secret_variables({name: environ[name] for name in named}) if named else ()
    outer = filter(None, os.environ.get(SECRET_VARIABLES, "").split(","))
    return environ, tuple(dict.fromkeys((*secrets, *outer)))


def named_in_env_files(context: typer.Context) -> tuple[str, ...]:
    """The names of the variables that the files hold."""
    names: tuple[str, ...] = context.meta.get(_NAMES, ())
    return names


def _variables(parameter: Any) -> tuple[str, ...]:
    names = parameter.envvar or ()
    return (names,) if isinstance(names, str) else tuple(names)
