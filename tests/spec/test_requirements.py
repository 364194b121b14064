"""Lines of requirements files, joined and stripped as pip does it, and the files they take in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.errors import SpecError
from mlproj.spec.requirements import Inclusion, inclusion, lines, referenced


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("six\n\n  numpy  # why\n", [(1, "six"), (3, "numpy")]),
        ("six \\\n  >=1 \\\n  # why\nnumpy", [(1, "six   >=1"), (4, "numpy")]),
        ("# six \\\nnumpy", [(2, "numpy")]),
        ("six @ https://example.org/#egg=six", [(1, "six @ https://example.org/#egg=six")]),
        ("six \\", [(1, "six")]),
        ("#", []),
        (" # why\\", []),
    ],
)
def test_lines_are_joined_and_comments_taken_out(content: str, expected: list[tuple[int, str]]) -> None:
    assert list(lines(content)) == expected


@given(st.text(alphabet="ab#\\\n -", max_size=40))
def test_a_line_that_was_read_is_read_again_as_itself(content: str) -> None:
    for number, line in lines(content):
        assert line.strip() == line != ""
        assert 1 <= number <= content.count("\n") + 1
        if not line.endswith("\\"):
            assert list(lines(line)) == [(1, line)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-r a.txt", Inclusion(option="-r", file="a.txt")),
        ("-ra.txt", Inclusion(option="-r", file="a.txt")),
        ("-c  'a b.txt'", Inclusion(option="-c", file="a b.txt")),
        ("--requirement=a.txt", Inclusion(option="--requirement", file="a.txt")),
        ("--constraint a.txt", Inclusion(option="--constraint", file="a.txt")),
        ("--requirements a.txt", None),
        ("-e .", None),
        ("six", None),
        ("-r", None),
    ],
)
def test_a_line_that_takes_in_a_file_is_told(line: str, expected: Inclusion | None) -> None:
    assert inclusion(line) == expected


@pytest.mark.parametrize(
    ("line", "is_constraint", "is_plain"),
    [
        ("-r a.txt", False, True),
        ("--constraint=https://example.org/a.txt", True, False),
        ("-c ${FOLDER}/a.txt", True, False),
    ],
)
def test_constraints_and_files_that_are_elsewhere_are_told(
    line: str, is_constraint: bool, is_plain: bool
) -> None:
    found = inclusion(line)
    assert found is not None
    assert (found.is_constraint, found.is_plain) == (is_constraint, is_plain)


def test_endlessly_many_names_of_one_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-r a/requirements.txt\n-r b/requirements.txt\n")
    for name in ("a", "b"):
        (tmp_path / name).symlink_to(".")
    with pytest.raises(SpecError, match=r"more than 200 files \(.*requirements.txt:\d\)"):
        referenced(tmp_path, ((1, "-r requirements.txt"),), "python_env.yaml")


def test_a_file_that_takes_in_itself_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "requirements.txt").write_text("-r sub/../requirements.txt\n-c sub/b.txt\n" * 2)
    (tmp_path / "sub" / "b.txt").write_text("-r ../requirements.txt\n")
    found = referenced(tmp_path, ((None, "-r requirements.txt"),), "python_env.yaml")
    assert found == ("requirements.txt", "sub/b.txt")
