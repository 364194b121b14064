"""`docker_env`: an image, or how to build one, with volumes and variables becomes a specification."""

from __future__ import annotations

import os
from pathlib import Path

from mlproj.errors import did_you_mean
from mlproj.model.environment import DockerSpec, ImageBuild
from mlproj.model.project import Finding
from mlproj.spec import fields
from mlproj.spec.documents import (
    Entry,
    Listing,
    Node,
    Scalar,
    Table,
    failure,
    is_false,
    is_null,
    printed,
)

KEYS = ("image", "volumes", "environment", "dockerfile", "context", "build")
_BUILD_KEYS = ("dockerfile", "context", "args")
_DOCKERFILE = "Dockerfile"


def from_entry(directory: Path, entry: Entry, because: str, findings: list[Finding]) -> DockerSpec:
    """The specification in the `docker_env` entry of an MLproject in `directory`. Raises SpecError."""
    if isinstance(entry.value, Scalar):
        return DockerSpec(image=printed(entry.value), because=because)
    if not isinstance(entry.value, Table):
        message = f"`docker_env` must be a mapping with an `image`, not {fields.kind(entry.value)}"
        raise failure(message, entry.location)
    table = entry.value
    findings.extend(fields.unknown_keys(table, KEYS, "`docker_env`"))
    image, build = fields.text(table, "image", "docker_env.image") or None, _build(directory, table, findings)
    if image is None and build is None:
        hint = "add `image: <name>` to it, or `dockerfile: <path>`"
        raise failure("`docker_env` names no `image`", entry.location, hint)
    return DockerSpec(
        image=image,
        build=build,
        volumes=_volumes(table),
        environment=_environment(table),
        because=because,
    )


def _build(directory: Path, table: Table, findings: list[Finding]) -> ImageBuild | None:
    """What `build`, or `dockerfile` and `context` beside `image`, say; None where none is there."""
    entry = table.find("build")
    if entry is not None and not is_false(entry.value):
        if isinstance(entry.value, Scalar):
            return _in_folder(directory, entry, None, printed(entry.value), ())
        if not isinstance(entry.value, Table):
            kind = fields.kind(entry.value)
            message = f"`docker_env.build` must be a folder or a mapping, not {kind}"
            raise failure(message, entry.location, "such as `{dockerfile: Dockerfile, context: .}`")
        findings.extend(fields.unknown_keys(entry.value, _BUILD_KEYS, "`docker_env.build`"))
        table, where = entry.value, "docker_env.build"
    else:
        named = table.find("dockerfile") or table.find("context")
        if named is None or is_null(named.value):
            return None
        entry, where = named, "docker_env"
    dockerfile = fields.text(table, "dockerfile", f"{where}.dockerfile")
    context = fields.text(table, "context", f"{where}.context")
    return _in_folder(directory, entry, dockerfile, context or ".", _arguments(table, where))


def _in_folder(
    directory: Path,
    entry: Entry,
    dockerfile: str | None,
    context: str,
    arguments: tuple[tuple[str, str], ...],
) -> ImageBuild:
    """The build, whose Dockerfile is relative to the project as for `docker build`, else to the context."""
    if not os.path.isdir(directory / context):
        raise failure(
            f"the image is to be built from `{context}`, and there is no such folder", entry.location
        )
    name = dockerfile or _DOCKERFILE
    places = (Path(name), Path(context) / name) if dockerfile else (Path(context) / name,)
    found = next((place for place in places if os.path.isfile(directory / place)), None)
    if found is None:
        near = _near(directory / context, name)
        raise failure(
            f"the image is to be built by `{name}`, and there is no such file", entry.location, near
        )
    return ImageBuild(dockerfile=str(found), context=context, arguments=arguments)


def _near(folder: Path, name: str) -> str | None:
    try:
        return did_you_mean(name, set(os.listdir(folder)) - {name})
    except OSError:
        return None


def _arguments(table: Table, where: str) -> tuple[tuple[str, str], ...]:
    entry = table.find("args")
    if entry is None or where == "docker_env" or is_false(entry.value):
        return ()
    if not isinstance(entry.value, Table):
        raise failure(f"`{where}.args` must be a mapping, not {fields.kind(entry.value)}", entry.location)
    for item in entry.value.entries:
        if not isinstance(item.value, Scalar) or is_null(item.value):
            raise failure(f"`{where}.args.{item.key}` must be a text", item.location)
    return tuple((item.key, printed(item.value)) for item in entry.value.entries)


def _volumes(table: Table) -> tuple[str, ...]:
    entry = table.find("volumes")
    if entry is None or is_false(entry.value):
        return ()
    items = fields.scalars(entry.value, "docker_env.volumes", entry.location)
    for item in items:
        if item.kind != "str":
            message = f"`docker_env.volumes` must be a list of texts, and holds {fields.kind(item)}"
            raise failure(message, item.location, 'such as `["/data:/data"]`')
    return tuple(item.text for item in items)


def _environment(table: Table) -> tuple[tuple[str, str | None], ...]:
    entry = table.find("environment")
    if entry is None or is_false(entry.value):
        return ()
    if not isinstance(entry.value, Listing):
        message = f"`docker_env.environment` must be a list, not {fields.kind(entry.value)}"
        raise failure(message, entry.location, _FORM)
    return tuple(_variable(item) for item in entry.value.items)


_FORM = 'names to copy from the host, and pairs to set: `["HOME", ["VAR", "value"]]`'


def _variable(item: Node) -> tuple[str, str | None]:
    if isinstance(item, Scalar) and item.kind == "str":
        return _named(item.text, item), None
    if isinstance(item, Listing):
        texts = [printed(part) for part in item.items if isinstance(part, Scalar) and not is_null(part)]
        if len(texts) == len(item.items) == 2:
            return _named(texts[0], item), texts[1]
    message = f"`docker_env.environment` holds {fields.kind(item)} that is neither a name nor a pair of texts"
    raise failure(message, item.location, _FORM)


def _named(name: str, item: Node) -> str:
    """The name, if a variable can have it."""
    if not name or "=" in name or "\0" in name:
        raise failure(
            f"`docker_env.environment` holds `{name!s}`, which no variable is called", item.location, _FORM
        )
    return name
