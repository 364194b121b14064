"""The image of a model, out of a folder that holds all that it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from docker.errors import APIError

from mlproj.engine import engine, explained
from mlproj.environments.docker_build import built, laid_out
from mlproj.environments.docker_images import split_name
from mlproj.errors import EnvironmentFailed
from mlproj.model.environment import ImageState
from mlproj.model.events import Report


def build_model_image(context: Path, name: str, environ: Mapping[str, str], report: Report) -> ImageState:
    """The image, under the name that was asked for. Raises EnvironmentFailed."""
    with engine(environ, timeout=None) as client:
        made = built(client, laid_out(context, "model"), report, refresh=False, make=True)
        assert made is not None, "it is made where it is not there"
        repository, tag = split_name(name)
        try:
            client.tag(made.id, repository, tag, force=True)
        except APIError as error:
            raise EnvironmentFailed(f"the image cannot be called `{name}`: {explained(error)}") from error
    return made
