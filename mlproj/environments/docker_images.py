"""Images as the engine holds them: looked up, pulled, and noticed where a name has moved to another one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from docker import APIClient
from docker.errors import APIError, ImageNotFound

from mlproj.engine import explained, told
from mlproj.errors import EnvironmentFailed
from mlproj.files import write_atomically
from mlproj.model.digest import Digest
from mlproj.model.environment import ImageState
from mlproj.model.events import Ended, Progress, Report, Started

SHOWN = 12
"""So many digits of an image's id are shown to people."""


class _Seen(msgspec.Struct, frozen=True):
    """What a name stood for when it was last looked up."""

    id: str


def find(client: APIClient, name: str) -> ImageState | None:
    """The image that the engine has under this name or id, None where it has none."""
    try:
        return state_of(name, client.inspect_image(name))
    except ImageNotFound:
        return None
    except APIError as error:
        raise _refused(name, error) from error


def pull(client: APIClient, name: str, report: Report) -> ImageState:
    """The image from its registry. Raises EnvironmentFailed."""
    report(Started(stage="pull", detail=name))
    repository, tag = split_name(name)
    try:
        for step in client.pull(repository, tag=tag, stream=True, decode=True):
            if "error" in step:
                raise _unavailable(name, str(step["error"]))
            detail: dict[str, Any] = step.get("progressDetail") or {}
            if "current" in detail:
                total = detail.get("total")
                report(Progress(stage="pull", done=detail["current"], total=total, unit="bytes"))
    except APIError as error:
        raise _unavailable(name, explained(error)) from error
    report(Ended(stage="pull", detail=name))
    found = find(client, name)
    if found is None:
        raise EnvironmentFailed(f"the image `{name}` was pulled and is not there")
    return found


def load(client: APIClient, archive: Path, wanted: ImageState, report: Report) -> ImageState | None:
    """The image out of a file that `docker save` wrote; None where another one is in it. Raises
    EnvironmentFailed."""
    report(Started(stage="load", detail=wanted.name))
    try:
        with archive.open("rb") as content:
            for step in client.load_image(content, quiet=True):
                if "error" in step:
                    raise told(str(step["error"]))
    except OSError as error:
        raise EnvironmentFailed(f"`{archive}` cannot be read: {error.strerror}") from error
    report(Ended(stage="load", detail=wanted.name))
    return find(client, wanted.id)


def state_of(name: str, found: dict[str, Any]) -> ImageState:
    """What is recorded of an image, from the engine's description of it."""
    labels: dict[str, str] = (found.get("Config") or {}).get("Labels") or {}
    variant = found.get("Variant")
    parts = (found.get("Os", ""), found.get("Architecture", ""), *((variant,) if variant else ()))
    return ImageState(
        name=name,
        id=found["Id"],
        digest=_registry_digest(name, found.get("RepoDigests") or []),
        platform="/".join(parts),
        created=found.get("Created") or "",
        labels=tuple(sorted(labels.items())),
    )


def split_name(name: str) -> tuple[str, str]:
    """The repository and the tag or digest; a name without one means `latest`."""
    repository, at, digest = name.partition("@")
    if at:
        # A tag beside a digest says nothing: the digest wins, as it does for Docker.
        return _without_tag(repository), digest
    plain = _without_tag(name)
    return plain, name[len(plain) + 1 :] or "latest"


def moved(cache: Path, image: ImageState) -> str | None:
    """The id that the name stood for when this was last asked on this machine, if it was another."""
    note = cache / "images" / f"{Digest.of(image.name.encode()).hex[:32]}.json"
    earlier = None
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        earlier = msgspec.json.decode(note.read_bytes(), type=_Seen).id
    if earlier != image.id:
        with contextlib.suppress(OSError):
            note.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(note, msgspec.json.encode(_Seen(image.id)))
    return earlier if earlier not in (None, image.id) else None


def short(identifier: str) -> str:
    return identifier.removeprefix("sha256:")[:SHOWN]


def _without_tag(name: str) -> str:
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def _registry_digest(name: str, digests: list[str]) -> str | None:
    """What the registry of `name` calls the image."""
    wanted = set(_spellings(split_name(name)[0]))
    for entry in digests:
        repository, _, digest = entry.partition("@")
        if wanted.intersection(_spellings(repository)):
            return digest
    return None


def _spellings(repository: str) -> Iterator[str]:
    """The names that mean the same repository of Docker Hub."""
    plain = repository
    for prefix in ("docker.io/", "index.docker.io/"):
        plain = plain.removeprefix(prefix)
    yield plain.removeprefix("library/")


def _refused(name: str, error: APIError) -> EnvironmentFailed:
    explanation = explained(error)
    if "invalid reference" in explanation:
        return EnvironmentFailed(
            f"`{name}` cannot be the name of an image", hint="such as `python:3.11-slim`"
        )
    return told(explanation)


def _unavailable(name: str, explanation: str) -> EnvironmentFailed:
    plain = explanation.lower()
    if "no space left" in plain:
        return told(explanation)
    if any(word in plain for word in ("not found", "denied", "manifest unknown", "unauthorized")):
        return EnvironmentFailed(
            f"there is no image `{name}`, neither here nor in its registry, or it is not for you to see",
            hint="look at its name, `docker login` to a private registry, or `docker build` it first",
        )
    return EnvironmentFailed(
        f"the image `{name}` is not here, and its registry cannot be asked: {explanation}",
        hint="look at the network, or bring the image here with `docker load`",
    )
