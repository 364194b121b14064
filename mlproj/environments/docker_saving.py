"""An image as a file, such as `docker load` reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from docker.errors import APIError, ImageNotFound

from mlproj.engine import engine, explained, told
from mlproj.environments.docker_images import short
from mlproj.errors import EnvironmentFailed
from mlproj.model.environment import ImageState
from mlproj.model.events import Ended, Progress, Report, Started


def save_image(image: ImageState, folder: Path, environ: Mapping[str, str], report: Report) -> Path:
    """Saves the image into `folder`, by its id, and returns the file. Raises EnvironmentFailed."""
    path = folder / f"{short(image.id)}.tar"
    report(Started(stage="save", detail=image.name))
    with engine(environ) as client, path.open("wb") as file:
        try:
            total = client.inspect_image(image.id).get("Size")
            done = 0
            for piece in client.get_image(image.id):
                file.write(piece)
                done += len(piece)
                report(Progress(stage="save", done=done, total=total, unit="bytes"))
        except ImageNotFound as error:
            raise EnvironmentFailed(
                f"the image `{image.name}` of the run (`{short(image.id)}`) is not here any more",
                hint="bring it here with `docker load` or `docker pull`, or export without `image`",
            ) from error
        except APIError as error:
            raise told(explained(error)) from error
    report(Ended(stage="save"))
    return path
