"""Variables that a container is given: those that are set, and the caller's where they are to be copied."""

from __future__ import annotations

from collections.abc import Mapping

from mlproj.errors import SpecError
from mlproj.model.environment import DockerSpec
from mlproj.spec.docker_arguments import BUILD, NEEDLESS, VOLUME, Arguments


def variables_of(launch: DockerSpec, environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What `docker_env.environment` sets and copies. Raises SpecError where the caller has none to copy."""
    missing = [name for name, value in launch.environment if value is None and name not in environ]
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        raise SpecError(
            f"`docker_env.environment` copies {names}, and there is no such variable here",
            hint=f'set it, or give it a value there: `["{missing[0]}", "value"]`',
        )
    return tuple((name, environ[name] if value is None else value) for name, value in launch.environment)


def arguments_of(launch: DockerSpec, environ: Mapping[str, str]) -> Arguments:
    """What the engine is asked for: a variable without a value is copied, or left out, as by `docker run`."""
    found = []
    for name, value in launch.arguments:
        if name in (BUILD, VOLUME) or name in NEEDLESS:
            continue
        if name == "env" and value is not None and "=" not in value:
            if value not in environ:
                continue
            value = f"{value}={environ[value]}"
        found.append((name, value))
    return tuple(found)
