"""The kinds of project that MLflow keeps among its own test resources: each form it accepts is planned alike.

Written anew after their forms: a conda project, a virtualenv project with and without a `python_env`, a
container project, and the ways in which each may be written down.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mlproj.errors import SpecError
from mlproj.model.environment import CondaSpec, DockerSpec, EnvironmentSpec, SystemSpec, VirtualenvSpec
from mlproj.spec import environment_for, read_project
from tests.spec.making import MAIN, project, refused

CONDA_YAML = (
    "name: tutorial\nchannels:\n  - defaults\ndependencies:\n  - python=3.9\n  - numpy\n  - pip:\n"
    "    - mlflow\n    - scikit-learn==1.0\n"
)
PYTHON_ENV = 'python: "3.9"\nbuild_dependencies: [pip]\ndependencies:\n  - -r requirements.txt\n'
CONDA: dict[str, str | bytes] = {"conda.yaml": CONDA_YAML}
PYTHON: dict[str, str | bytes] = {"python_env.yaml": PYTHON_ENV, "requirements.txt": "scikit-learn==1.0\n"}


def planned(folder: Path, head: str, files: dict[str, str | bytes], manager: str | None) -> EnvironmentSpec:
    found = project(folder, {**files, "MLproject": f"name: trial\n{head}{MAIN}"})
    return environment_for(found, folder, manager)


def essence(spec: EnvironmentSpec) -> tuple[object, ...]:
    """What a specification asks for, whatever it was read from."""
    match spec:
        case CondaSpec():
            return ("conda", spec.channels, spec.dependencies, spec.pip)
        case VirtualenvSpec():
            return ("virtualenv", spec.python, spec.build_dependencies, spec.dependencies)
        case DockerSpec():
            return ("docker", spec.image, spec.volumes, spec.environment)
        case SystemSpec():
            return ("system",)


@pytest.mark.parametrize("head", ["conda_env: conda.yaml\n", "conda_env: ./conda.yaml\n", ""])
@pytest.mark.parametrize("manager", [None, "conda"])
def test_a_conda_project_is_one_whether_it_is_named_or_found(
    tmp_path: Path, head: str, manager: str | None
) -> None:
    spec = planned(tmp_path, head, CONDA, manager)
    pip = ("mlflow", "scikit-learn==1.0")
    assert essence(spec) == ("conda", ("defaults",), ("python=3.9", "numpy"), pip)


@pytest.mark.parametrize("manager", ["virtualenv", "uv"])
def test_a_conda_project_is_served_by_a_virtualenv_with_nothing_dropped(tmp_path: Path, manager: str) -> None:
    spec = planned(tmp_path, "conda_env: conda.yaml\n", CONDA, manager)
    assert essence(spec) == ("virtualenv", "3.9", ("numpy",), ("mlflow", "scikit-learn==1.0"))


@pytest.mark.parametrize("head", ["python_env: python_env.yaml\n", ""])
@pytest.mark.parametrize("manager", [None, "virtualenv", "uv"])
def test_a_virtualenv_project_is_one_with_and_without_its_key(
    tmp_path: Path, head: str, manager: str | None
) -> None:
    spec = planned(tmp_path, head, PYTHON, manager)
    assert essence(spec) == ("virtualenv", "3.9", ("pip",), ("-r requirements.txt",))
    assert isinstance(spec, VirtualenvSpec) and set(spec.files) == {"python_env.yaml", "requirements.txt"}


def test_a_python_env_that_lies_beside_a_conda_file_wins_where_none_is_named(tmp_path: Path) -> None:
    spec = planned(tmp_path, "", {**PYTHON, **CONDA}, None)
    assert isinstance(spec, VirtualenvSpec)
    named = planned(tmp_path, "conda_env: conda.yaml\n", {**PYTHON, **CONDA}, None)
    assert isinstance(named, CondaSpec)


def test_a_project_with_nothing_is_a_virtualenv_where_that_is_asked_for(tmp_path: Path) -> None:
    assert essence(planned(tmp_path, "", {}, "virtualenv")) == ("virtualenv", None, (), ())
    assert essence(planned(tmp_path, "", {}, None)) == ("system",)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("docker_env:\n  image: trial:1.0\n", ("trial:1.0", (), ())),
        (
            "docker_env:\n  image: host:5000/trial@sha256:00\n  volumes: ['/a:/b', '$PWD:/c:ro']\n",
            ("host:5000/trial@sha256:00", ("/a:/b", "$PWD:/c:ro"), ()),
        ),
        (
            "docker_env:\n  image: trial\n  environment: [['NEW', 'a b'], 'COPIED']\n",
            ("trial", (), (("NEW", "a b"), ("COPIED", None))),
        ),
    ],
)
@pytest.mark.parametrize("manager", [None, "docker"])
def test_a_container_project_is_one_in_every_form(
    tmp_path: Path, head: str, expected: tuple[object, ...], manager: str | None
) -> None:
    assert essence(planned(tmp_path, head, {}, manager)) == ("docker", *expected)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("docker_env: {volumes: ['/a:/b']}\n", "image"),
        ("docker_env: {image: x, volumes: '/a:/b'}\n", "volumes"),
        ("docker_env: {image: x, environment: {A: b}}\n", "environment"),
        ("docker_env: {image: x, environment: [[a, b, c]]}\n", "environment"),
        ("conda_env: missing.yaml\n", "missing.yaml"),
        ("python_env: missing.yaml\n", "missing.yaml"),
        ("conda_env: conda.yaml\ndocker_env: {image: x}\n", "one environment"),
    ],
)
def test_what_mlflow_refuses_is_refused_with_its_line(tmp_path: Path, head: str, words: str) -> None:
    error = refused(tmp_path, {**CONDA, "MLproject": f"name: trial\n{head}{MAIN}"})
    assert words in error.message and error.file == "MLproject" and error.line is not None


@pytest.mark.parametrize(
    "key", ["conda_env: conda.yaml", "python_env: python_env.yaml", "docker_env: {image: x}"]
)
def test_each_of_them_runs_in_the_environment_here_where_that_is_asked_for(tmp_path: Path, key: str) -> None:
    assert isinstance(planned(tmp_path, f"{key}\n", {**PYTHON, **CONDA}, "local"), SystemSpec)


def test_a_broken_file_stops_all_but_the_environment_here(tmp_path: Path) -> None:
    (tmp_path / "MLproject").write_text(f"conda_env: conda.yaml\n{MAIN}")
    (tmp_path / "conda.yaml").write_text("dependencies: {a: b}\n")
    found = read_project(tmp_path)
    for manager in (None, "conda", "virtualenv"):
        with pytest.raises(SpecError, match=r"conda\.yaml:1"):
            environment_for(found, tmp_path, manager)
    assert isinstance(environment_for(found, tmp_path, "local"), SystemSpec)
