"""`mlproj env` from the outside: what is listed, built, locked and taken away, and what is left alone."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Mlproj, Start, single, written
from tests.conftest import ProjectMaker

PYTHON_ENV = "python_env: python_env.yaml\n"
SIX = {
    "MLproject": PYTHON_ENV + single("python -c 'import six; print(six.__version__)'"),
    "python_env.yaml": "dependencies: [six==1.16.0]\n",
}
SLOW = {
    **SIX,
    "MLproject": PYTHON_ENV + single("python -c 'import six' && echo $PPID $$ > begun && sleep 60"),
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, for what prunes would take the others' environments away."""
    monkeypatch.setenv("MLPROJ_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def listed(mlproj: Mlproj) -> list[dict[str, Any]]:
    document = mlproj("env", "list", "--json").document
    assert document["schema"] == "mlproj/environments/1"
    found: list[dict[str, Any]] = document["environments"]
    return found


def test_an_environment_is_built_listed_with_its_runs_and_removed(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project = make_project(SIX)
    assert "no environment" in mlproj("env", "list").stderr
    built = mlproj("env", "build", ".", "--json", cwd=project).document
    assert built["schema"] == "mlproj/environment/1" and built["packages"] == 3
    assert [(item["key"], item["runs"]) for item in listed(mlproj)] == [(built["key"], [])]
    run = mlproj("run", ".", "--run-name", "ada", "--json", cwd=project).document
    [item] = listed(mlproj)
    assert item["runs"] == [{"run_id": run["run_id"], "name": "ada"}]
    assert (item["kind"], item["python"]) == ("virtualenv", run["environment"]["python"])
    assert item["lock"] == run["environment"]["lock"] and item["size"] > 100_000
    table = mlproj("env", "list").stdout
    assert built["key"][:12] in table and "virtualenv" in table and "ada" in table
    assert mlproj("env", "rm", built["key"][:6]).code == 0
    assert listed(mlproj) == []
    unknown = mlproj("env", "rm", built["key"])
    assert unknown.code == 4 and "there is no environment" in unknown.stderr


def test_one_that_a_run_uses_stays_until_the_run_is_over(
    make_project: ProjectMaker, mlproj: Mlproj, start: Start
) -> None:
    project = make_project(SLOW)
    run = start("run", ".", cwd=project)
    written(project / "begun")
    [item] = listed(mlproj)
    assert item["in_use"] and " now " in mlproj("env", "list").stdout
    refused = mlproj("env", "rm", item["key"])
    assert refused.code == 4 and "in use" in refused.stderr
    pruned = mlproj("env", "prune", "--older-than", "0.001", "--json").document
    assert pruned["in_use"] == [item["key"]] and pruned["environments"] == []
    run.send_signal(signal.SIGINT)
    run.wait(20)
    assert Path(item["path"]).exists() and not listed(mlproj)[0]["in_use"]
    pruned = mlproj("env", "prune", "--older-than", "0.001", "--json").document
    assert [gone["key"] for gone in pruned["environments"]] == [item["key"]]
    assert not Path(item["path"]).exists()


def test_one_whose_runner_was_killed_stays_as_long_as_its_script_goes_on(
    make_project: ProjectMaker, mlproj: Mlproj, start: Start
) -> None:
    project = make_project(SLOW)
    run = start("run", ".", cwd=project)
    _, script = map(int, written(project / "begun").split())
    run.kill()
    run.wait(20)
    try:
        [item] = listed(mlproj)
        assert item["in_use"] and mlproj("env", "rm", item["key"]).code == 4
    finally:
        os.killpg(os.getpgid(script), signal.SIGKILL)


def test_a_rule_says_which_go_and_a_rehearsal_removes_nothing(
    make_project: ProjectMaker, mlproj: Mlproj, cache: Path
) -> None:
    used = make_project(SIX, name="used")
    other = make_project({**SIX, "python_env.yaml": "dependencies: [six==1.15.0]\n"}, name="other")
    assert mlproj("run", ".", cwd=used).code == 0
    assert mlproj("env", "build", ".", cwd=other).code == 0
    of_run = mlproj("show", "last", "--json").document["environment"]["key"]
    rehearsal = mlproj("env", "prune", "--unused", "--dry-run", "--json").document
    assert rehearsal["dry_run"] and len(rehearsal["environments"]) == 1 and len(listed(mlproj)) == 2
    assert mlproj("env", "prune", "--unused", "--older-than", "1d", "--json").document["environments"] == []
    assert mlproj("env", "prune", "--json").document["environments"] == []
    pruned = mlproj("env", "prune", "--unused").stderr
    assert "1 environment, 1 lock" in pruned and "were removed" in pruned
    assert [item["key"] for item in listed(mlproj)] == [of_run]
    assert not list(cache.glob("locks/*.lock")) and len(list((cache / "locks").iterdir())) == 1
    assert mlproj("run", ".", cwd=used).code == 0


def test_which_runs_there_were_only_a_store_tells(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    answer = mlproj("env", "prune", "--unused", variables={"MLPROJ_STORE": ""}, cwd=make_project(SIX))
    assert answer.code == 2 and "no store" in answer.stderr


def test_a_lock_is_written_taken_and_checked(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make_project({**SIX, "python_env.yaml": "dependencies: [six<1.17]\n"})
    missing = mlproj("env", "lock", "--check", cwd=project)
    assert missing.code == 3 and "not what the environment asks for" in missing.stderr
    first = mlproj("env", "lock", "--as-of", "2020-12-31", "--json", cwd=project).document
    assert first["schema"] == "mlproj/lock/1" and first["file"] == "pylock.toml" and first["written"]
    run = mlproj("run", ".", "--json", cwd=project)
    assert "1.15.0" in run.stderr.splitlines()
    assert run.document["environment"]["lock"] == first["environment"]["lock"]
    assert "committed `pylock.toml`" in run.document["environment"]["because"]

    text = (project / "pylock.toml").read_bytes()
    assert mlproj("env", "lock", "--check", cwd=project).code == 0
    again = mlproj("env", "lock", cwd=project)
    assert again.code == 0 and "is current" in again.stderr and (project / "pylock.toml").read_bytes() == text

    (project / "python_env.yaml").write_text("dependencies: [six<1.17, toml==0.10.2]\n")
    stale = mlproj("env", "lock", "--check", "--json", cwd=project)
    assert (
        stale.code == 3 and not stale.document["current"] and (project / "pylock.toml").read_bytes() == text
    )
    assert mlproj("env", "lock", cwd=project).code == 0
    grown = (project / "pylock.toml").read_text()
    assert "toml-0.10.2" in grown and "six-1.15.0" in grown, "what still fits stays"
    assert mlproj("env", "lock", "--refresh", cwd=project).code == 0
    assert "six-1.16.0" in (project / "pylock.toml").read_text()


def test_a_lock_lies_beside_the_environments_file_if_one_is_there_and_links_lead_where_they_did(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    backend = (
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "ours"\nversion = "0.1"\n[tool.setuptools]\npy-modules = ["ours"]\n'
    )
    project = make_project(
        {
            "MLproject": "python_env: env/python_env.yaml\n"
            + single("python -c 'import ours; print(ours.word)'"),
            "env/python_env.yaml": "dependencies: [-e ./package]\n",
            "env/pylock.toml": 'lock-version = "1.0"\ncreated-by = "me"\npackages = []\n',
            "package/pyproject.toml": backend,
            "package/ours.py": "word = 'here'\n",
        }
    )
    done = mlproj("env", "lock", "--json", cwd=project)
    assert done.code == 0, done.stderr
    assert done.document["file"] == "env/pylock.toml" and not (project / "pylock.toml").exists()
    assert "../package" in (project / "env" / "pylock.toml").read_text()
    assert mlproj("env", "lock", "--check", cwd=project).code == 0
    run = mlproj("run", ".", cwd=project)
    assert run.stdout == "here\n", run.stderr


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"MLproject": single("echo")}, "nothing to lock"),
        ({"MLproject": single("echo"), "uv.lock": "", "pyproject.toml": ""}, "uv writes it"),
    ],
)
def test_where_there_is_nothing_to_lock_a_sentence_says_so(
    make_project: ProjectMaker, mlproj: Mlproj, files: dict[str, str], words: str
) -> None:
    answer = mlproj("env", "lock", cwd=make_project(files))
    assert answer.code in (2, 4) and words in answer.stderr and "Traceback" not in answer.stderr


def test_a_lock_is_written_into_a_folder_alone(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make_project(SIX)
    answer = mlproj("env", "lock", ".", "-v", "HEAD", cwd=project)
    assert answer.code == 2 and "into the project's folder" in answer.stderr
    assert mlproj("env", "lock", "--check", ".", "-v", "HEAD", cwd=project).code == 3


def test_a_project_of_another_revision_is_built(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make_project(SIX)
    (project / "python_env.yaml").write_text("dependencies: [six==1.15.0]\n")
    old = mlproj("env", "build", ".", "-v", "HEAD", "--json", cwd=project).document
    new = mlproj("env", "build", ".", "--json", cwd=project).document
    assert old["key"] != new["key"] and {item["key"] for item in listed(mlproj)} == {old["key"], new["key"]}
    local = mlproj("env", "build", ".", "--env-manager", "local", cwd=project)
    assert local.code == 0 and "nothing to build" in local.stderr
