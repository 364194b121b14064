"""What `docker_env` says beyond MLflow's form: how an image is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlproj.model.environment import DockerSpec, ImageBuild
from tests.spec.making import project, refused

FILES: dict[str, str | bytes] = {"Dockerfile": "FROM x\n", "images/train/Dockerfile.gpu": "FROM x\n"}


def spec(tmp_path: Path, value: str) -> DockerSpec:
    found = project(tmp_path, {**FILES, "MLproject": f"name: x\ndocker_env: {value}\n"})
    assert [item.message for item in found.findings] == []
    assert isinstance(found.environment, DockerSpec)
    return found.environment


@pytest.mark.parametrize(
    ("value", "build"),
    [
        ("{dockerfile: Dockerfile}", ImageBuild(dockerfile="Dockerfile")),
        ("{context: .}", ImageBuild(dockerfile="Dockerfile")),
        (
            "{dockerfile: images/train/Dockerfile.gpu}",
            ImageBuild(dockerfile="images/train/Dockerfile.gpu"),
        ),
        (
            "{dockerfile: images/train/Dockerfile.gpu, context: images}",
            ImageBuild(dockerfile="images/train/Dockerfile.gpu", context="images"),
        ),
        ("{build: .}", ImageBuild(dockerfile="Dockerfile")),
        ("{build: {dockerfile: Dockerfile}}", ImageBuild(dockerfile="Dockerfile")),
        (
            "{build: {context: images, dockerfile: train/Dockerfile.gpu}}",
            ImageBuild(dockerfile="images/train/Dockerfile.gpu", context="images"),
        ),
        (
            "{build: {dockerfile: Dockerfile, args: {BASE: debian, N: 3}}}",
            ImageBuild(dockerfile="Dockerfile", arguments=(("BASE", "debian"), ("N", "3"))),
        ),
    ],
)
def test_an_image_may_be_built(tmp_path: Path, value: str, build: ImageBuild) -> None:
    assert spec(tmp_path, value).build == build


def test_an_image_that_is_built_may_have_a_name_for_mlflow(tmp_path: Path) -> None:
    found = spec(tmp_path, "{image: trainer, dockerfile: Dockerfile}")
    assert (found.image, found.build) == ("trainer", ImageBuild(dockerfile="Dockerfile"))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{dockerfile: Dockerfil}", "built by `Dockerfil`, and there is no such file"),
        (f"{{build: {'x' * 5000}}}", "there is no such folder"),
        ("{build: nowhere}", "built from `nowhere`, and there is no such folder"),
        ("{build: [a]}", "`docker_env.build` must be a folder or a mapping"),
        ("{build: {args: [a]}}", "`docker_env.build.args` must be a mapping"),
        ("{build: {args: {a: [b]}}}", "`docker_env.build.args.a` must be a text"),
        ("{context: [a]}", "`docker_env.context` must be a text"),
    ],
)
def test_one_that_cannot_be_built_is_refused_with_its_line(tmp_path: Path, value: str, said: str) -> None:
    error = refused(tmp_path, {**FILES, "MLproject": f"name: x\ndocker_env: {value}\n"})
    assert said in error.message and "MLproject:2" in error.message
