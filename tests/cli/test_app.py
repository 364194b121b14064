"""The command line as a whole: help, version, completion, check, init, doctor, and what is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlproj import __version__
from mlproj.cli.app import COMMANDS
from tests.cli.conftest import Mlproj
from tests.conftest import ProjectMaker, git


def test_the_version_is_printed(mlproj: Mlproj) -> None:
    assert mlproj("--version").stdout == f"mlproj {__version__}\n"


def test_help_names_every_command_and_each_has_its_own(mlproj: Mlproj) -> None:
    text = mlproj("--help").stdout
    for name, summary in COMMANDS.items():
        assert name in text and summary in text
        assert mlproj(name, "--help").code == 0


def test_help_loads_nothing_that_it_does_not_need() -> None:
    program = (
        "import sys; from mlproj.cli.app import invoke; invoke(['--help']); "
        "heavy = {'rich.console', 'yaml', 'sqlalchemy', 'alembic', 'git', 'msgspec', 'psutil', 'sqlite3'}; "
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True)
    assert done.returncode == 0, f"loaded: {done.stderr}"


def test_an_unknown_command_is_a_usage_error(mlproj: Mlproj) -> None:
    answer = mlproj("runn")
    assert answer.code == 2 and "runn" in answer.stderr


def test_completion_is_offered(mlproj: Mlproj) -> None:
    variables = {"_MLPROJ_COMPLETE": "complete_bash", "COMP_WORDS": "mlproj ver", "COMP_CWORD": "1"}
    assert "verify" in mlproj(variables=variables).stdout


def test_init_writes_a_project_that_check_accepts_and_that_runs(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    folder = make_project({"train.py": "print('learnt')\n"})
    made = mlproj("init", cwd=folder)
    assert made.code == 0 and (folder / "MLproject").exists()
    assert mlproj("check", cwd=folder).code == 0
    assert "learnt" in mlproj("run", ".", "--env-manager", "local", cwd=folder).stdout
    again = mlproj("init", cwd=folder)
    assert again.code != 0 and again.stderr.startswith("error: ")


def test_check_tells_file_line_and_what_was_meant(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    text = "name: x\nentry_points:\n  main:\n    paramters: {a: float}\n    command: python t.py\n"
    folder = make_project({"MLproject": text})
    answer = mlproj("check", cwd=folder)
    assert answer.code == 0 and "MLproject:4: warning" in answer.stdout and "parameters" in answer.stdout
    assert mlproj("check", "--strict", cwd=folder).code == 3
    (folder / "MLproject").write_text("entry_points:\n  main:\n    command: [not, text]\n")
    refused = mlproj("check", "--json", cwd=folder)
    assert refused.code == 3
    finding = refused.document["findings"][0]
    assert finding["severity"] == "error" and finding["location"] == {"file": "MLproject", "line": 3}


def test_the_project_s_parameters_are_shown_with_their_descriptions(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    text = """\
entry_points:
  main:
    parameters:
      n-class: {type: int, default: 3, description: how many kinds}
    command: "echo {n-class}"
"""
    folder = make_project({"MLproject": text})
    for arguments in (("run", ".", "--help-project"), ("check", ".")):
        answer = mlproj(*arguments, cwd=folder)
        assert answer.code == 0 and "n-class" in answer.stdout and "how many kinds" in answer.stdout
    assert mlproj("run", ".", "--env-manager", "local", cwd=folder).stdout == "3\n"
    assert "how many kinds" in mlproj("show").stdout


def test_doctor_says_what_is_there(mlproj: Mlproj) -> None:
    checks = {check["name"]: check["state"] for check in mlproj("doctor", "--json").document["checks"]}
    assert checks["mlproj"] == checks["git"] == checks["bash"] == "ok"
    assert checks["store"] == "missing"


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_wrong_option_is_told_without_a_traceback(mlproj: Mlproj, command: str) -> None:
    answer = mlproj(command, "--no-such-thing")
    assert answer.code == 2 and "--no-such-thing" in answer.stderr and "Traceback" not in answer.stderr


def test_no_command_gives_the_help_and_a_near_one_a_suggestion(mlproj: Mlproj) -> None:
    alone = mlproj()
    assert (alone.code, alone.stdout) == (2, "")
    assert alone.stderr.startswith("Usage: mlproj [OPTIONS] COMMAND") and "error" not in alone.stderr
    assert "did you mean `runs`?" in mlproj("rnus").stderr


def test_what_a_project_offers_is_told_in_json_too(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    text = (
        "entry_points: {main: {parameters: {a: {type: float, default: 1}}, command: 'x {a}', outputs: [m]}}"
    )
    folder = make_project({"MLproject": text})
    told = mlproj("run", ".", "--help-project", "--json", cwd=folder).document
    assert told["schema"] == "mlproj/project/1" and told["name"] is None
    (entry,) = told["entry_points"]
    assert (entry["name"], entry["command"], entry["outputs"]) == ("main", "x {a}", ["m"])
    assert entry["parameters"]["a"]["type"] == "float" and entry["parameters"]["a"]["default"] == "1"
    assert not mlproj("check", cwd=folder).stdout.startswith("project "), "no name, no row for it"


def test_check_takes_what_run_takes(make_project: ProjectMaker, mlproj: Mlproj, tmp_path: Path) -> None:
    origin = make_project({"sub/MLproject": "entry_points: {main: {command: echo}}"})
    git(tmp_path, "clone", "--quiet", "--bare", str(origin), str(tmp_path / "r.git"))
    answer = mlproj("check", f"file://{tmp_path}/r.git#sub", "-v", "main")
    assert answer.code == 0 and "-e main" in answer.stdout
    assert mlproj("check", "nowhere").code == 3
