"""`mlproj models build-docker`: a model, its locked environment and what serves it, as one image."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from mlproj.errors import EnvironmentFailed
from mlproj.model.environment import ImageState, LockedEnvironment
from mlproj.model.events import Report
from mlproj.model.run import EnvironmentState
from mlproj.ports import Package
from mlproj.services.found_models import FoundModel, ModelSearch, found_model
from mlproj.services.interrupts import interruptible
from mlproj.services.locking import environment_state
from mlproj.services.model_environments import locked, wanted
from mlproj.services.serving import PROGRAM, facts

PORT = 8080
"""Where MLflow's images of models listen, too."""

_PLACE = "/opt/mlproj"
_DOCKERFILE = """\
FROM {base} AS build
RUN python3 -c 'import sys; found = "%d.%d" % sys.version_info[:2]; sys.exit(found != "{python}" and \
"the base has Python " + found + ", and the model needs {python}")'
COPY packages /packages
RUN python3 -m venv {place}/environment && {place}/environment/bin/python -m pip install \
--disable-pip-version-check --no-cache-dir --no-index --no-deps /packages/*
FROM {base}
COPY --from=build {place}/environment {place}/environment
COPY scoring {place}/scoring
COPY model {place}/model
COPY facts.json {place}/facts.json
ENV PATH={place}/environment/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1
USER 65534:65534
EXPOSE {port}
ENTRYPOINT ["{place}/environment/bin/python", "{place}/scoring", "serve", "--model", "{place}/model{file}", \
"--facts", "{place}/facts.json", "--host", "0.0.0.0", "--port", "{port}"]
"""


class Needed(msgspec.Struct, frozen=True, kw_only=True):
    """An environment whose packages are asked for, and what paths in its lock are relative to."""

    environment: EnvironmentState
    directory: str


class ImageMakers(msgspec.Struct, frozen=True, kw_only=True):
    """Who brings the packages of a lock as files into a folder, and who has the image built from a folder
    that has a Dockerfile, under a name. Both raise EnvironmentFailed."""

    packages: Callable[[Needed, bytes, Path, Report], tuple[Package, ...]]
    image: Callable[[Path, str, Report], ImageState]


class BuiltImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image that serves a model at `port`, in the environment of `lock`."""

    name: str
    image: ImageState
    base: str
    port: int
    environment: EnvironmentState


def build_image(search: ModelSearch, makers: ImageMakers, name: str, base: str | None) -> BuiltImage:
    """Has the image made, on the `base` image or that of the model's Python. Raises DataError,
    EnvironmentFailed."""
    with interruptible(), found_model(search) as found, search.tools.workplace() as folder:
        _, decided = locked(wanted(found, search), found, search)
        if decided.kind != "virtualenv" or decided.lock is None or decided.python is None:
            raise EnvironmentFailed(
                f"an image is made of a locked virtualenv, and the model's is another: {decided.because}",
                hint="`--env-manager virtualenv` has it as one",
            )
        state = environment_state(decided)
        chosen = base or f"python:{decided.python.version}-slim"
        context = folder / "context"
        needed = Needed(environment=state, directory=str(found.folder))
        (folder / "packages").mkdir()
        packages = makers.packages(needed, decided.lock.text, folder / "packages", search.report)
        _lay_out(context, found, packages)
        (context / "Dockerfile").write_text(_dockerfile(chosen, decided, found))
        image = makers.image(context, name, search.report)
    return BuiltImage(name=name, image=image, base=chosen, port=PORT, environment=state)


def _lay_out(context: Path, found: FoundModel, packages: tuple[Package, ...]) -> None:
    for place in ("packages", "model"):
        (context / place).mkdir(parents=True)
    for package in packages:
        shutil.copyfile(package.path, context / "packages" / package.name)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROGRAM, context / "scoring", ignore=ignored)
    if found.place.is_dir():
        shutil.copytree(found.place, context / "model", ignore=ignored, dirs_exist_ok=True)
    else:
        shutil.copyfile(found.place, context / "model" / found.place.name)
    (context / "facts.json").write_text(json.dumps(facts(found)))
    for path in context.rglob("*"):
        # Whoever the container runs as is to read them.
        path.chmod(0o755 if path.is_dir() else 0o644)


def _dockerfile(base: str, decided: LockedEnvironment, found: FoundModel) -> str:
    assert decided.python is not None
    return _DOCKERFILE.format(
        base=base,
        python=".".join(decided.python.version.split(".")[:2]),
        place=_PLACE,
        port=PORT,
        file="" if found.place.is_dir() else f"/{found.place.name}",
    )
