"""The hook at the start of a Python: it chains on, costs nothing, and stays away where it is not wanted."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlproj.environments import pyenv
from mlproj.services.hook import FOLDER, Wishes, hook_variables
from tests.hook.conftest import DEFAULT, RUN_ID, hooked
from tests.hook.stub import Stub

PYTHONS = (
    ("own", Path(sys.executable)),
    *pyenv.versions({"PYENV_ROOT": os.environ.get("PYENV_ROOT") or str(Path.home() / ".pyenv")}),
)
"""Every Python of this machine, Python 2 as well: it reads the file, and must not stumble over it."""

LOOK = (
    "import sys; sys.stdout.write(repr(["
    "'sitecustomize' in sys.modules, "
    "any('hook/start' in entry for entry in sys.path), "
    "type(sys.meta_path[0]).__name__ if sys.meta_path else '', "
    "getattr(sys, 'marked', None), "
    "len([name for name in sys.modules if 'mlproj' in name])]))"
)


def run(python: Path, code: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run((python, "-c", code), env=environ, capture_output=True, text=True, timeout=60)


def spent(python: Path, environ: dict[str, str]) -> float:
    """The processor's seconds for a Python that does nothing: others' work counts for little in them."""
    process = subprocess.Popen((python, "-c", ""), env=environ)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


@pytest.fixture(params=[path for _, path in PYTHONS], ids=[version for version, _ in PYTHONS])
def python(request: pytest.FixtureRequest) -> Path:
    assert isinstance(request.param, Path)
    return request.param


def is_new(python: Path) -> bool:
    return "/2." not in str(python)


def test_it_waits_and_leaves_no_trace(python: Path, stub: Stub) -> None:
    done = run(python, LOOK, hooked(stub.uri))
    assert done.stderr == ""
    has_module, on_path, finder, _, loaded = ast.literal_eval(done.stdout)
    assert (has_module, on_path, loaded) == (False, False, 0)
    assert (finder == "Waiting") == is_new(python)
    assert stub.connections == 0


def test_the_environments_own_start_is_run(python: Path, stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.marked = __file__\n")
    environ = hooked(stub.uri)
    environ["PYTHONPATH"] += f"{os.pathsep}{tmp_path}"
    done = run(python, LOOK, environ)
    assert done.stderr == ""
    assert ast.literal_eval(done.stdout)[0] is True
    assert str(ast.literal_eval(done.stdout)[3]).startswith(str(tmp_path / "sitecustomize.py"))


def test_one_that_fails_does_so_as_without_the_hook(python: Path, stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("raise ValueError('broken')\n")
    environ = hooked(stub.uri)
    with_hook = run(python, LOOK, environ | {"PYTHONPATH": f"{FOLDER}{os.pathsep}{tmp_path}"})
    without = run(python, LOOK, environ | {"PYTHONPATH": str(tmp_path)})
    assert with_hook.stderr == without.stderr
    assert with_hook.returncode == without.returncode


@pytest.mark.parametrize("missing", ["MLPROJ_RUN_ID", "MLPROJ_TRACKING_URI", None])
def test_without_a_run_nothing_is_done(stub: Stub, missing: str | None) -> None:
    environ = hooked(stub.uri)
    if missing is None:
        environ["MLPROJ_NO_HOOK"] = "1"
    else:
        del environ[missing]
    found = ast.literal_eval(run(Path(sys.executable), LOOK, environ).stdout)
    assert found[1:3] != [True, "Waiting"]
    assert found[2] != "Waiting"
    assert found[1] is False


def test_a_script_of_its_own_costs_next_to_nothing(python: Path, stub: Stub) -> None:
    environ = hooked(stub.uri)
    bare = {name: value for name, value in environ.items() if name != "PYTHONPATH"}
    with_hook, without = zip(*((spent(python, environ), spent(python, bare)) for _ in range(10)), strict=True)
    assert min(with_hook) - min(without) < 0.010


def test_its_language_is_that_of_the_oldest_python() -> None:
    for file in FOLDER.parent.rglob("*.py"):
        tree = ast.parse(file.read_text(), feature_version=(3, 6))
        names = [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
        froms = [
            node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) if not node.level
        ]
        assert not [name for name in (*names, *froms) if name.split(".")[0] == "mlproj"], file


def variables(environ: dict[str, str], wishes: Wishes = DEFAULT) -> dict[str, str | None]:
    return hook_variables(
        run_id=RUN_ID,
        tracking_uri="http://127.0.0.1:1",
        executable=("mlproj",),
        wishes=wishes,
        environ=environ,
    )


def test_the_path_holds_the_folder_once_and_before_what_was_there() -> None:
    def path(inherited: str | None, *, hook: bool = True) -> str | None:
        environ = {} if inherited is None else {"PYTHONPATH": inherited}
        return variables(environ, Wishes(hook=hook))["PYTHONPATH"]

    assert path(None) == path("") == path(str(FOLDER)) == str(FOLDER)
    assert path("a") == path(f"a:{FOLDER}") == path(f"{FOLDER}:a") == f"{FOLDER}:a"
    assert path("a:") == f"{FOLDER}:a:"
    assert path(str(FOLDER), hook=False) is None
    assert path(f"{FOLDER}:a", hook=False) == "a"


def test_what_was_wished_for_a_run_holds_for_its_steps() -> None:
    names = ("MLPROJ_EXPERIMENT_GIVEN", "MLPROJ_ENV_MANAGER", "MLPROJ_SCRIPT_TRACKING", "MLPROJ_NO_HOOK")
    wishes = Wishes(experiment_given=True, environment_manager="uv", script_tracking=True, hook=False)
    first = {name: value for name, value in variables({}, wishes).items() if value is not None}
    assert [variables(first).get(name) for name in names] == ["1", "uv", "1", "1"]
    assert "PYTHONPATH" not in first
    assert variables(first)["PYTHONPATH"] is None
    assert variables(first | {"MLPROJ_SCRIPT_TRACKING": "left"})["MLPROJ_SCRIPT_TRACKING"] == "1"
    assert variables(first, Wishes(environment_manager="conda"))["MLPROJ_ENV_MANAGER"] == "conda"
    assert [variables({}).get(name) for name in names] == [None] * 4
