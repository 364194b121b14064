"""`--env-file` from the outside: what a script and mlproj itself get of it, and what nobody is shown."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import LOCAL, Mlproj, single
from tests.conftest import ProjectMaker

SECRET = "correct-horse-battery"
SHOW = single("printenv COLOUR SIZE API_TOKEN BROKEN; true")


@pytest.fixture
def project(make_project: ProjectMaker) -> Path:
    folder = make_project({"MLproject": SHOW})
    secret = f"# of one\nexport COLOUR=red\nSIZE='1 2'\nAPI_TOKEN={SECRET}\nALONE\n"
    (folder / "one.env").write_text(secret)
    (folder / "two.env").write_text('COLOUR="${SIZE}-blue"\nSIZE=3\n')
    return folder


def test_the_last_file_wins_and_what_is_set_outranks_them(project: Path, mlproj: Mlproj) -> None:
    answer = mlproj("run", ".", "--env-file", "one.env", "--env-file", "two.env", *LOCAL, cwd=project)
    assert answer.stdout.splitlines()[:2] == ["-blue", "3"], answer.stderr
    alone = mlproj("run", ".", "--env-file", "one.env", *LOCAL, cwd=project)
    assert alone.stdout.splitlines()[:2] == ["red", "1 2"]
    own = mlproj("run", ".", "--env-file", "one.env", *LOCAL, cwd=project, variables={"COLOUR": "own"})
    assert own.stdout.splitlines()[0] == "own"
    given = mlproj("run", ".", "--env-file", "two.env", *LOCAL, cwd=project, variables={"SIZE": "9"})
    assert given.stdout.splitlines()[:2] == ["9-blue", "9"]


def test_secrets_are_shown_and_recorded_nowhere(project: Path, mlproj: Mlproj, tmp_path: Path) -> None:
    answer = mlproj("run", ".", "--env-file", "one.env", "--json", *LOCAL, cwd=project)
    assert "***" in answer.stderr.splitlines() and SECRET not in answer.stderr + answer.stdout
    assert SECRET not in mlproj("logs", "last").stdout + mlproj("show", "last", "--json").stdout
    kept = (path for path in (tmp_path / "store").rglob("*") if path.is_file())
    assert not [path for path in kept if SECRET.encode() in path.read_bytes()]


def test_a_run_inside_a_run_hides_what_the_outer_one_was_given(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    inner = make_project({"MLproject": SHOW}, name="inner")
    command = f"{sys.executable} -m mlproj run {inner} --env-manager local --run-name inner"
    outer = make_project({"MLproject": single(command), "a.env": f"API_TOKEN={SECRET}\n"}, name="outer")
    answer = mlproj("run", ".", "--env-file", "a.env", *LOCAL, cwd=outer)
    assert answer.code == 0, answer.stderr
    logged = mlproj("logs", "inner").stdout
    assert "***" in logged and SECRET not in logged


def test_options_that_may_stand_in_variables_find_them_in_the_file(project: Path, mlproj: Mlproj) -> None:
    (project / "options.env").write_text(
        "MLFLOW_EXPERIMENT_NAME=from-file\nMLPROJ_ENV_MANAGER=local\nOMP_NUM_THREADS=3\n"
    )
    run = mlproj("run", ".", "--env-file", "options.env", "--json", cwd=project).document
    assert run["experiment"] == "from-file" and run["environment"]["because"] == "--env-manager local"
    assert run["variables"]["OMP_NUM_THREADS"] == "3"
    named = ("--experiment-name", "from-option")
    given = mlproj("run", ".", *named, "--env-file", "options.env", "--json", cwd=project).document
    assert given["experiment"] == "from-option"
    own = {"MLFLOW_EXPERIMENT_NAME": "from-variable"}
    by_variable = mlproj("run", ".", "--env-file", "options.env", "--json", cwd=project, variables=own)
    assert by_variable.document["experiment"] == "from-variable"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"GOOD=1\nthis is = no line\n", "broken.env:2"),
        (b"NAME='not closed\n", "sets no variable"),
        (b"\xff\xfe\xff", "is not"),
        (None, "there is no file"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(
    project: Path, mlproj: Mlproj, content: bytes | None, words: str
) -> None:
    if content is not None:
        (project / "broken.env").write_bytes(content)
    answer = mlproj("run", ".", "--env-file", "broken.env", "--json", *LOCAL, cwd=project)
    assert answer.code == 2, answer.stderr
    assert words in json.loads(answer.stdout)["message"] and "Traceback" not in answer.stderr


def test_a_file_may_be_named_before_the_command_as_with_mlflow(project: Path, mlproj: Mlproj) -> None:
    (project / "options.env").write_text("MLPROJ_ENV_MANAGER=local\nSIZE=5\n")
    files = ("--env-file", "one.env", "--env-file", "options.env")
    answer = mlproj(*files, "run", ".", "--json", cwd=project)
    assert answer.document["environment"]["because"] == "--env-manager local"
    assert {"red", "5", "***"} <= {*answer.stderr.splitlines()} and SECRET not in answer.stderr
    assert SECRET not in mlproj("logs", "last").stdout
    assert mlproj("--env-file", "nowhere", "runs", cwd=project).code == 2


@pytest.mark.parametrize("before", [True, False])
def test_an_environment_is_built_and_locked_with_what_a_file_says(
    make_project: ProjectMaker, mlproj: Mlproj, before: bool
) -> None:
    """As an index is asked with a password that no project should hold."""
    folder = make_project({"MLproject": f"python_env: python_env.yaml\n{SHOW}"})
    (folder / "python_env.yaml").write_text("dependencies: [six]\n")
    (folder / "index.env").write_text(
        "UV_DEFAULT_INDEX=http://127.0.0.1:9/simple\nPIP_INDEX_URL=http://127.0.0.1:9\n"
    )
    file = ("--env-file", "index.env")
    for command in ("build", "lock"):
        words = (*file, "env", command) if before else ("env", command, *file)
        answer = mlproj(*words, cwd=folder)
        assert answer.code == 4 and "127.0.0.1:9" in answer.stderr, answer.stderr
