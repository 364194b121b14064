"""What is read of requirement lines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.environments.requirements import (
    LocalPackage,
    content_of,
    local_packages_of_lock,
    read_requirements,
)
from mlproj.spec.requirements import normalized
from tests.conftest import ProjectMaker


def test_names_are_read_through_included_files(make_project: ProjectMaker) -> None:
    project = make_project(
        {
            "a/all.txt": "-r more.txt  # why\n--requirement=../b.txt\nSix==1.16.0 ; python_version > '3'\n",
            "a/more.txt": "scikit_learn[alldeps]>=1 \\\n  ,<2\n-c pins.txt\n",
            "a/pins.txt": "numpy<2\n",
            "b.txt": "-r a/all.txt\nmlflow @ https://example.org/mlflow.whl\n",
        },
        git=False,
    )
    found = read_requirements(("-ra/all.txt",), project, {})
    assert found.names == {"six", "scikit-learn", "mlflow"}
    names = {path.resolve().relative_to(project.resolve()).as_posix() for path in found.files}
    assert names == {"a/all.txt", "a/more.txt", "a/pins.txt", "b.txt"}


@pytest.mark.parametrize(
    ("line", "editable"),
    [
        ("-e .", True),
        ("-e./ours", True),
        ("--editable=./ours[all]", True),
        ("./ours", False),
        ("ours @ file:ours", False),
        (".", False),
        ("./ours ; python_version > '3'", False),
    ],
)
def test_local_packages_are_found(make_project: ProjectMaker, line: str, editable: bool) -> None:
    project = make_project({"ours/setup.py": "", "setup.py": ""}, git=False)
    (package,) = read_requirements((line,), project, {}).local
    assert package.editable is editable
    assert package.path in (project, project / "ours")


def test_an_editable_repository_is_put_as_uv_takes_it(tmp_path: Path) -> None:
    lines = ("-e git+https://example.org/a.git@v1#egg=a", "-e git+https://example.org/b.git")
    found = read_requirements(lines, tmp_path, {})
    assert found.lines == ("a @ git+https://example.org/a.git@v1", "git+https://example.org/b.git")
    assert found.local == ()


def test_servers_with_credentials_are_found_variables_filled_in(tmp_path: Path) -> None:
    lines = ("--index-url https://ada:${WORD}@one.example/simple", "six")
    found = read_requirements(lines, tmp_path, {"WORD": "x"})
    assert found.origins == ("https://ada:x@one.example/",)
    assert found.lines == lines


def test_the_content_of_a_local_package_is_its_files_and_not_what_building_leaves(
    make_project: ProjectMaker,
) -> None:
    project = make_project({"setup.py": "", "code.py": "1"}, git=False)
    whole = LocalPackage(path=project, editable=False)
    before = content_of(whole)
    (project / "build").mkdir()
    (project / "build" / "code.py").write_text("1")
    (project / "code.pyc").write_text("")
    assert content_of(whole) == before
    (project / "code.py").write_text("2")
    assert content_of(whole) != before
    editable = LocalPackage(path=project, editable=True)
    before = content_of(editable)
    (project / "code.py").write_text("3")
    os.mkfifo(project / "setup.cfg")  # nobody writes into it
    assert content_of(editable) == before
    (project / "setup.py").write_text("1")
    assert content_of(editable) != before


@given(st.lists(st.text(max_size=40), max_size=6))
def test_no_text_is_too_odd_to_be_read(lines: list[str]) -> None:
    read_requirements(lines, Path("/nowhere"), {})


@given(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?", fullmatch=True))
def test_every_valid_name_is_read(name: str) -> None:
    assert read_requirements((f"{name}>=1",), Path("/nowhere"), {}).names == {normalized(name)}


def test_addresses_and_paths_that_are_none_are_left_to_the_installer() -> None:
    lines = ("-e file://[x/y", "p @ https://u:p@[::1/x.whl", "./" + "a" * 300, "-e .\\\n" * 500)
    found = read_requirements(lines, Path("/nowhere"), {})
    assert (found.local, found.origins) == ((), ())
    assert local_packages_of_lock(f'path = "{"a" * 300}"', Path("/nowhere")) == ()


@pytest.mark.parametrize("line", ["~a\0b/c", "-e ~\0", "file:/a%00b", "~x[extra\0]/y"])
def test_a_path_that_no_system_has_is_left_to_the_installer(tmp_path: Path, line: str) -> None:
    assert read_requirements((line,), tmp_path, {}).local == ()


def test_files_that_include_each_other_in_a_long_row_end_somewhere(tmp_path: Path) -> None:
    for number in range(1500):
        (tmp_path / f"{number}.txt").write_text(f"-r {number + 1}.txt\np{number}\n")
    assert len(read_requirements(("-r 0.txt",), tmp_path, {}).files) == 200
