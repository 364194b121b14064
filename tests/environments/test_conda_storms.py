"""Conda environments that many want at once, and builds that are killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.conda_channels import forge
from tests.environments.storming import ask, ask_at_once, kill_a_build, kill_once


@pytest.fixture(scope="module")
def forged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return forge(tmp_path_factory)


def test_ten_processes_that_want_one_environment_build_it_once(forged: Path, tmp_path: Path) -> None:
    told = ask_at_once(_script(tmp_path, forged))
    assert len(told) == 1, "a second build would have made another folder of that name"


@pytest.mark.parametrize("alone", [False, True])
def test_a_build_that_was_killed_poisons_nothing(forged: Path, tmp_path: Path, alone: bool) -> None:
    script = _script(tmp_path, forged)
    kill_a_build(script, tmp_path / "cache", alone=alone)
    folder, *_, said = ask(script)
    assert (Path(folder) / "mlproj.json").exists() and said == "hello"


def test_a_download_that_was_killed_poisons_no_package(forged: Path, tmp_path: Path) -> None:
    script, archives = _script(tmp_path, forged), tmp_path / "cache" / "conda" / "packages"
    assert kill_once(script, lambda: any(archives.glob("*")))
    assert ask(script)[-1] == "hello"


def test_a_build_that_was_interrupted_leaves_nobody_writing(forged: Path, tmp_path: Path) -> None:
    environments = tmp_path / "cache" / "environments"
    process = subprocess.Popen((sys.executable, _script(tmp_path, forged)), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not any(environments.glob("*/lib")) and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) != 0
    left = sorted(path.name for path in environments.iterdir())
    time.sleep(0.5)
    assert sorted(path.name for path in environments.iterdir()) == left
    assert [name for name in left if not name.endswith(".lock")] == []


def _script(folder: Path, source: Path) -> Path:
    """A program that has an environment, and prints where it is, which folder it is, and a greeting."""
    path = folder / "ask.py"
    path.write_text(
        textwrap.dedent(f"""
        import subprocess
        from pathlib import Path
        from mlproj.environments.conda.environment import CondaEnvironment
        from mlproj.model.environment import CondaSpec
        from mlproj.model.events import silent
        from mlproj.ports import Resolving
        environment, project = CondaEnvironment(Path({str(folder / "cache")!r})), Path({str(folder)!r})
        channels = ({source.as_uri()!r}, "nodefaults")
        spec = CondaSpec(file="conda.yaml", channels=channels, dependencies=("greeting=1.0",), because="")
        locked = environment.lock(spec, project, silent, Resolving())
        built = environment.build(locked, project, silent).path[0].parent
        said = subprocess.run(
            (built / "bin" / "python", "-Ic", "import greeting; print(greeting.word)"),
            capture_output=True, text=True, check=True,
        )
        print(built, built.stat().st_ino, (built / "mlproj.json").stat().st_mtime_ns, said.stdout.strip())
        """)
    )
    return path
