"""Virtualenvs for real: real Pythons, real packages, built once and found again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from msgspec.structs import replace

from mlproj.environments.resolve import PIPS
from mlproj.environments.virtualenv import VirtualenvEnvironment
from mlproj.errors import EnvironmentFailed
from mlproj.model.environment import CondaSpec, DockerSpec
from mlproj.ports import Resolving
from tests.conftest import ProjectMaker
from tests.environments.conftest import (
    Recorder,
    lock,
    lock_and_build,
    need_pyenv_python,
    packages,
    python_in,
    run_in,
    specification,
)
from tests.environments.storming import ask, ask_at_once, kill_a_build

SIX = specification("six==1.16.0")
LOCAL_PACKAGE = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "ours"
version = "0.1"
[tool.setuptools]
py-modules = ["ours"]
"""


def test_the_environment_holds_what_is_asked_for_and_pip_and_nothing_of_the_callers(
    shared: VirtualenvEnvironment, tmp_path: Path
) -> None:
    locked, activation = lock_and_build(shared, SIX, tmp_path)
    assert packages(locked)["six"] == "1.16.0" and "pip" in packages(locked)
    assert python_in(activation, "import six; print(six.__version__)") == "1.16.0"
    assert run_in(activation, ("which", "pip")) == str(activation.path[0] / "pip")
    assert python_in(activation, "import sys; print(sys.prefix)") == str(activation.path[0].parent)
    assert "VIRTUAL_ENV" in dict(activation.variables)


def test_a_second_ask_resolves_and_builds_nothing(shared: VirtualenvEnvironment, tmp_path: Path) -> None:
    first, _ = lock_and_build(shared, SIX, tmp_path)
    report = Recorder()
    second, _ = lock_and_build(shared, SIX, tmp_path, report)
    assert second == first
    assert report.events == []


def test_the_lock_is_the_same_in_another_folder(
    shared: VirtualenvEnvironment, make_project: ProjectMaker
) -> None:
    files = {"requirements.txt": "six==1.16.0\n"}
    spec = specification("-r requirements.txt", files=("requirements.txt",))
    first = lock(shared, spec, make_project(files, name="one", git=False))
    report = Recorder()
    second = lock(shared, spec, make_project(files, name="two", git=False), report)
    assert first.lock == second.lock and first.key == second.key
    assert report.began("resolve") == 0


def test_a_changed_requirements_file_gives_another_environment(
    shared: VirtualenvEnvironment, make_project: ProjectMaker
) -> None:
    project = make_project({"requirements.txt": "-r more.txt\n", "more.txt": "six==1.16.0\n"}, git=False)
    spec = specification("-r requirements.txt", files=("requirements.txt",))
    first = lock(shared, spec, project)
    (project / "more.txt").write_text("six==1.17.0\n")
    second = lock(shared, spec, project)
    assert (packages(first)["six"], packages(second)["six"]) == ("1.16.0", "1.17.0")
    assert first.key != second.key


def test_without_resolving_there_is_no_lock_until_there_was_one(tmp_path: Path) -> None:
    environment = VirtualenvEnvironment(tmp_path / "cache")
    before = lock(environment, SIX, tmp_path, resolve=False)
    assert before.lock is None and before.key is None and before.python is not None
    resolved = lock(environment, SIX, tmp_path)
    assert lock(environment, SIX, tmp_path, resolve=False) == resolved
    with pytest.raises(EnvironmentFailed, match="not resolved yet"):
        environment.build(before, tmp_path, Recorder())


def test_refreshing_resolves_again_to_the_same_lock(
    shared: VirtualenvEnvironment, tmp_path: Path, report: Recorder
) -> None:
    first = lock(shared, SIX, tmp_path)
    second = lock(shared, SIX, tmp_path, report, refresh=True)
    assert report.began("resolve") == 1
    assert first.lock is not None and second.lock is not None
    assert first.lock.digest == second.lock.digest


@pytest.mark.parametrize("version", ["3.6.15", "3.8.18", "3.13.0"])
def test_old_and_new_pythons_are_served(shared: VirtualenvEnvironment, tmp_path: Path, version: str) -> None:
    need_pyenv_python(version)
    locked, activation = lock_and_build(shared, specification("six==1.16.0", python=version), tmp_path)
    code = "import sys, six; print('%d.%d.%d' % sys.version_info[:3], six.__version__)"
    assert python_in(activation, code) == f"{version} 1.16.0"
    assert ("setuptools" in packages(locked)) == (version != "3.13.0")
    assert run_in(activation, ("pip", "--version")).startswith(f"pip {packages(locked)['pip']}")


def test_a_missing_python_is_named_with_where_it_was_looked_for_and_how_to_get_it(
    tmp_path: Path, shared: VirtualenvEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "pythons"))
    with pytest.raises(EnvironmentFailed) as caught:
        lock(shared, specification(python="3.11.99"), tmp_path)
    assert "Python 3.11.99 is not on this machine" in caught.value.message
    assert os.environ["PYENV_ROOT"] in caught.value.message
    assert "pyenv install 3.11.99" in str(caught.value.hint)


def test_an_invalid_requirement_is_told_in_uvs_words(shared: VirtualenvEnvironment, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed) as caught:
        lock(shared, specification("name=1.2", files=("python_env.yaml",)), tmp_path)
    assert "name=1.2" in caught.value.output and "comparison operator" in caught.value.output
    assert "python_env.yaml" in caught.value.message


def test_requirements_that_contradict_are_told_in_uvs_words(
    shared: VirtualenvEnvironment, tmp_path: Path
) -> None:
    with pytest.raises(EnvironmentFailed, match="unsatisfiable"):
        lock(shared, specification("six==1.16.0", "six==1.17.0"), tmp_path)


def test_of_a_build_dependency_and_a_dependency_that_contradict_the_later_wins(
    shared: VirtualenvEnvironment, tmp_path: Path, report: Recorder
) -> None:
    spec = specification("six==1.17.0", build_dependencies=("pip", "six==1.16.0"))
    assert packages(lock(shared, spec, tmp_path, report))["six"] == "1.17.0"
    assert any("contradict" in note for note in report.notes)


def test_a_build_that_fails_shows_the_tools_output_and_leaves_nothing(
    make_project: ProjectMaker, tmp_path: Path
) -> None:
    broken = LOCAL_PACKAGE + "[tool.setuptools.dynamic]\n"
    setup = "import sys\nif 'bdist_wheel' in sys.argv: raise SystemExit('the compiler is on holiday')\n"
    project = make_project(
        {"ours/pyproject.toml": broken, "ours/setup.py": setup, "ours/ours.py": ""}, git=False
    )
    environment = VirtualenvEnvironment(tmp_path / "cache")
    locked = lock(environment, specification("./ours"), project)
    with pytest.raises(EnvironmentFailed, match="the compiler is on holiday"):
        environment.build(locked, project, Recorder())
    assert not (tmp_path / "cache" / "environments" / str(locked.key)).exists()


def test_a_local_package_that_changes_gives_another_environment(
    shared: VirtualenvEnvironment, make_project: ProjectMaker
) -> None:
    project = make_project({"ours/pyproject.toml": LOCAL_PACKAGE, "ours/ours.py": "word = 'old'"}, git=False)
    before, activation = lock_and_build(shared, specification("./ours"), project)
    assert python_in(activation, "import ours; print(ours.word)") == "old"
    (project / "ours" / "ours.py").write_text("word = 'new'")
    after, activation = lock_and_build(shared, specification("./ours"), project)
    assert python_in(activation, "import ours; print(ours.word)") == "new"
    assert before.lock is not None and after.lock is not None
    assert before.lock.digest != after.lock.digest


def test_an_editable_package_is_the_projects_own_folder(
    shared: VirtualenvEnvironment, make_project: ProjectMaker
) -> None:
    files = {"pyproject.toml": LOCAL_PACKAGE, "ours.py": "word = 'old'"}
    one, two = (make_project(files, name=name, git=False) for name in ("one", "two"))
    spec = specification("-e .")
    first, activation = lock_and_build(shared, spec, one)
    (one / "ours.py").write_text("word = 'edited'")
    assert python_in(activation, "import ours; print(ours.word)") == "edited"
    second, activation = lock_and_build(shared, spec, two)
    assert python_in(activation, "import ours; print(ours.word)") == "old"
    assert first.lock is not None and second.lock is not None
    assert first.lock.digest == second.lock.digest and first.key != second.key


def test_nothing_is_written_into_the_project(
    shared: VirtualenvEnvironment, make_project: ProjectMaker
) -> None:
    project = make_project({"requirements.txt": "six==1.16.0\n"}, git=False)
    lock_and_build(shared, specification("-r requirements.txt"), project)
    assert sorted(path.name for path in project.iterdir()) == ["requirements.txt"]


def test_a_committed_lock_wins_and_says_what_it_lacks(
    shared: VirtualenvEnvironment, make_project: ProjectMaker, report: Recorder
) -> None:
    older = lock(shared, SIX, make_project({}, git=False))
    assert older.lock is not None
    project = make_project({"pylock.toml": older.lock.text.decode()}, git=False)
    locked, activation = lock_and_build(shared, specification("six", "iniconfig"), project, report)
    assert python_in(activation, "import six; print(six.__version__)") == "1.16.0"
    assert "pylock.toml" in locked.because
    assert any("iniconfig" in note for note in report.notes)
    assert locked.key == older.key


@pytest.mark.parametrize("text", ["lock-version = '9'", "= broken", 'lock-version = "1.0"\npackages = [1]'])
def test_a_committed_lock_that_cannot_be_used_is_named_and_passed_over(
    shared: VirtualenvEnvironment, make_project: ProjectMaker, report: Recorder, text: str
) -> None:
    project = make_project({"pylock.toml": text}, git=False)
    assert packages(lock(shared, SIX, project, report))["six"] == "1.16.0"
    assert any("`pylock.toml` is not used" in note for note in report.notes)


def uv_project(make_project: ProjectMaker, *dependencies: str, settings: str = "", **files: str) -> Path:
    """A folder with a `uv.lock` of these dependencies; `settings` are tables of its `pyproject.toml`."""
    text = (
        '[project]\nname = "p"\nversion = "0"\nrequires-python = ">=3.8"\n'
        f"dependencies = {list(dependencies)}\n{settings}"
    )
    project = make_project({"pyproject.toml": text, **files}, git=False)
    subprocess.run(("uv", "lock", "--quiet"), cwd=project, check=True, env=_with_uv())
    return project


UV_LOCK = specification(uv_lock="uv.lock", files=("uv.lock", "pyproject.toml"))


def test_a_changed_uv_lock_gives_a_new_environment(
    shared: VirtualenvEnvironment, make_project: ProjectMaker
) -> None:
    for version in ("1.16.0", "1.17.0"):
        project = uv_project(make_project, f"six=={version}")
        locked, activation = lock_and_build(shared, UV_LOCK, project)
        assert packages(locked).keys() == {"six", "pip"} and packages(locked)["six"] == version
        assert python_in(activation, "import six; print(six.__version__)") == version


@pytest.mark.parametrize(
    "settings", ["", 'constraint-dependencies = ["pip<20"]\n', 'exclude-newer = "2024-12-31T00:00:00Z"\n']
)
def test_pip_is_the_environments_own_where_the_uv_lock_has_none(
    shared: VirtualenvEnvironment, make_project: ProjectMaker, settings: str
) -> None:
    project = uv_project(make_project, "six==1.16.0", settings=f"[tool.uv]\n{settings}")
    locked, activation = lock_and_build(shared, UV_LOCK, project)
    assert locked.lock is not None
    (pip,) = (package for package in locked.lock.packages if package.name == "pip")
    assert f"{pip.name}=={pip.version}" in {line.partition(";")[0] for line in PIPS}
    assert len(pip.hashes) == 1
    assert run_in(activation, ("which", "pip")) == str(activation.path[0] / "pip")
    assert run_in(activation, ("pip", "--version")).startswith(f"pip {pip.version} ")


def test_a_uv_lock_without_packages_gives_an_environment_with_pip_alone(
    shared: VirtualenvEnvironment, make_project: ProjectMaker
) -> None:
    assert packages(lock(shared, UV_LOCK, uv_project(make_project))).keys() == {"pip"}


def test_a_pip_of_the_uv_lock_is_the_one_that_is_installed(
    shared: VirtualenvEnvironment, make_project: ProjectMaker
) -> None:
    project = uv_project(make_project, "pip==25.0")
    locked = lock(shared, UV_LOCK, project)
    assert packages(locked) == {"pip": "25.0"}


@pytest.mark.parametrize("version", ["3.6.15", "3.8.18", "3.13.0"])
def test_there_is_a_pip_for_every_python(
    shared: VirtualenvEnvironment, make_project: ProjectMaker, version: str
) -> None:
    need_pyenv_python(version)
    project = uv_project(make_project, "six==1.16.0 ; python_version > '3'")
    text = (project / "uv.lock").read_text().replace('">=3.8"', '">=3.6"')
    (project / "uv.lock").write_text(text)
    locked = lock(shared, replace(UV_LOCK, python=version), project)
    assert packages(locked).keys() == {"six", "pip"}


def test_a_changed_folder_that_a_uv_lock_names_gives_a_new_environment(
    shared: VirtualenvEnvironment, make_project: ProjectMaker
) -> None:
    project = uv_project(
        make_project,
        "ours",
        settings='[tool.uv.sources]\nours = { path = "ours" }\n',
        **{"ours/pyproject.toml": LOCAL_PACKAGE, "ours/ours.py": "word = 'old'"},
    )
    for word in ("old", "new"):
        (project / "ours" / "ours.py").write_text(f"word = {word!r}")
        _, activation = lock_and_build(shared, UV_LOCK, project)
        assert python_in(activation, "import ours; print(ours.word)") == word


def test_kinds_that_cannot_be_built_are_told_in_one_sentence(
    shared: VirtualenvEnvironment, tmp_path: Path
) -> None:
    for spec in (CondaSpec(file="conda.yaml", because=""), DockerSpec(image="x", because="")):
        with pytest.raises(EnvironmentFailed, match="is no virtualenv"):
            shared.lock(spec, tmp_path, Recorder(), Resolving())


def test_ten_processes_that_want_one_environment_build_it_once(tmp_path: Path) -> None:
    script = _script(tmp_path)
    told = ask_at_once(script)
    assert len(told) == 1, "a second build would have made another folder of that name"


def test_a_build_that_was_killed_poisons_nothing(tmp_path: Path) -> None:
    script = _script(tmp_path)
    kill_a_build(script, tmp_path / "cache")
    assert (Path(ask(script)[0]) / "mlproj.json").exists()


@pytest.mark.parametrize("damage", ["bin/python", "six.py", "six-1.16.0.dist-info", "mlproj.json", "emptied"])
def test_a_broken_environment_is_noticed_and_rebuilt(shared_cache: Path, tmp_path: Path, damage: str) -> None:
    environment = VirtualenvEnvironment(shared_cache)
    locked, activation = lock_and_build(environment, SIX, tmp_path)
    folder = activation.path[0].parent
    (site,) = folder.glob("lib/python*/site-packages")
    if damage == "emptied":
        (site / "six.py").unlink()
        (site / "six.py").write_text("")
    else:
        target = folder / damage if (folder / damage).exists() else site / damage
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    report = Recorder()
    environment.build(locked, tmp_path, report)
    assert report.began("create") == 1
    assert python_in(activation, "import six; print(six.__version__)") == "1.16.0"


def test_a_package_installed_afterwards_is_not_taken_for_the_locks(
    shared: VirtualenvEnvironment, tmp_path: Path, report: Recorder
) -> None:
    locked, activation = lock_and_build(shared, SIX, tmp_path)
    (site,) = activation.path[0].parent.glob("lib/python*/site-packages")
    (site / "extra-1.0.dist-info").mkdir()
    shared.build(locked, tmp_path, report)
    assert not (site / "extra-1.0.dist-info").exists()
    assert any("built anew" in note for note in report.notes)


def test_a_cache_that_cannot_be_written_is_told_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    environment = VirtualenvEnvironment(tmp_path / "file" / "cache")
    with pytest.raises(EnvironmentFailed, match="cache") as caught:
        lock_and_build(environment, SIX, tmp_path)
    assert "MLPROJ_CACHE_DIR" in str(caught.value.hint)


def _script(folder: Path) -> Path:
    """A program that has the environment of SIX, and prints where it is and which folder of that name."""
    path = folder / "ask.py"
    path.write_text(
        textwrap.dedent(f"""
        from pathlib import Path
        from mlproj.environments.virtualenv import VirtualenvEnvironment
        from mlproj.model.environment import VirtualenvSpec
        from mlproj.model.events import silent
        from mlproj.ports import Resolving
        environment = VirtualenvEnvironment(Path({str(folder / "cache")!r}))
        spec = VirtualenvSpec(python=None, dependencies=("six==1.16.0",), because="")
        locked = environment.lock(spec, Path({str(folder)!r}), silent, Resolving())
        built = environment.build(locked, Path({str(folder)!r}), silent).path[0].parent
        print(built, built.stat().st_ino, (built / "mlproj.json").stat().st_mtime_ns)
        """)
    )
    return path


def _with_uv() -> dict[str, str]:
    folder = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
