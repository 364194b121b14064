"""Images that are built here, by the engine's cache, under a name that says what they were built from."""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import msgspec
from docker import APIClient
from docker.errors import APIError
from docker.utils.build import exclude_paths

from mlproj.engine import SOURCE, explained, told
from mlproj.environments.docker_images import find
from mlproj.errors import EnvironmentFailed
from mlproj.files import digest_of
from mlproj.model.digest import Digest, Json, canonical
from mlproj.model.environment import DockerSpec, ImageState
from mlproj.model.events import Ended, Report, Started, ToolOutput
from mlproj.planning.containers import CODE

_LEFT_OUT = (".git", ".mlproj", "mlruns", "mlflow.db", "**/__pycache__")
"""What runs write beside their products, and no image is the better for."""
_ADDED = "Dockerfile.mlproj"
_NO_BUILDKIT = "requires buildkit"
_LAST_LINES = 40


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an image is made of: a Dockerfile (`text` where it is ours), files, values, a base."""

    title: str
    context: Path
    files: tuple[str, ...]
    dockerfile: str
    text: bytes | None = None
    arguments: tuple[tuple[str, str], ...] = ()
    base: str | None = None

    @property
    def digest(self) -> Digest:
        rows: list[Json] = [
            [name, *_content(self.context / name)]
            for name in self.files
            if not stat.S_ISDIR((self.context / name).lstat().st_mode)
        ]
        own = None if self.text is None else Digest.of(self.text)
        return Digest.of(
            canonical([rows, self.dockerfile, own, [list(one) for one in self.arguments], self.base])
        )

    def name(self, digest: Digest) -> str:
        """Names are lower case, and have no marks in a row."""
        title = re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-") or "project"
        return f"mlproj/{title}:{digest.hex[:16]}"


def recipe(spec: DockerSpec, project: Path, arguments: Mapping[str, str]) -> Recipe:
    """What `dockerfile` or `build` of the specification says, with `arguments` over its own."""
    assert spec.build is not None
    context = Path(os.path.normpath(project / spec.build.context))
    dockerfile = os.path.relpath(project / spec.build.dockerfile, context)
    given = {**dict(spec.build.arguments), **arguments}
    outside = dockerfile.startswith("..")
    with _readable():
        text = (project / spec.build.dockerfile).read_bytes() if outside else None
        files = _files(context, _products(spec, project, context), dockerfile=dockerfile)
    return Recipe(
        title=spec.title,
        context=context,
        files=files,
        dockerfile=_ADDED if outside else dockerfile,
        text=text,
        arguments=tuple(sorted(given.items())),
    )


def with_code(spec: DockerSpec, project: Path, base: ImageState) -> Recipe:
    """The project laid over an image, as `mlflow run --build-image` does."""
    text = f"FROM {base.id}\nCOPY . {CODE}/\nWORKDIR {CODE}\n"
    with _readable():
        files = _files(project, spec.products, dockerfile=_ADDED)
    return Recipe(
        title=spec.title,
        context=project,
        files=files,
        dockerfile=_ADDED,
        text=text.encode(),
        base=base.id,
    )


def laid_out(context: Path, title: str) -> Recipe:
    """What a folder of ours holds, all of it, with a Dockerfile at its top."""
    files = (os.path.relpath(path, context) for path in context.rglob("*"))
    return Recipe(title=title, context=context, files=tuple(sorted(files)), dockerfile="Dockerfile")


def built(
    client: APIClient, recipe: Recipe, report: Report, *, refresh: bool, make: bool
) -> ImageState | None:
    """The image of this recipe: one that is there already unless `refresh`, else one that is built now; None
    where none is there and none is to be made. Raises EnvironmentFailed with the engine's own words."""
    with _readable():
        digest = recipe.digest
    name = recipe.name(digest)
    found = None if refresh else find(client, name)
    if found is not None and dict(found.labels).get(SOURCE) == digest:
        return found
    if not make:
        return None
    report(Started(stage="image", detail=name))
    _build(client, recipe, name, digest, report)
    report(Ended(stage="image", detail=name))
    made = find(client, name)
    if made is None:
        raise EnvironmentFailed(f"the image `{name}` was built and is not there")
    return made


def _build(client: APIClient, recipe: Recipe, name: str, digest: Digest, report: Report) -> None:
    said: list[str] = []
    try:
        with tempfile.TemporaryFile() as archive:
            with _readable():
                _pack(recipe, archive)
            archive.seek(0)
            for step in _steps(client, recipe, name, digest, archive):
                if "error" in step:
                    raise _failed(recipe, str(step["error"]), said)
                for line in str(step.get("stream", "")).splitlines():
                    if line.strip():
                        said.append(line)
                        report(ToolOutput(stage="image", line=line))
    except APIError as error:
        raise _failed(recipe, explained(error), said) from error


def _steps(
    client: APIClient, recipe: Recipe, name: str, digest: Digest, archive: IO[bytes]
) -> Iterator[dict[str, Any]]:
    """What the engine tells while it builds. Nothing is left of a build that fails."""
    steps: Iterator[dict[str, Any]] = client.build(
        fileobj=archive,
        custom_context=True,
        dockerfile=recipe.dockerfile,
        tag=name,
        buildargs=dict(recipe.arguments),
        labels={SOURCE: digest},
        rm=True,
        forcerm=True,
        decode=True,
    )
    return steps


def _failed(recipe: Recipe, explanation: str, said: list[str]) -> EnvironmentFailed:
    if "no space left" in explanation.lower():
        return told(explanation)
    hint = None
    if _NO_BUILDKIT in explanation.lower():
        hint = "build it with `docker build -t NAME .`, and name it as `image: NAME`"
    output = "\n".join((*said[-_LAST_LINES:], explanation))
    shown = "the project's image" if recipe.base is not None else f"the image of `{recipe.dockerfile}`"
    return EnvironmentFailed(f"{shown} cannot be built: {explanation}", hint=hint, output=output)


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    """Around what reads the files that an image is made of."""
    try:
        yield
    except OSError as error:
        raise EnvironmentFailed(
            f"the image's files cannot be read: {error.strerror} (`{error.filename}`)",
            hint="`.dockerignore` names what the image does not need",
        ) from error


def _files(context: Path, products: tuple[str, ...], *, dockerfile: str) -> tuple[str, ...]:
    """What `.dockerignore` leaves of the folder, without what runs write."""
    patterns = [line for line in _ignored(context, dockerfile) if not line.startswith("#")]
    return tuple(
        sorted(exclude_paths(str(context), [*patterns, *_LEFT_OUT, *products], dockerfile=dockerfile))
    )


def _ignored(context: Path, dockerfile: str) -> Iterator[str]:
    for name in (f"{dockerfile}.dockerignore", ".dockerignore"):
        path = context / name
        if path.is_file():
            yield from filter(None, (line.strip() for line in path.read_text(errors="replace").splitlines()))
            return


def _products(spec: DockerSpec, project: Path, context: Path) -> tuple[str, ...]:
    """The products' paths relative to the context; one above it cannot be left out of it."""
    paths = (os.path.relpath(project / product, context) for product in spec.products)
    return tuple(path for path in paths if not path.startswith(".."))


def _content(path: Path) -> tuple[str, str]:
    """A file's kind and what is in it; of a link, where it leads."""
    state = path.lstat()
    if stat.S_ISLNK(state.st_mode):
        return "link", Digest.of(os.fsencode(os.readlink(path)))
    if not stat.S_ISREG(state.st_mode):
        return "other", ""
    return ("program" if state.st_mode & stat.S_IXUSR else "file"), digest_of(path)[0]


def _pack(recipe: Recipe, archive: IO[bytes]) -> None:
    """The context as the engine takes it; times are left out, so that its cache goes by content alone."""
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in recipe.files:
            member = tar.gettarinfo(recipe.context / name, arcname=name)
            if member is None:  # a socket
                continue
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime = 0
            if member.isreg():
                with open(recipe.context / name, "rb") as content:
                    tar.addfile(member, content)
            else:
                tar.addfile(member)
        if recipe.text is not None:
            member = tarfile.TarInfo(recipe.dockerfile)
            member.size = len(recipe.text)
            tar.addfile(member, io.BytesIO(recipe.text))
