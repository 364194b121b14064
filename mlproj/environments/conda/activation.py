"""What `conda activate` does to a shell, found out once and kept: a run starts none for it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from mlproj import process
from mlproj.environments.uv import last_lines
from mlproj.errors import EnvironmentFailed
from mlproj.files import write_atomically
from mlproj.model.environment import CALLERS_PYTHON, Activation

_FILE = Path("conda-meta", "mlproj-activation.json")
_STATE = Path("conda-meta", "state")

_SCRIPT = """
{ for script in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do
    if [ -r "$script" ]; then . "$script"; fi
done; } >&2
for name in $(compgen -e); do printf '%s=%s\\0' "$name" "${!name}"; done
"""
_SHELL_S_OWN = frozenset({"_", "SHLVL", "PWD", "OLDPWD", "PATH", "IFS", "BASHOPTS", "SHELLOPTS"})


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An activation in a file."""

    path: tuple[str, ...]
    variables: tuple[tuple[str, str | None], ...]


def keep_activation(folder: Path, variables: tuple[tuple[str, str], ...], environ: Mapping[str, str]) -> None:
    """Finds out how the environment in `folder` is entered, and keeps it there.

    The scripts of its packages run in an environment that has nothing of the caller's but a name and a home.
    Raises EnvironmentFailed where one of them ends the shell.
    """
    if variables:
        content = {"version": 1, "env_vars": dict(variables)}
        (folder / _STATE).write_text(json.dumps(content), encoding="utf-8")
    activation = _found_out(folder, dict(variables), environ)
    kept = _Kept(path=tuple(map(str, activation.path)), variables=activation.variables)
    # A torn one is noticed by its size, like any other file of the environment.
    write_atomically(folder / _FILE, msgspec.json.encode(kept), sync=False)


def kept_activation(folder: Path) -> Activation:
    """How the environment is entered. Raises EnvironmentFailed."""
    try:
        kept = msgspec.json.decode((folder / _FILE).read_bytes(), type=_Kept)
    except (OSError, msgspec.MsgspecError) as error:
        raise EnvironmentFailed(f"the environment in `{folder}` cannot be entered: {error}") from error
    return Activation(path=tuple(map(Path, kept.path)), variables=kept.variables)


def _found_out(folder: Path, variables: dict[str, str], environ: Mapping[str, str]) -> Activation:
    entered = {
        "CONDA_PREFIX": str(folder),
        "CONDA_DEFAULT_ENV": str(folder),
        "CONDA_SHLVL": "1",
        **_of_packages(folder),
        **variables,
    }
    path: tuple[str, ...] = (str(folder / "bin"),)
    changes: dict[str, str | None] = {**entered}
    if any((folder / "etc" / "conda" / "activate.d").glob("*.sh")):
        path, changed = _by_scripts(folder, entered, environ)
        changes |= changed
    # A variable of the environment's own wins over what is taken away.
    removed: dict[str, str | None] = {**dict.fromkeys(CALLERS_PYTHON), "PYTHONNOUSERSITE": "1"}
    return Activation(path=tuple(map(Path, path)), variables=tuple((removed | changes).items()))


def _of_packages(folder: Path) -> dict[str, str]:
    """The variables that packages set without a script."""
    variables: dict[str, str] = {}
    for file in sorted((folder / "etc" / "conda" / "env_vars.d").glob("*.json")):
        try:
            found = msgspec.json.decode(file.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.MsgspecError) as error:
            raise EnvironmentFailed(f"the variables in `{file.name}` of a conda package: {error}") from error
        variables |= found
    return variables


def _by_scripts(
    folder: Path, entered: Mapping[str, str], environ: Mapping[str, str]
) -> tuple[tuple[str, ...], dict[str, str | None]]:
    """The folders that come first on the PATH, and what the scripts change besides."""
    kept = {name: environ[name] for name in ("HOME", "USER", "LOGNAME", "LANG", "TMPDIR") if name in environ}
    usual = os.defpath.lstrip(":")
    before = {**kept, **entered, "PATH": os.pathsep.join((str(folder / "bin"), usual))}
    done = process.run(
        ("bash", "--noprofile", "--norc", "-c", _SCRIPT),
        directory=folder,
        patch={**dict.fromkeys(os.environ), **before},
        stdin=b"",
    )
    if done.code != 0:
        raise EnvironmentFailed(
            f"an activation script of the environment's packages failed (exit code {done.code})",
            output=last_lines(done.complaint),
        )
    pairs = (os.fsdecode(pair).partition("=") for pair in done.stdout.split(b"\0") if pair)
    after = {name: value for name, _, value in pairs}
    changed: dict[str, str | None] = {
        name: value for name, value in after.items() if before.get(name) != value and name not in _SHELL_S_OWN
    }
    changed |= {name: None for name in entered if name not in after}
    usual_folders = usual.split(os.pathsep)
    own = [name for name in after.get("PATH", "").split(os.pathsep) if name and name not in usual_folders]
    return tuple(own or [str(folder / "bin")]), changed
