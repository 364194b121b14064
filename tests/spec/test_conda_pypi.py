"""conda files served by virtualenvs: names by the table, versions in PyPI's notation, and no silence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from mlproj.errors import EnvironmentFailed, UsageError
from mlproj.model.environment import CondaSpec, DockerSpec, SystemSpec, VirtualenvSpec
from mlproj.spec import environment_for, read_project
from mlproj.spec.conda_pypi import (
    TABLE,
    WITHIN_PYTHON,
    WITHIN_WHEELS,
    as_virtualenv,
    read,
    requirement,
    table,
)

MAIN = "entry_points:\n  main:\n    command: echo\n"
WITHIN = (WITHIN_WHEELS, WITHIN_PYTHON)
KNOWN = sorted(name for name, project in table().items() if project not in WITHIN)


def translated(*dependencies: str, pip: tuple[str, ...] = (), file: str = "conda.yaml") -> VirtualenvSpec:
    spec = CondaSpec(file=file, dependencies=dependencies, pip=pip, because="it is named")
    return as_virtualenv(spec, (None,) * len(dependencies), "the test wants it")


def chosen(folder: Path, files: dict[str, bytes | str], manager: str | None) -> object:
    for name, content in {"MLproject": f"conda_env: conda.yaml\n{MAIN}", **files}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return environment_for(read_project(folder), folder, manager)


@pytest.mark.parametrize(
    ("conda", "pypi"),
    [
        ("numpy", "numpy"),
        ("numpy=1.19", "numpy==1.19.*"),
        ("numpy==1.19.2", "numpy==1.19.2"),
        ("numpy 1.19.2", "numpy==1.19.2"),
        ("numpy 1.19.*", "numpy==1.19.*"),
        ("numpy=1.19.*", "numpy==1.19.*"),
        ("numpy=1.19.2=py38h54aff64_0", "numpy==1.19.2"),
        ("numpy==1.19.2=py38h54aff64_0", "numpy==1.19.2"),
        ("numpy 1.19.2 py38h54aff64_0", "numpy==1.19.2"),
        ("numpy>=1.19,<2", "numpy>=1.19,<2"),
        ("numpy >= 1.19, < 2", "numpy>=1.19,<2"),
        ("numpy>=1.19.*", "numpy>=1.19"),
        ("numpy!=1.19.*", "numpy!=1.19.*"),
        ("numpy~=1.19", "numpy~=1.19"),
        ("numpy=*", "numpy"),
        ("numpy[version='>=1.19,<2',build=py38_0]", "numpy>=1.19,<2"),
        ("conda-forge::numpy=1.19", "numpy==1.19.*"),
        ("https://conda.example/forge::numpy", "numpy"),
        ("PyYAML=5.4", "pyyaml==5.4.*"),
        ("pytorch::pytorch=1.10.0=py3.8_cuda11.1_cudnn8_0", "torch==1.10.0"),
        ("ruamel.yaml=0.17", "ruamel-yaml==0.17.*"),
        ("py-xgboost", "xgboost"),
        ("matplotlib-base", "matplotlib"),
        ("opencv=4.5", "opencv-python==4.5.*"),
        ("python-graphviz", "graphviz"),
        ("redis-py=7.3", "redis==7.3.*"),
        ("ydata-profiling=4.16.0", "ydata-profiling==4.16.0.*"),
        ("psycopg2-binary=2.9.9", "psycopg2-binary==2.9.9.*"),
        ("scikit-survival=0.17.0=py37h5685391_0", "scikit-survival==0.17.0"),
        ("pip=20.2", "pip==20.2.*"),
        ("setuptools", "setuptools"),
    ],
)
def test_a_package_is_asked_of_pypi(conda: str, pypi: str) -> None:
    assert translated(conda).build_dependencies == (pypi,)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("python", None),
        ("python=3.8", "3.8"),
        ("python==3.8.5", "3.8.5"),
        ("python 3.8.5 h7579374_1", "3.8.5"),
        ("python=3.8.*", "3.8"),
        ("python>=3.6,<3.9", ">=3.6,<3.9"),
        ("conda-forge::python=3.10", "3.10"),
    ],
)
def test_the_python_is_the_one_that_is_asked_for(asked: str, found: str | None) -> None:
    assert translated(asked, "numpy").python == found
    assert translated("numpy").python is None


def test_the_pip_list_stays_and_outranks_the_packages() -> None:
    pip = ("mlflow==1.30.0", "git+https://git.example/a.git", "scikit-learn[x]>=1; python_version < '4'")
    spec = translated("numpy=1.19", pip=pip)
    assert spec.dependencies == pip
    assert "conda" not in spec.because and "as a virtualenv" in spec.because


def test_paths_of_the_pip_list_are_relative_to_its_file() -> None:
    pip = ("-r more.txt", "-e .", "-e ./own[extra]", "./wheel.whl", "-e git+https://git.example/a.git")
    assert translated(pip=pip).dependencies == pip
    assert translated(pip=pip, file="env/conda.yaml").dependencies == (
        *("-r env/more.txt", "-e ./env", "-e ./env/own[extra]", "./env/wheel.whl"),
        "-e git+https://git.example/a.git",
    )


def test_every_package_that_cannot_be_had_is_named_with_its_line(tmp_path: Path) -> None:
    text = (
        "dependencies:\n  - python=3.8\n  - cudatoolkit=11.1\n  - numpy=1.19|1.20\n  - pip:\n    - six\n"
        "  - r-base\n  - libgcc-ng=9.1.0=hdf63c60_0\n  - scipy\n  - = 3\n"
    )
    with pytest.raises(EnvironmentFailed) as caught:
        chosen(tmp_path, {"conda.yaml": text}, "virtualenv")
    told = caught.value.output.splitlines()
    assert [line.partition(" ")[0] for line in told] == [f"conda.yaml:{n}:" for n in (3, 4, 7, 8, 10)]
    for package in ("cudatoolkit=11.1", "numpy=1.19|1.20", "r-base", "libgcc-ng=9.1.0=hdf63c60_0"):
        assert f"`{package}`" in caught.value.message
    assert caught.value.hint and "alternatives" in told[1]


def test_builds_that_are_left_out_are_told() -> None:
    assert (
        "builds that it names of pytorch, scipy"
        in translated("pytorch=1.10=py3.8_cuda11.1_cudnn8_0", "numpy=1.19", "scipy 1.5 py38_0").because
    )


def test_variables_that_are_not_set_are_told() -> None:
    spec = CondaSpec(
        file="c.yaml", dependencies=("numpy",), variables=(("A", "1"), ("B", "2")), because="named"
    )
    assert "; without the variables A, B" in as_virtualenv(spec, (1,), "asked for").because


def test_what_wheels_bring_along_is_not_asked_for() -> None:
    spec = translated("nomkl", "libgfortran5", "numpy")
    assert spec.build_dependencies == ("numpy",)
    assert "what wheels bring themselves is left out: nomkl, libgfortran5" in spec.because


def test_an_export_of_a_bare_python_is_that_python() -> None:
    exported = (
        "bzip2=1.0.8 ca-certificates=2025.2.25=haa95532_0 openssl=1.1.1q=h2bbff1b_0 tzdata=2023c vc=14.42"
    )
    spec = translated(
        "python=3.12.9", *exported.split(), "sqlite 3.45.3", "libopenblas=0.3.7=h3d69b6c_7", "wheel=0.45.1"
    )
    assert (spec.python, spec.build_dependencies) == ("3.12.9", ("wheel==0.45.1.*",))
    assert "what the interpreter brings itself is left out: bzip2, ca-certificates, openssl" in spec.because
    assert "what wheels bring themselves is left out: libopenblas" in spec.because
    assert "the builds" not in spec.because


@pytest.mark.parametrize("asked", ["sqlite", "openssl>=3", "tk=*", "xz=5|6"])
def test_a_part_of_python_that_is_asked_for_by_hand_is_not_left_out(asked: str) -> None:
    with pytest.raises(EnvironmentFailed) as caught:
        translated("python=3.12", asked)
    assert f"`{asked}`" in caught.value.message


@pytest.mark.parametrize(
    "asked", ["redis", "tzdata", "databricks-cli", "spark>=3.0.0", "torch==1.9.0", "mkl"]
)
def test_a_name_that_is_something_else_on_pypi_or_nothing_for_conda_is_refused(asked: str) -> None:
    with pytest.raises(EnvironmentFailed, match="1 package of"):
        translated(asked)


@pytest.mark.parametrize("manager", ["virtualenv", "uv"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_conda_project_is_served_by_a_virtualenv_where_that_is_asked_for(
    tmp_path: Path, manager: str, encoding: str
) -> None:
    text = (
        "name: env\r\nchannels: [conda-forge, defaults]\r\nprefix: /home/ada/env\r\n"
        "dependencies:\r\n  - python=3.8\r\n  - scikit-learn=0.24\r\n  - pip\r\n"
        "  - pip:\r\n    - -r more.txt\r\n    - six==1.16.0\r\n"
    )
    files: dict[str, bytes | str] = {"conda.yaml": text.encode(encoding), "more.txt": "-c pins.txt\n"}
    spec = chosen(tmp_path, {**files, "pins.txt": ""}, manager)
    assert isinstance(spec, VirtualenvSpec)
    assert (spec.python, spec.build_dependencies) == ("3.8", ("scikit-learn==0.24.*", "pip"))
    assert spec.dependencies == ("-r more.txt", "six==1.16.0")
    assert spec.files == ("conda.yaml", "more.txt", "pins.txt")
    assert f"--env-manager {manager}" in spec.because and "`conda_env` in MLproject" in spec.because


@pytest.mark.parametrize("manager", [None, "conda"])
def test_without_that_wish_it_stays_a_conda_environment(tmp_path: Path, manager: str | None) -> None:
    assert isinstance(chosen(tmp_path, {"conda.yaml": "dependencies: [r-base]"}, manager), CondaSpec)


def test_a_manager_that_cannot_serve_a_project_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is a conda environment .*, and docker cannot build one"):
        chosen(tmp_path, {"conda.yaml": "dependencies: []"}, "docker")
    docker = {"MLproject": f"name: p\ndocker_env:\n  image: python\n{MAIN}"}
    assert isinstance(chosen(tmp_path, dict(docker), None), DockerSpec)
    for manager in ("virtualenv", "uv", "conda"):
        with pytest.raises(UsageError, match=f"is a container image .*, and {manager} cannot build one"):
            chosen(tmp_path, dict(docker), manager)
    local = chosen(tmp_path, dict(docker), "local")
    assert isinstance(local, SystemSpec) and "in place of `docker_env` in MLproject" in local.because


def test_the_table_is_whole_and_says_where_each_name_is_from() -> None:
    lines = TABLE.read_text().splitlines()
    head = [line for line in lines if line.startswith("#")]
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    sources = {line.split()[1] for line in head if re.match(r"#   \w+  ", line)}
    assert "November 2026" in "".join(head) and {row[2] for row in rows} == sources
    assert len(rows) == len(table()) >= 300
    for name, project, _ in rows:
        assert name == name.lower()
        if project not in WITHIN:
            asked = Requirement(project)
            assert canonicalize_name(asked.name) == asked.name


def test_the_commonest_packages_are_known() -> None:
    for name in COMMON.split():
        assert table().get(name) not in (None, *WITHIN), name


COMMON = """
numpy pandas scikit-learn scipy matplotlib seaborn pytorch torchvision tensorflow keras statsmodels nltk
xgboost py-xgboost lightgbm catboost opencv pillow pyyaml click requests joblib tqdm spacy transformers
jupyter notebook ipykernel pip setuptools wheel mlflow boto3 cloudpickle pyspark dask hydra-core gensim
shap plotly python-dotenv pyarrow
"""
VERSIONS = st.lists(st.integers(0, 30), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))


@given(st.sampled_from(KNOWN), VERSIONS, st.sampled_from(["", "=py38_0", "=h7f8727e_1"]))
def test_one_equals_sign_is_a_beginning_and_with_a_build_the_whole(
    name: str, version: str, build: str
) -> None:
    [asked] = translated(f"{name}={version}{build}").build_dependencies
    specifier = Requirement(asked).specifier
    assert specifier.contains(version)
    assert specifier.contains(f"{version}.7") == (not build)
    assert not specifier.contains(f"{version}1")


@given(VERSIONS, VERSIONS, st.sampled_from([">=", "<=", ">", "<", "==", "!="]))
def test_comparisons_mean_what_they_mean_for_conda(bound: str, version: str, operator: str) -> None:
    here, there = Version(version), Version(bound)
    wanted = {
        ">=": here >= there,
        "<=": here <= there,
        ">": here > there,
        "<": here < there,
        "==": here == there,
        "!=": here != there,
    }
    assert SpecifierSet(requirement(f"{operator}{bound}")).contains(version) == wanted[operator]


@given(st.text(alphabet="abzPY-_.=<>!~|,*[]':: 0123456789", max_size=40) | st.text(max_size=40))
def test_whatever_stands_there_is_translated_or_told(text: str) -> None:
    try:
        spec = translated(text)
    except EnvironmentFailed as error:
        assert error.output.startswith("conda.yaml: `") and "1 package of" in error.message
        return
    for line in spec.build_dependencies:
        Requirement(line)
    assert spec.build_dependencies or read(text).name == "python" or table()[read(text).name] in WITHIN
