"""`check` finds what is wrong with a project's files, `init` writes files with which nothing is."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlproj.errors import SpecError
from mlproj.model.plan import Origin
from mlproj.services.check import check
from mlproj.services.init import init
from mlproj.services.locate import locate
from mlproj.spec import read_project


def told(folder: Path, text: str) -> list[tuple[str, str, str]]:
    (folder / "MLproject").write_text(text)
    return [(finding.severity, str(finding.location), finding.message) for finding in check(folder)]


def test_a_project_without_faults_has_no_findings(tmp_path: Path) -> None:
    text = "entry_points:\n  main:\n    parameters: {a: float}\n    command: echo '{a}' \"{a}\" {a}\n"
    assert told(tmp_path, text) == []
    text = "entry_points:\n  main:\n    parameters: {a: float}\n    command: python -c 'import train' {a}\n"
    assert told(tmp_path, text) == []
    text = "entry_points:\n  main:\n    command: |\n      echo \\\n        my\\ file \\\n        b \\\n"
    assert told(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "severity", "place", "said"),
    [
        ("name: [\n", "error", "MLproject:2", "is not valid YAML"),
        ("nmae: a\n", "warning", "MLproject:1", "`nmae` is not a key"),
        ("entry_points: {train: {command: a}}", "warning", "MLproject:1", "no entry point `main`"),
        (
            "entry_points:\n  main:\n    parameters:\n      a: int\n    command: echo\n",
            "warning",
            "MLproject:4",
            "never uses it",
        ),
        (
            "entry_points:\n  main:\n    command: >\n      python t.py \\\n      --a 1 \\\n      --b 2\n",
            "warning",
            "MLproject:3",
            "a backslash stands before a blank",
        ),
        (
            "entry_points:\n  main:\n    command: |\n      python t.py \\ \n      --a 1\n",
            "warning",
            "MLproject:3",
            "a backslash stands before a blank",
        ),
        (
            "entry_points:\n  main:\n    command: echo {b} {b}\n",
            "error",
            "MLproject:3",
            "declares no such parameter",
        ),
        (
            "entry_points:\n  main:\n    parameters: {a: int}\n    command: bash -c 'echo {a}'\n",
            "warning",
            "MLproject:4",
            "stands in a nested shell",
        ),
        (
            "entry_points:\n  main:\n    parameters: {a: int}\n    command: python -c 'print({a})' {a}\n",
            "warning",
            "MLproject:4",
            "becomes part of a program there",
        ),
        (
            "entry_points:\n  main:\n    parameters: {a: int}\n    command: echo {a.real}\n",
            "error",
            "MLproject:4",
            "reaches into",
        ),
        (
            "entry_points:\n  main:\n    parameters:\n      a: {type: path, default: gone}\n"
            "    command: x{a}\n",
            "warning",
            "MLproject:4",
            "no file or folder `gone`",
        ),
        (
            "entry_points:\n  main:\n    parameters:\n      a: {type: int, default: x}\n    command: a {a}\n",
            "warning",
            "MLproject:4",
            "is not a whole number",
        ),
        (
            "entry_points:\n  main:\n    outputs: [/tmp/x]\n    command: a\n",
            "error",
            "MLproject:2",
            "must be a path below the project's folder",
        ),
    ],
)
def test_each_fault_is_found_where_it_is(
    tmp_path: Path, text: str, severity: str, place: str, said: str
) -> None:
    found = told(tmp_path, text)
    assert [(item[0], item[1]) for item in found] == [(severity, place)]
    assert said in found[0][2]


def test_a_path_that_another_entry_point_makes_is_not_missed(tmp_path: Path) -> None:
    text = """\
entry_points:
  main:
    parameters:
      table: {type: path, default: data/part.csv}
      model: {type: path, default: model.bin}
    command: fit {table} {model}
  prepare:
    parameters: {out: {default: data}}
    outputs: ["{out}"]
    command: prepare {out}
"""
    assert [message for *_, message in told(tmp_path, text)] == [
        "the default of `model` is a path, and there is no file or folder `model.bin`"
    ]


def test_a_requirements_file_that_is_missing_is_found(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("six\n-r gone.txt\n")
    found = told(tmp_path, "entry_points: {main: {command: a}}")
    assert found == [("error", "requirements.txt:2", "there is no requirements file `gone.txt`")]


def test_a_folder_without_a_project_is_told(tmp_path: Path) -> None:
    assert ["there is no MLproject" in finding.message for finding in check(tmp_path)] == [True]


@pytest.mark.parametrize(
    ("files", "written", "commands"),
    [
        ((), {"MLproject", "python_env.yaml"}, {"main": "python main.py"}),
        (
            ("train.py", "evaluate.py", "requirements.txt"),
            {"MLproject", "python_env.yaml"},
            {"main": "python train.py", "evaluate": "python evaluate.py"},
        ),
        (("main.py", "conda.yaml"), {"MLproject"}, {"main": "python main.py"}),
        (("main.py", "uv.lock", "pyproject.toml"), {"MLproject"}, {"main": "python main.py"}),
    ],
)
def test_init_writes_a_project_that_fits_the_folder(
    tmp_path: Path, files: tuple[str, ...], written: set[str], commands: dict[str, str]
) -> None:
    for file in files:
        (tmp_path / file).write_text("")
    assert {path.name for path in init(tmp_path, 'na: "me" # {x}')} == written
    project = read_project(tmp_path)
    assert project.name == 'na: "me" # {x}'
    assert {entry.name: entry.command for entry in project.entry_points} == commands
    assert {finding.severity for finding in check(tmp_path)} <= {"note"}


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "mlproject").write_text("name: mine\n")
    with pytest.raises(SpecError, match="holds an MLproject already"):
        init(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mlproject"]


def test_a_path_is_found_beside_whoever_named_it_first(tmp_path: Path) -> None:
    caller, project = tmp_path / "caller", tmp_path / "project"
    for folder in (caller, project):
        folder.mkdir()
        (folder / "both").write_text("")
    (project / "only here").write_text("")

    def found(text: str, origin: Origin) -> tuple[Path, str] | None:
        return locate(text, origin, caller=caller, project=project)

    assert found("both", Origin.GIVEN) == (caller / "both", "caller")
    assert found("both", Origin.DEFAULT) == (project / "both", "project")
    assert found("only here", Origin.GIVEN) == (project / "only here", "project")
    assert found(str(project / "both"), Origin.GIVEN) == (project / "both", "absolute")
    assert found(f"file://{project}/only%20here", Origin.GIVEN) == (project / "only here", "absolute")
    for text in ("gone", "", "a\0b", "s3://b/c", "file://host/x"):
        assert found(text, Origin.GIVEN) is None


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        ("name=1.2", "error"),
        ("six ==", "error"),
        ("six==1.16.0", None),
        ("six >=1,<2 ; python_version < '4'  # why", None),
        ("six==1.16.0 --hash=sha256:00", None),
        ("./package", None),
        ("git+https://example.org/r.git", None),
        ("-r other.txt", None),
        ("tool @ https://example.org/tool.whl", None),
    ],
)
def test_a_requirement_that_nobody_can_read_is_an_error(
    tmp_path: Path, line: str, severity: str | None
) -> None:
    (tmp_path / "other.txt").write_text("six\n")
    (tmp_path / "env.yaml").write_text(f'dependencies: ["{line}"]\n')
    (tmp_path / "MLproject").write_text("python_env: env.yaml\nentry_points: {main: {command: echo}}\n")
    found = {finding.severity for finding in check(tmp_path) if line in finding.message}
    assert found == ({severity} if severity else set())


@pytest.mark.parametrize("line", ["six=1.16", "six==1.16"])
def test_lines_of_a_pip_list_are_looked_at_too(tmp_path: Path, line: str) -> None:
    (tmp_path / "c.yaml").write_text(f"dependencies: [python=3.9, pip: ['{line}']]\n")
    (tmp_path / "MLproject").write_text("conda_env: c.yaml\nentry_points: {main: {command: echo}}\n")
    errors = [finding for finding in check(tmp_path) if finding.severity == "error"]
    assert [finding.location.file for finding in errors] == ([] if "==" in line else ["c.yaml"])
