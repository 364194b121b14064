"""Locks as of an instant: nothing in them came later, and where nobody can tell there is none."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlproj.environments.virtualenv import VirtualenvEnvironment
from mlproj.errors import EnvironmentFailed
from mlproj.model.environment import LockedEnvironment, VirtualenvSpec
from mlproj.ports import Resolving
from mlproj.spec.locks import parse_pylock
from tests.environments.conftest import (
    Recorder,
    lock,
    need_pyenv_python,
    packages,
    python_in,
    specification,
)
from tests.environments.index_server import Release, serving

DAYS = ("2020-06-30T23:59:59.999Z", "2022-06-30T23:59:59.999Z")
TOOLS = (
    Release(name="pip", version="20.0", uploaded="2020-01-01T00:00:00Z"),
    Release(name="setuptools", version="45.0", uploaded="2020-01-01T00:00:00Z"),
)
INDEX = (
    *TOOLS,
    Release(name="grown", version="1.0", uploaded="2020-03-01T10:00:00Z", needs=("kept",)),
    Release(name="grown", version="2.0", uploaded="2021-03-01T10:00:00.123456Z", needs=("kept",)),
    Release(name="grown", version="3.0", uploaded="2023-03-01T10:00:00Z", needs=("kept",)),
    Release(name="kept", version="0.1", uploaded="2019-03-01T10:00:00Z"),
    Release(name="kept", version="0.2", uploaded="2022-07-01T00:00:00Z"),
)


@pytest.fixture(autouse=True)
def only_this_index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """What the machine says of other indexes does not count."""
    with monkeypatch.context() as patch:
        patch.setenv("PIP_CONFIG_FILE", "/dev/null")
        patch.delenv("PIP_FIND_LINKS", raising=False)
        patch.setenv("PIP_NO_CACHE_DIR", "1")
        patch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))  # uv looks for credentials where it gets a 404
        patch.setenv("RUSTUP_HOME", str(tmp_path / "rustup"))  # pip asks for the version of a `rustc`
        yield patch


def as_of(
    environment: VirtualenvEnvironment,
    spec: VirtualenvSpec,
    project: Path,
    day: str | None,
    *reports: Recorder,
) -> LockedEnvironment:
    return environment.lock(spec, project, (*reports, Recorder())[0], Resolving(as_of=day))


def uploads(locked: LockedEnvironment) -> list[datetime.datetime]:
    assert locked.lock is not None
    found = []
    for package in parse_pylock(locked.lock.text).packages:
        for artifact in (*package.wheels, *filter(None, (package.sdist,))):
            assert isinstance(artifact.upload_time, datetime.datetime)
            found.append(artifact.upload_time)
    return found


@pytest.mark.parametrize("with_uv", [True, False])
def test_an_instant_says_which_versions_there_are(
    tmp_path: Path, only_this_index: pytest.MonkeyPatch, with_uv: bool
) -> None:
    with serving(INDEX) as address:
        only_this_index.setenv("PIP_INDEX_URL", address)
        only_this_index.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
        environment = VirtualenvEnvironment(tmp_path / "cache", with_uv=with_uv)
        spec = specification("grown")
        old, newer = (as_of(environment, spec, tmp_path, day) for day in DAYS)
        today = as_of(environment, spec, tmp_path, None)
        assert [packages(item)["grown"] for item in (old, newer, today)] == ["1.0", "2.0", "3.0"]
        assert [packages(item)["kept"] for item in (old, newer, today)] == ["0.1", "0.1", "0.2"]
        assert (old.as_of, newer.as_of, today.as_of) == (*DAYS, None)
        assert DAYS[0] in old.because and "newer" not in today.because
        again = environment.lock(spec, tmp_path, Recorder(), Resolving(resolve=False, as_of=DAYS[0]))
        assert again == old


def test_of_the_public_index_nothing_came_later_and_both_are_built(
    shared: VirtualenvEnvironment, tmp_path: Path
) -> None:
    days = ("2019-06-30T23:59:59.999Z", "2021-06-30T23:59:59.999Z")
    old, newer = (as_of(shared, specification("six"), tmp_path, day) for day in days)
    assert old.lock is not None and newer.lock is not None
    assert old.lock.digest != newer.lock.digest and old.key != newer.key
    for locked, day in ((old, days[0]), (newer, days[1])):
        end = datetime.datetime.fromisoformat(day.replace("Z", "+00:00"))
        assert max(uploads(locked)) < end
        activation = shared.build(locked, tmp_path, Recorder())
        assert python_in(activation, "import six; print(six.__version__)") == packages(locked)["six"]
    assert (packages(old)["six"], packages(newer)["six"]) == ("1.12.0", "1.16.0")


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("with_uv", [True, False])
def test_an_index_that_tells_no_upload_times_is_an_error(
    tmp_path: Path, only_this_index: pytest.MonkeyPatch, as_json: bool, with_uv: bool
) -> None:
    silent = (*TOOLS, Release(name="untold", version="1.0", uploaded=None))
    with serving(silent, as_json=as_json) as address:
        only_this_index.setenv("PIP_INDEX_URL", address)
        only_this_index.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
        environment = VirtualenvEnvironment(tmp_path / "cache", with_uv=with_uv)
        with pytest.raises(EnvironmentFailed, match="upload") as caught:
            as_of(environment, specification("untold"), tmp_path, DAYS[0])
    assert "\n" not in caught.value.message
    assert "no upload times" in caught.value.message and caught.value.hint


@pytest.mark.parametrize("with_uv", [True, False])
def test_files_of_a_folder_that_have_no_upload_time_are_an_error(
    tmp_path: Path, only_this_index: pytest.MonkeyPatch, with_uv: bool
) -> None:
    release = Release(name="lying", version="1.0", uploaded=None)
    folder = tmp_path / "wheels"
    folder.mkdir()
    (folder / release.file).write_bytes(release.content)
    with serving(TOOLS) as address:
        only_this_index.setenv("PIP_INDEX_URL", address)
        only_this_index.setenv("PIP_FIND_LINKS", str(folder))
        only_this_index.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
        environment = VirtualenvEnvironment(tmp_path / "cache", with_uv=with_uv)
        with pytest.raises(EnvironmentFailed, match="`lying` tells no upload times"):
            as_of(environment, specification("lying"), tmp_path, DAYS[0])


def test_files_without_an_upload_time_that_were_passed_over_are_told(
    tmp_path: Path, only_this_index: pytest.MonkeyPatch, report: Recorder
) -> None:
    with serving((*INDEX, Release(name="kept", version="9.0", uploaded=None))) as address:
        only_this_index.setenv("PIP_INDEX_URL", address)
        only_this_index.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
        environment = VirtualenvEnvironment(tmp_path / "cache")
        assert packages(as_of(environment, specification("kept"), tmp_path, DAYS[0], report))["kept"] == "0.1"
    assert any("without an upload time" in note and "`kept`" in note for note in report.notes)


def test_what_the_settings_of_uv_let_in_is_not_taken(
    tmp_path: Path, only_this_index: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.uv]\nexclude-newer-package = { grown = "2030-01-01T00:00:00Z" }\n'
    )
    with serving(INDEX) as address:
        only_this_index.setenv("PIP_INDEX_URL", address)
        only_this_index.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
        environment = VirtualenvEnvironment(tmp_path / "cache")
        with pytest.raises(EnvironmentFailed, match=r"`grown` 3\.0 was uploaded at 2023-03-01"):
            as_of(environment, specification("grown"), tmp_path, DAYS[0])


def test_a_committed_lock_outranks_an_instant(shared: VirtualenvEnvironment, tmp_path: Path) -> None:
    locked = lock(shared, specification("six==1.17.0"), tmp_path)
    assert locked.lock is not None
    (tmp_path / "pylock.toml").write_bytes(locked.lock.text)
    again = as_of(shared, specification("six"), tmp_path, DAYS[0])
    assert packages(again)["six"] == "1.17.0" and again.as_of is None
    assert "the committed `pylock.toml`" in again.because


def test_a_uv_lock_outranks_an_instant(shared: VirtualenvEnvironment, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "p"\nversion = "0"\nrequires-python = ">=3.9"\ndependencies = []\n'
    )
    (tmp_path / "uv.lock").write_text(
        'version = 1\nrevision = 3\nrequires-python = ">=3.9"\n\n'
        '[[package]]\nname = "p"\nversion = "0"\nsource = { virtual = "." }\n'
    )
    locked = as_of(shared, specification(uv_lock="uv.lock"), tmp_path, DAYS[0])
    assert locked.as_of is None and "newer" not in locked.because


def test_a_pip_that_cannot_look_back_is_told_so(tmp_path: Path) -> None:
    need_pyenv_python("3.8.18")
    environment = VirtualenvEnvironment(tmp_path / "cache", with_uv=False)
    with pytest.raises(EnvironmentFailed, match="older than 26") as caught:
        as_of(environment, specification("six", python="3.8.18"), tmp_path, DAYS[0])
    assert "uv" in caught.value.message


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
def test_uv_takes_the_instant_as_it_is_in_any_time_zone(
    tmp_path: Path, only_this_index: pytest.MonkeyPatch, zone: str
) -> None:
    """The edge of the day lies between two uploads that are a second apart."""
    edge = (
        *TOOLS,
        Release(name="edge", version="1.0", uploaded="2021-05-05T23:59:59Z"),
        Release(name="edge", version="2.0", uploaded="2021-05-06T00:00:00Z"),
    )
    with serving(edge) as address:
        done = subprocess.run(
            (sys.executable, "-m", "mlproj", "run", ".", "--as-of", "2021-05-05", "--json"),
            cwd=_project(tmp_path),
            env=_variables(tmp_path, TZ=zone, PIP_INDEX_URL=address, UV_CACHE_DIR=str(tmp_path / "uv")),
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] != "2.0" and "1.0" in done.stderr.splitlines()
    assert '"as_of": "2021-05-05T23:59:59.999Z"' in done.stdout


def _project(folder: Path) -> Path:
    project = folder / "project"
    project.mkdir()
    (project / "python_env.yaml").write_text("dependencies: [edge]\n")
    command = "python -c 'import edge; print(edge.version)'"
    (project / "MLproject").write_text(
        f'python_env: python_env.yaml\nentry_points:\n  main:\n    command: "{command}"\n'
    )
    return project


def _variables(folder: Path, **more: str) -> dict[str, str]:
    own = {"MLPROJ_STORE": str(folder / "store"), "MLPROJ_CACHE_DIR": str(folder / "cache")}
    return {**os.environ, **own, **more}


def test_an_instant_before_all_that_there_is_is_told_as_that(
    tmp_path: Path, only_this_index: pytest.MonkeyPatch
) -> None:
    """Not as an index that tells no times: it told those of all files but an old one."""
    with serving((*INDEX, Release(name="kept", version="0.0.1", uploaded=None))) as address:
        only_this_index.setenv("PIP_INDEX_URL", address)
        only_this_index.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
        with pytest.raises(EnvironmentFailed) as caught:
            as_of(
                VirtualenvEnvironment(tmp_path / "cache"),
                specification("kept"),
                tmp_path,
                "2001-01-01T00:00:00Z",
            )
    assert "no upload times" not in caught.value.message
    assert caught.value.hint == "`--as-of` leaves out what came after 2001-01-01T00:00:00Z"
