"""`docker_env`: an image with volumes and variables becomes a container's specification."""

from __future__ import annotations

from mlproj.model.environment import DockerSpec
from mlproj.model.project import Finding
from mlproj.spec import fields
from mlproj.spec.documents import Entry, Listing, Node, Scalar, Table, failure, is_false, is_null, printed

KEYS = ("image", "volumes", "environment")


def from_entry(entry: Entry, because: str, findings: list[Finding]) -> DockerSpec:
    """The specification that the `docker_env` entry of an MLproject holds. Raises SpecError."""
    if isinstance(entry.value, Scalar):
        return DockerSpec(image=printed(entry.value), because=because)
    if not isinstance(entry.value, Table):
        message = f"`docker_env` must be a mapping with an `image`, not {fields.kind(entry.value)}"
        raise failure(message, entry.location)
    table = entry.value
    findings.extend(fields.unknown_keys(table, KEYS, "`docker_env`"))
    image = fields.text(table, "image", "docker_env.image")
    if not image:
        raise failure("`docker_env` names no `image`", entry.location, "add `image: <name>` to it")
    return DockerSpec(image=image, volumes=_volumes(table), environment=_environment(table), because=because)


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
        return item.text, None
    if isinstance(item, Listing):
        texts = [printed(part) for part in item.items if isinstance(part, Scalar) and not is_null(part)]
        if len(texts) == len(item.items) == 2:
            return texts[0], texts[1]
    message = f"`docker_env.environment` holds {fields.kind(item)} that is neither a name nor a pair of texts"
    raise failure(message, item.location, _FORM)
