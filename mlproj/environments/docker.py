"""A container image as an environment: resolved to its content, pulled or built, entered as a container."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
from docker import APIClient

from mlproj.engine import engine, is_remote, is_rootless
from mlproj.environments.cache import about, build_once
from mlproj.environments.docker_build import Recipe, built, recipe, with_code
from mlproj.environments.docker_images import find, load, moved, pull, short, split_name
from mlproj.environments.docker_network import reach
from mlproj.environments.docker_variables import arguments_of, variables_of
from mlproj.environments.probing import platform_name
from mlproj.errors import EnvironmentFailed, UsageError
from mlproj.files import locked as file_locked
from mlproj.model.digest import Digest, canonical
from mlproj.model.environment import (
    Activation,
    Container,
    DockerSpec,
    EnvironmentSpec,
    ImageState,
    Lock,
    LockedEnvironment,
    LockedPackage,
    LockFile,
    RecordedLock,
)
from mlproj.model.events import Note, Report, silent
from mlproj.ports import Resolving
from mlproj.spec.docker_arguments import BUILD, NEEDLESS, VOLUME, request, values
from mlproj.spec.docker_volumes import Volume, read_volume

COMMITTED = "image.lock.json"
"""A lock beside the MLproject, which wins over what a name stands for today."""
_SCHEMA = "mlproj/image/1"


class _Committed(msgspec.Struct, frozen=True):
    """What of a committed lock says which image it is."""

    image: str
    id: str
    digest: str | None = None


class DockerEnvironment:
    """Locks by the image's digest; builds by having the image where the engine is."""

    def __init__(self, cache: Path, environ: Mapping[str, str] = os.environ) -> None:
        self._cache = cache
        self._environ = environ

    def lock(
        self, spec: EnvironmentSpec, project: Path, report: Report, resolving: Resolving
    ) -> LockedEnvironment:
        """The image that the specification means, pulled or built if need be (and if something may be
        resolved). Raises EnvironmentFailed, and UsageError or SpecError for what Docker would not take."""
        launch, project = _docker(spec), project.absolute()
        request(launch.arguments)
        _given(launch)
        self._volumes(launch, project)
        variables_of(launch, self._environ)
        for name in dict(launch.arguments).keys() & NEEDLESS.keys():
            report(Note(message=f"`-A {name}` changes nothing: {NEEDLESS[name]}"))
        if resolving.as_of is not None:
            raise EnvironmentFailed(
                "an image cannot be had as of a date: registries do not tell when a tag was moved",
                hint="name it by its digest, as in `image: python@sha256:...`",
            )
        if resolving.recorded is None:
            image, because = self._image(launch, project, report, resolving)
        else:
            image, because = self._recorded(resolving.recorded, report), f"; {resolving.recorded.because}"
        to_commit = resolving.to_commit and image is not None and launch.image == image.name
        return LockedEnvironment(
            kind="docker",
            lock=None if image is None else _lock_of(image),
            python=None,
            platform=_platform(image),
            key=None if image is None else image.id.removeprefix("sha256:")[:32],
            because=f"{launch.because}{because}",
            image=image,
            launch=launch,
            file=_lock_file(project, image) if image is not None and to_commit else None,
        )

    def build(self, locked: LockedEnvironment, project: Path, report: Report) -> Activation:
        """Has the locked image in the engine, and says what its container is made of. Raises
        EnvironmentFailed."""
        image, launch, project = locked.image, locked.launch, project.absolute()
        if image is None or launch is None:
            raise EnvironmentFailed("the image is not resolved yet, and no container can be made from it")
        if is_remote(self._environ):
            raise EnvironmentFailed(
                "the engine is on another machine, whose containers cannot see the project's files",
                hint="leave `DOCKER_HOST` out, or call mlproj over there",
            )
        volumes = self._volumes(launch, project)
        for volume in volumes:
            _make_folder(volume)
        network = next(iter(values(launch.arguments, "network")), None)
        with engine(self._environ) as client:
            info = client.info()
            present = _present(client, image, report).id
            size = client.inspect_image(present).get("Size")
            container = Container(
                image=present,
                volumes=tuple(volume.bound for volume in volumes),
                variables=variables_of(launch, self._environ),
                arguments=arguments_of(launch, self._environ),
                user="0:0" if is_rootless(info) else f"{os.getuid()}:{os.getgid()}",
                reach=reach(client, network, str(info.get("OperatingSystem", ""))),
            )
        self._list(locked, image, size)
        return Activation(container=container)

    def _list(self, locked: LockedEnvironment, image: ImageState, size: int | None) -> None:
        """Has the image stand among the environments here; its layers lie where the engine keeps them."""
        assert locked.key is not None
        folder = self._cache / "environments" / locked.key
        content = msgspec.json.encode(image)

        def fill() -> None:
            folder.mkdir()
            (folder / "image.json").write_bytes(content)

        with contextlib.suppress(OSError):
            folder.parent.mkdir(parents=True, exist_ok=True)
            build_once(folder, fill, silent, dataclasses.replace(about(locked), image_size=size))

    def _image(
        self, launch: DockerSpec, project: Path, report: Report, resolving: Resolving
    ) -> tuple[ImageState | None, str]:
        """The image, None where nothing may be made and it is not there; and what is to be said of it."""
        try:
            with engine(self._environ, timeout=None) as client:
                image, because = self._named(client, launch, project, report, resolving)
                if image is None or not launch.code_inside:
                    return image, because
                made = self._built(client, with_code(launch, project, image), report, resolving)
                return made, f"{because}; the project is inside (`--build-image`)"
        except EnvironmentFailed:
            if resolving.resolve:
                raise
            return None, ""

    def _named(
        self, client: APIClient, launch: DockerSpec, project: Path, report: Report, resolving: Resolving
    ) -> tuple[ImageState | None, str]:
        if launch.build is not None:
            found = self._built(client, recipe(launch, project, _given(launch)), report, resolving)
            return found, f"; built by `{launch.build.dockerfile}`"
        assert launch.image is not None
        committed = _committed(project, launch.image)
        if committed is not None and not resolving.refresh:
            found = find(client, committed.id)
            if found is None and committed.digest is not None:
                found = _by_digest(client, committed, report, resolving)
            if found is None and resolving.resolve:
                raise _gone(launch.image, committed.id)
            digest = committed.digest
            named = (
                None if found is None else msgspec.structs.replace(found, name=launch.image, digest=digest)
            )
            return named, f"; the committed `{COMMITTED}` says which image"
        image = find(client, launch.image)
        stale = image is None or (resolving.refresh and image.digest is not None)
        if stale and resolving.resolve:
            image = pull(client, launch.image, report)
        if image is None:
            return None, ""
        earlier = moved(self._cache, image) if resolving.resolve else None
        if earlier is None:
            return image, ""
        change = f"from {short(earlier)} to {short(image.id)}"
        told = f"`{image.name}` has moved since the last run here, {change}"
        report(Note(message=told))
        return image, f"; {told}"

    def _recorded(self, recorded: RecordedLock, report: Report) -> ImageState:
        """The image that a run had: here already, from what was saved of it, or from its registry."""
        wanted = recorded.image
        if wanted is None:
            raise EnvironmentFailed("which image the run had was not recorded")
        with engine(self._environ, timeout=None) as client:
            found = find(client, wanted.id)
            if found is None and recorded.archive is not None:
                found = load(client, recorded.archive, wanted, report)
            if found is None and wanted.digest is not None and not recorded.offline:
                found = pull(client, f"{split_name(wanted.name)[0]}@{wanted.digest}", report)
        if found is None:
            raise _gone(wanted.name, wanted.id)
        # What it was asked for by, and what its registry called it, is what the lock goes by.
        return msgspec.structs.replace(found, name=wanted.name, digest=wanted.digest)

    def _built(
        self, client: APIClient, wanted: Recipe, report: Report, resolving: Resolving
    ) -> ImageState | None:
        """Of many that want one image at once, one builds it."""
        found = built(client, wanted, report, refresh=resolving.refresh, make=False)
        if found is not None or not resolving.resolve:
            return found
        lock = self._cache / "images" / f"{wanted.name(wanted.digest).replace('/', '-')}.lock"
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            with file_locked(lock):
                return built(client, wanted, report, refresh=resolving.refresh, make=True)
        except OSError as error:
            raise EnvironmentFailed(
                f"`{lock.parent}` cannot be written: {error.strerror}",
                hint="`MLPROJ_CACHE_DIR` chooses another folder for the cache",
            ) from error

    def _volumes(self, launch: DockerSpec, project: Path) -> tuple[Volume, ...]:
        written = (*launch.volumes, *values(launch.arguments, VOLUME))
        return tuple(read_volume(text, project, {**self._environ, "PWD": str(project)}) for text in written)


def _docker(spec: EnvironmentSpec) -> DockerSpec:
    if not isinstance(spec, DockerSpec):
        raise EnvironmentFailed("this is no specification of a container")
    return spec


def _lock_of(image: ImageState) -> Lock:
    """The image is the lock: what the registry calls its content, else what the engine does."""
    repository, tag = split_name(image.name)
    package = LockedPackage(
        name=repository, version="" if tag.startswith("sha256:") else tag, hashes=(image.digest or image.id,)
    )
    content = {"schema": _SCHEMA, "image": image.name, "id": image.id, "digest": image.digest}
    return Lock(format="image", packages=(package,), text=canonical(content) + b"\n")


def _lock_file(project: Path, image: ImageState) -> LockFile:
    """What is to stand in the file that is committed."""
    held = _committed(project, image.name)
    is_current = held is not None and (held.id, held.digest) == (image.id, image.digest)
    return LockFile(path=COMMITTED, text=_lock_of(image).text, is_current=is_current)


def _platform(image: ImageState | None) -> str:
    return platform_name() if image is None or not image.platform else image.platform.replace("/", "-")


def _present(client: APIClient, image: ImageState, report: Report) -> ImageState:
    """The image by its id; one that somebody removed meanwhile comes from its registry again."""
    found = find(client, image.id)
    if found is None and image.digest is not None:
        found = pull(client, f"{split_name(image.name)[0]}@{image.digest}", report)
    if found is None:
        raise _gone(image.name, image.id)
    return found


def _by_digest(
    client: APIClient, committed: _Committed, report: Report, resolving: Resolving
) -> ImageState | None:
    name = f"{split_name(committed.image)[0]}@{committed.digest}"
    found = find(client, name)
    return pull(client, name, report) if found is None and resolving.resolve else found


def _committed(project: Path, name: str) -> _Committed | None:
    """The lock that lies in the project, if it is one for this image."""
    try:
        found = msgspec.json.decode((project / COMMITTED).read_bytes(), type=_Committed)
        Digest(found.id)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise EnvironmentFailed(
            f"`{COMMITTED}` cannot be read: {error}", hint="`mlproj env lock` writes it"
        ) from error
    return found if found.image == name else None


def _gone(name: str, identifier: str) -> EnvironmentFailed:
    return EnvironmentFailed(
        f"the image `{name}` ({short(identifier)}) is not here, and no registry is known to hold it",
        hint="build it again, or bring it here with `docker load`",
    )


def _given(launch: DockerSpec) -> dict[str, str]:
    """Values for a Dockerfile's `ARG`s that a person named. Raises UsageError."""
    found = {}
    for text in values(launch.arguments, BUILD):
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"`-A {BUILD}={text}` names no value", hint=f"write `-A {BUILD}=NAME=VALUE`")
        found[name] = value
    return found


def _make_folder(volume: Volume) -> None:
    """A folder that is not there yet is made, as Docker would; but it belongs to the caller."""
    if volume.source is None or not volume.is_folder:
        return
    try:
        if not os.path.lexists(volume.source):
            os.makedirs(volume.source, exist_ok=True)
    except OSError as error:
        raise EnvironmentFailed(
            f"the volume's folder `{volume.source}` cannot be made: {error.strerror}"
        ) from error
