"""Conda environments of real packages, solved, locked, built and entered, out of a channel in a folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from mlproj.environments.conda.environment import CondaEnvironment
from mlproj.environments.conda.failures import translated
from mlproj.environments.virtualenv import VirtualenvEnvironment
from mlproj.errors import EnvironmentFailed
from mlproj.model.environment import CondaSpec, DockerSpec, LockFile, SystemSpec
from mlproj.model.events import Progress
from mlproj.ports import Resolving
from mlproj.spec import environment_for, read_project, toml
from mlproj.spec.conda_lock import parted
from tests.conda_channels import Package, channel, extended, forge, python_module, reindex, write
from tests.environments.conftest import Recorder, lock, lock_and_build, packages, python_in, run_in
from tests.environments.index_server import Release


@pytest.fixture(scope="session")
def forged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return forge(tmp_path_factory)


@pytest.fixture(scope="session")
def conda_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("a cache ünder test")


@pytest.fixture
def shared_conda(conda_cache: Path) -> CondaEnvironment:
    return CondaEnvironment(conda_cache)


def specification(
    source: Path,
    *dependencies: str,
    pip: tuple[str, ...] = (),
    variables: tuple[tuple[str, str], ...] = (),
    platforms: tuple[str, ...] = (),
) -> CondaSpec:
    return CondaSpec(
        file="conda.yaml",
        channels=(source.as_uri(), "nodefaults"),
        dependencies=dependencies,
        pip=pip,
        variables=variables,
        platforms=platforms,
        because="the test wants it",
    )


def test_an_environment_is_solved_locked_built_and_runs(
    shared_conda: CondaEnvironment, forged: Path, tmp_path: Path, report: Recorder
) -> None:
    spec = specification(forged, "greeting=1.0")
    locked, activation = lock_and_build(shared_conda, spec, tmp_path, report)
    assert locked.kind == "conda" and locked.lock is not None and locked.lock.format == "conda"
    versions = packages(locked)
    assert versions["greeting"] == "1.0=0"
    assert set(versions) == {"greeting", "python", "pip"}
    assert all(package.hashes[0].startswith("sha256:") for package in locked.lock.packages)
    assert locked.python is not None
    assert versions["python"].startswith(f"{locked.python.version}=")
    code = "import greeting, sys; print(greeting.word, sys.prefix)"
    assert python_in(activation, code) == f"hello {activation.path[0].parent}"
    assert run_in(activation, ("pip", "--version")).startswith("pip ")
    done = [event.done for event in report.events if isinstance(event, Progress)]
    assert done[-1] == 3


def test_packages_are_activated_without_a_shell_and_see_nothing_of_the_caller(
    conda_cache: Path, forged: Path, tmp_path: Path
) -> None:
    environment = CondaEnvironment(conda_cache, {**os.environ, "CALLER_SECRET": "leaked"})
    _, activation = lock_and_build(environment, specification(forged, "acting"), tmp_path)
    folder = activation.path[-1].parent
    assert activation.path == (folder / "share" / "acting" / "bin", folder / "bin")
    changes = dict(activation.variables)
    assert changes["ACTING_HOME"] == str(folder / "share" / "acting")
    assert changes["ACTING_STATE"] == "from the package"
    assert changes["ACTING_SAW"] == "nothing"
    assert changes["CONDA_PREFIX"] == changes["CONDA_DEFAULT_ENV"] == str(folder)
    assert not {"HOME", "PATH", "PWD", "SHLVL", "_"} & set(changes)
    assert run_in(activation, ("act",)) == f"acting in {folder}"


def test_a_script_that_ends_the_shell_ends_the_build(forged: Path, tmp_path: Path) -> None:
    bad = Package(name="bad", files={"etc/conda/activate.d/bad.sh": b"echo no licence >&2\nexit 3\n"})
    source = Path(channel(tmp_path / "channel", bad).removeprefix("file://"))
    with pytest.raises(EnvironmentFailed, match=r"activation script .* \(exit code 3\)") as caught:
        lock_and_build(CondaEnvironment(tmp_path / "cache"), specification(source, "bad"), tmp_path)
    assert caught.value.output == "no licence"
    assert not list((tmp_path / "cache" / "environments").glob("[!.]*/mlproj.json"))


def test_nothing_of_the_callers_python_leaks_in(
    shared_conda: CondaEnvironment, forged: Path, tmp_path: Path
) -> None:
    _, activation = lock_and_build(shared_conda, specification(forged, "greeting"), tmp_path)
    site = f"lib/python{'.'.join(python_in(activation, 'import sys; print(sys.version)').split('.')[:2])}"
    user = tmp_path / "user" / site / "site-packages"
    for folder in (tmp_path / "path", user):
        folder.mkdir(parents=True)
        (folder / "leaked.py").write_text("")
    environ = {
        **os.environ,
        "PYTHONPATH": str(tmp_path / "path"),
        "PYTHONUSERBASE": str(tmp_path / "user"),
        "PYTHONHOME": sys.base_prefix,
        "VIRTUAL_ENV": sys.prefix,
        "CONDA_PREFIX": "/elsewhere",
    }
    code = "import importlib.util, os; print(importlib.util.find_spec('leaked'), 'VIRTUAL_ENV' in os.environ)"
    assert python_in(activation, code, environ) == "None False"
    assert run_in(activation, ("sh", "-c", "echo $CONDA_PREFIX"), environ) == str(activation.path[0].parent)


def test_variables_of_the_file_are_set_and_count_as_another_environment(
    shared_conda: CondaEnvironment, forged: Path, tmp_path: Path
) -> None:
    plain = specification(forged, "acting")
    own = specification(forged, "acting", variables=(("ACTING_STATE", "mine ü"), ("PYTHONPATH", "src")))
    locked, activation = lock_and_build(shared_conda, own, tmp_path)
    before = lock(shared_conda, plain, tmp_path)
    assert locked.lock is not None and before.lock is not None
    assert locked.lock.digest == before.lock.digest and locked.key != before.key
    assert dict(activation.variables)["ACTING_STATE"] == "mine ü"
    assert dict(activation.variables)["PYTHONPATH"] == "src"
    state = json.loads((activation.path[-1].parent / "conda-meta" / "state").read_text())
    assert state["env_vars"] == dict(own.variables)


def test_an_environment_may_do_without_python(
    shared_conda: CondaEnvironment, forged: Path, tmp_path: Path
) -> None:
    locked, activation = lock_and_build(shared_conda, specification(forged, "acting"), tmp_path)
    assert locked.python is None
    report = Recorder()
    assert shared_conda.build(locked, tmp_path, report) == activation
    assert report.began("create") == 0


def test_an_environment_may_be_empty(shared_conda: CondaEnvironment, forged: Path, tmp_path: Path) -> None:
    """As conda makes one of a file that asks for nothing."""
    locked, activation = lock_and_build(shared_conda, specification(forged), tmp_path)
    assert locked.lock is not None and locked.lock.packages == () and locked.python is None
    assert dict(activation.variables)["CONDA_PREFIX"] == str(activation.path[0].parent)


def test_a_pip_list_is_locked_beside_what_conda_brings(
    shared_conda: CondaEnvironment, forged: Path, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "own"\nversion = "1"\ndependencies = ["greeting>=1", "six"]\n'
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[tool.setuptools]\npy-modules = ["own"]\n'
    )
    (tmp_path / "own.py").write_text("import greeting, six; word = f'{greeting.word} {six.__version__}'\n")
    (tmp_path / "more.txt").write_text("six==1.16.0\n")
    spec = specification(forged, "greeting=1.0", pip=("-e .", "-r more.txt"))
    locked, activation = lock_and_build(shared_conda, spec, tmp_path)
    assert packages(locked) == {
        **packages(lock(shared_conda, specification(forged, "greeting=1.0"), tmp_path)),
        "own": "editable",
        "six": "1.16.0",
    }
    assert python_in(activation, "import own; print(own.word)") == "hello 1.16.0"
    (tmp_path / "own.py").write_text("word = 'changed'\n")
    assert python_in(activation, "import own; print(own.word)") == "changed"


def test_a_file_in_a_folder_of_its_own_has_its_paths_there(
    shared_conda: CondaEnvironment, forged: Path, tmp_path: Path
) -> None:
    package = tmp_path / "package"
    (tmp_path / "environments").mkdir()
    package.mkdir()
    (tmp_path / "environments" / "more.txt").write_text("../package\n")
    (package / "pyproject.toml").write_text('[project]\nname = "own"\nversion = "1"\n')
    (package / "own.py").write_text("word = 'mine'\n")
    spec = replace(specification(forged, pip=("-r more.txt",)), file="environments/conda.yaml")
    locked, activation = lock_and_build(shared_conda, spec, tmp_path)
    assert locked.lock is not None and 'path = "package"' in locked.lock.text.decode()
    assert python_in(activation, "import own; print(own.word)") == "mine"
    (tmp_path / "environments" / "conda.lock").write_bytes(
        locked.lock.text.replace(b'"package"', b'"../package"')
    )
    committed = lock(shared_conda, spec, tmp_path)
    assert committed.lock is not None and committed.key == locked.key
    assert 'path = "package"' in committed.lock.text.decode()


def test_paths_of_a_pip_list_lead_to_the_same_from_conda_and_from_a_virtualenv(
    shared_conda: CondaEnvironment, shared: VirtualenvEnvironment, forged: Path, tmp_path: Path
) -> None:
    for name in ("environments/near", "environments/linked", "far", "named"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "pyproject.toml").write_text(
            f'[project]\nname = "{name.rpartition("/")[2]}"\nversion = "1"\n'
        )
    wheels = tmp_path / "environments" / "wheels"
    wheels.mkdir()
    release = Release(name="direct", version="1.0", uploaded=None)
    (wheels / release.file).write_bytes(release.content)
    (tmp_path / "environments" / "lists").mkdir()
    (tmp_path / "environments" / "lists" / "more.txt").write_text("-r less.txt\n")
    (tmp_path / "environments" / "lists" / "less.txt").write_text("../far\n")
    direct = f"wheels/{release.file}"
    pip = ("-r lists/more.txt", "-e ./linked", "near/", "named @ file:../named", direct)
    spec = replace(specification(forged, pip=pip), file="environments/conda.yaml")
    in_conda = lock(shared_conda, spec, tmp_path)
    asked = "".join(f"      - {line}\n" for line in pip)
    (tmp_path / "environments" / "conda.yaml").write_text(f"dependencies:\n  - pip:\n{asked}")
    (tmp_path / "MLproject").write_text("conda_env: environments/conda.yaml\n")
    in_virtualenv = lock(shared, environment_for(read_project(tmp_path), tmp_path, "virtualenv"), tmp_path)
    assert in_conda.lock is not None and in_virtualenv.lock is not None
    places = places_of(parted(in_conda.lock.text.decode()).pylock or "")
    alike = places_of(in_virtualenv.lock.text.decode())
    assert places == {name: alike[name] for name in places}
    assert sorted(places) == ["direct", "far", "linked", "named", "near"]


def places_of(pylock: str) -> dict[str, str]:
    """The path that a lock has each package from, if it has one."""
    packages = pylock.split("[[packages]]")[1:]
    told = {toml.decode(package, dict)["name"]: package for package in packages}
    found = {name: re.search(r'\bpath = "([^"]+)"', text) for name, text in told.items()}
    return {name: match[1] for name, match in found.items() if match}


def test_a_pip_list_brings_python_and_may_replace_what_conda_brings(
    conda_cache: Path, forged: Path, tmp_path: Path, report: Recorder
) -> None:
    source = extended(forged, tmp_path / "channel", python_module("six", "1.15.0", "__version__ = '1.15.0'"))
    environment = CondaEnvironment(conda_cache)
    kept, activation = lock_and_build(environment, specification(source, "six", pip=("six<2",)), tmp_path)
    assert packages(kept)["six"] == "1.15.0=0"
    assert python_in(activation, "import six; print(six.__version__)") == "1.15.0"
    spec = specification(source, "six", pip=("six==1.16.0",))
    _, activation = lock_and_build(environment, spec, tmp_path, report)
    assert "the `pip:` list of `conda.yaml` replaces what conda brings: six 1.15.0 by 1.16.0" in report.notes
    assert python_in(activation, "import six; print(six.__version__)") == "1.16.0"


def test_a_pip_list_that_cannot_be_had_is_told_in_uvs_words(
    shared_conda: CondaEnvironment, forged: Path, tmp_path: Path
) -> None:
    spec = specification(forged, pip=("six==99",))
    with pytest.raises(EnvironmentFailed, match=r"`conda\.yaml` cannot be resolved .*six==99"):
        lock(shared_conda, spec, tmp_path)


def test_packages_that_do_not_go_together_are_explained(
    shared_conda: CondaEnvironment, forged: Path, tmp_path: Path
) -> None:
    with pytest.raises(EnvironmentFailed, match=r"`conda\.yaml` asks for do not go together") as caught:
        lock(shared_conda, specification(forged, "old-fashioned", "modern"), tmp_path)
    told = caught.value.output
    assert "old-fashioned 1.0 would require" in told and "greeting 1.*" in told and "greeting 2.*" in told
    assert "conda.yaml" in str(caught.value.hint) and forged.as_uri() in str(caught.value.hint)


@pytest.mark.parametrize(
    "asked, said",
    [
        (
            "nothing-of-the-kind",
            "`conda.yaml` cannot be had: No candidates were found for nothing-of-the-kind",
        ),
        ("greeting>=3", "No candidates were found for greeting >=3"),
        ("greeting==", "`greeting==` in `conda.yaml` is no conda package"),
        ("./greeting", "`./greeting` in `conda.yaml` is no conda package"),
        ("for-a-gpu", "__cuda >=12"),
    ],
)
def test_what_cannot_be_had_is_named(
    shared_conda: CondaEnvironment, forged: Path, tmp_path: Path, asked: str, said: str
) -> None:
    with pytest.raises(EnvironmentFailed) as caught:
        lock(shared_conda, specification(forged, asked), tmp_path)
    assert said in f"{caught.value.message}\n{caught.value.output}"
    assert "Traceback" not in caught.value.output


def test_an_export_with_builds_gives_exactly_those_packages(tmp_path: Path) -> None:
    builds = {f"package-{number}": f"h{number:07x}_{number % 3}" for number in range(170)}
    made = (
        Package(name=name, version=version, build=build)
        for name, build in builds.items()
        for version in ("1.0", "2.0")
    )
    source = Path(channel(tmp_path / "channel", *made).removeprefix("file://"))
    environment = CondaEnvironment(tmp_path / "cache")
    pinned = [f"{name}=1.0={build}" for name, build in builds.items()]
    locked = lock(environment, specification(source, *pinned), tmp_path)
    assert packages(locked) == {name: f"1.0={build}" for name, build in builds.items()}
    with pytest.raises(EnvironmentFailed, match=r"found for package-7 ==1\.0 elsewhere_0"):
        lock(environment, specification(source, *pinned, "package-7=1.0=elsewhere_0"), tmp_path)


def test_a_channel_that_is_not_there_is_named(shared_conda: CondaEnvironment, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match="nowhere") as caught:
        lock(shared_conda, specification(tmp_path / "nowhere", "python"), tmp_path)
    assert "channels" in str(caught.value.hint)


def test_the_machine_can_be_overridden(conda_cache: Path, forged: Path, tmp_path: Path) -> None:
    environment = CondaEnvironment(conda_cache, {**os.environ, "CONDA_OVERRIDE_CUDA": "12.4"})
    assert packages(lock(environment, specification(forged, "for-a-gpu"), tmp_path)) == {"for-a-gpu": "1.0=0"}


def test_an_environment_for_other_machines_is_refused(
    shared_conda: CondaEnvironment, forged: Path, tmp_path: Path
) -> None:
    with pytest.raises(EnvironmentFailed, match="is for `win-64`, and this machine is"):
        lock(shared_conda, specification(forged, "acting", platforms=("win-64",)), tmp_path)


def test_other_kinds_are_no_condas(shared_conda: CondaEnvironment, tmp_path: Path) -> None:
    for spec in (SystemSpec(because=""), DockerSpec(image="x", because="")):
        with pytest.raises(EnvironmentFailed):
            shared_conda.lock(spec, tmp_path, Recorder(), Resolving())


def test_a_changed_channel_changes_a_locked_environment_only_when_asked(forged: Path, tmp_path: Path) -> None:
    source = extended(forged, tmp_path / "channel")
    environment = CondaEnvironment(tmp_path / "cache")
    spec = specification(source, "greeting")
    assert lock(environment, spec, tmp_path, resolve=False).lock is None
    before = lock(environment, spec, tmp_path)
    write(source, python_module("greeting", "3.0", "word = 'hej'"))
    reindex(source)
    assert lock(environment, spec, tmp_path) == before
    assert packages(lock(environment, spec, tmp_path, refresh=True))["greeting"] == "3.0=0"
    assert packages(lock(environment, spec, tmp_path))["greeting"] == "3.0=0"


def test_a_locked_environment_is_built_again_with_the_channel_gone(forged: Path, tmp_path: Path) -> None:
    source = extended(forged, tmp_path / "channel")
    environment = CondaEnvironment(tmp_path / "cache")
    spec = specification(source, "greeting=1.0")
    before, activation = lock_and_build(environment, spec, tmp_path)
    shutil.rmtree(source)
    shutil.rmtree(activation.path[0].parent)
    after, activation = lock_and_build(environment, spec, tmp_path)
    assert after == before
    assert python_in(activation, "import greeting; print(greeting.word)") == "hello"


def test_an_archive_that_is_not_the_locked_one_is_refused(forged: Path, tmp_path: Path) -> None:
    source = extended(forged, tmp_path / "channel", python_module("target", "1.0", "word = 'good'"))
    environment = CondaEnvironment(tmp_path / "cache")
    locked = lock(environment, specification(source, "target"), tmp_path)
    write(source, python_module("target", "1.0", "word = 'evil'"))
    with pytest.raises(
        EnvironmentFailed, match=r"`target-1\.0-0\.tar\.bz2` is not what was locked"
    ) as caught:
        environment.build(locked, tmp_path, Recorder())
    assert "--refresh" in str(caught.value.hint)
    assert not list((tmp_path / "cache" / "environments").glob("[!.]*/"))


@pytest.mark.parametrize(
    "as_of, version", [("2020-06-01T00:00:00Z", "1.0"), ("2022-01-01T00:00:00+02:00", "2.0")]
)
def test_nothing_newer_than_an_instant_is_taken(tmp_path: Path, as_of: str, version: str) -> None:
    years = {"1.0": 1577836800000, "2.0": 1609459200000, "3.0": 1672531200000}
    made = (Package(name="dated", version=number, timestamp=stamp) for number, stamp in years.items())
    source = Path(channel(tmp_path / "channel", *made).removeprefix("file://"))
    environment = CondaEnvironment(tmp_path / "cache")
    locked = lock(environment, specification(source, "dated"), tmp_path, as_of=as_of)
    assert packages(locked) == {"dated": f"{version}=0"}
    assert locked.as_of == as_of and as_of in locked.because
    assert packages(lock(environment, specification(source, "dated"), tmp_path)) == {"dated": "3.0=0"}
    with pytest.raises(EnvironmentFailed) as caught:
        lock(environment, specification(source, "dated=3"), tmp_path, as_of=as_of)
    assert "--as-of" in str(caught.value.hint)


def test_a_channel_that_does_not_tell_when_its_packages_came_is_told(forged: Path, tmp_path: Path) -> None:
    environment = CondaEnvironment(tmp_path / "cache")
    with pytest.raises(EnvironmentFailed) as caught:
        lock(environment, specification(forged, "greeting"), tmp_path, as_of="2022-01-01T00:00:00Z")
    assert "tell when their packages came" in str(caught.value.hint)


def test_a_pip_list_is_locked_as_of_an_instant_beside_packages_without_one(
    forged: Path, tmp_path: Path
) -> None:
    # Python itself is as new as the test: the instant is one to come.
    instant = "2100-01-01T00:00:00Z"
    source = extended(forged, tmp_path / "channel")
    for file in source.glob("*/repodata.json"):
        told = json.loads(file.read_text())
        for package in told["packages"].values():
            package["timestamp"] = 1577836800000
        file.write_text(json.dumps(told))
    spec = specification(source, "greeting=1.0", pip=("six==1.16.0", "greeting"))
    locked = lock(CondaEnvironment(tmp_path / "cache"), spec, tmp_path, as_of=instant)
    assert packages(locked)["greeting"] == "1.0=0" and packages(locked)["six"] == "1.16.0"


@pytest.mark.parametrize("damage", ["bin/python", "greeting.py", "conda-meta", "mlproj.json", "emptied"])
def test_a_broken_environment_is_noticed_and_rebuilt(
    shared_conda: CondaEnvironment, forged: Path, tmp_path: Path, damage: str
) -> None:
    locked, activation = lock_and_build(shared_conda, specification(forged, "greeting=2.0"), tmp_path)
    folder = activation.path[0].parent
    (site,) = folder.glob("lib/python*/site-packages")
    if damage == "emptied":  # in its place, and so in the package cache as well where that is linked
        os.truncate(site / "greeting.py", 0)
    else:
        target = folder / damage if (folder / damage).exists() else site / damage
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    report = Recorder()
    activation = shared_conda.build(locked, tmp_path, report)
    assert report.began("create") == 1
    assert python_in(activation, "import greeting; print(greeting.word)") == "salut"


def test_a_committed_lock_wins(forged: Path, tmp_path: Path) -> None:
    source = extended(forged, tmp_path / "channel")
    project, environment = tmp_path / "project", CondaEnvironment(tmp_path / "cache")
    project.mkdir()
    spec = specification(source, "greeting", pip=("six==1.16.0",), variables=(("A", "b"),))
    before = lock(environment, replace(spec, dependencies=("greeting=1.0",)), project)
    assert before.lock is not None
    (project / "conda.lock").write_bytes(before.lock.text)
    locked = lock(environment, spec, project)
    assert locked.lock == before.lock and locked.key == before.key
    assert "the committed `conda.lock` says which packages" in locked.because
    assert lock(environment, spec, project, refresh=True, as_of="2000-01-01T00:00:00Z").lock == before.lock
    report = Recorder()
    lock(environment, replace(spec, dependencies=("acting", "greeting")), project, report)
    assert report.notes == ["`conda.lock` does not hold what is asked for: acting"]
    activation = environment.build(locked, project, Recorder())
    code = "import greeting, six, os; print(greeting.word, six.__version__, os.environ['A'])"
    assert python_in(activation, code) == "hello 1.16.0 b"


def test_a_lock_to_commit_keeps_its_versions_while_they_will_do(forged: Path, tmp_path: Path) -> None:
    source = extended(forged, tmp_path / "channel")
    project, environment = tmp_path / "project", CondaEnvironment(tmp_path / "cache")
    (project / "envs").mkdir(parents=True)
    spec = replace(specification(source, "greeting", pip=("six==1.16.0",)), file="envs/conda.yaml")

    def to_commit(wanted: CondaSpec, *, refresh: bool = False) -> LockFile:
        resolving = Resolving(to_commit=True, refresh=refresh)
        file = environment.lock(wanted, project, Recorder(), resolving).file
        assert file is not None and file.path == "envs/conda.lock"
        return file

    first = to_commit(spec)
    assert not first.is_current and b"greeting-2.0" in first.text and b"pylock:" in first.text
    (project / first.path).write_bytes(first.text)
    write(source, python_module("greeting", "3.0", "word = 'hej'"))
    reindex(source)
    assert to_commit(spec).is_current
    assert b"greeting-1.0" in to_commit(replace(spec, dependencies=("greeting<2",))).text
    newest = to_commit(spec, refresh=True)
    assert not newest.is_current and b"greeting-3.0" in newest.text
    (project / first.path).write_bytes(newest.text)
    assert packages(lock(CondaEnvironment(tmp_path / "other"), spec, project))["greeting"] == "3.0=0"


@pytest.mark.parametrize(
    "text, said",
    [
        ("no lock", "missing `version`"),
        ("version: 99\n", "newer lockfile format"),
        ("version: 6\nenvironments: {}\npackages: []\n", "it holds nothing for"),
        (
            "version: 6\nenvironments: {default: {channels: [], packages: {win-64: []}}}\npackages: []\n",
            "it holds nothing for",
        ),
    ],
)
def test_a_committed_lock_that_cannot_be_used_is_told_and_passed_over(
    shared_conda: CondaEnvironment, forged: Path, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "conda.lock").write_text(text)
    report = Recorder()
    locked = lock(shared_conda, specification(forged, "acting"), tmp_path, report)
    assert packages(locked) == {"acting": "1.0=0"}
    assert len(report.notes) == 1 and report.notes[0].startswith("`conda.lock` is not used: ")
    assert said in report.notes[0]


def test_a_cache_that_cannot_be_written_is_told_with_a_way_out(forged: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFailed, match="cache") as caught:
        lock(CondaEnvironment(tmp_path / "file" / "cache"), specification(forged, "acting"), tmp_path)
    assert "MLPROJ_CACHE_DIR" in str(caught.value.hint)


def test_a_script_to_be_run_after_linking_is_told_of(tmp_path: Path, report: Recorder) -> None:
    script = Package(name="late", files={"bin/.late-post-link.sh": b"#!/bin/sh\ntouch $PREFIX/ran\n"})
    source = Path(channel(tmp_path / "channel", script).removeprefix("file://"))
    environment = CondaEnvironment(tmp_path / "cache")
    _, activation = lock_and_build(environment, specification(source, "late"), tmp_path, report)
    assert not (activation.path[0].parent / "ran").exists()
    assert any(note.startswith("`late` has a script") for note in report.notes)


def test_looking_up_what_is_there_loads_no_rattler(
    shared_conda: CondaEnvironment, conda_cache: Path, forged: Path, tmp_path: Path
) -> None:
    spec = specification(forged, "greeting=1.0")
    lock_and_build(shared_conda, spec, tmp_path)
    code = f"""
import sys
from pathlib import Path
from mlproj.environments.conda.environment import CondaEnvironment
from mlproj.model.environment import CondaSpec
from mlproj.model.events import silent
from mlproj.ports import Resolving
from mlproj.spec import environment_for, read_project, toml
from mlproj.spec.conda_lock import parted
environment, project = CondaEnvironment(Path({str(conda_cache)!r})), Path({str(tmp_path)!r})
spec = CondaSpec(
    file="conda.yaml", channels={spec.channels!r}, dependencies={spec.dependencies!r}, because=""
)
environment.build(environment.lock(spec, project, silent, Resolving()), project, silent)
print("rattler" in sys.modules, "asyncio" in sys.modules)
"""
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


def test_a_program_of_rattlers_that_breaks_down_is_told(
    shared_conda: CondaEnvironment, forged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rattler.py").write_text("import os, sys; sys.stderr.write('abort\\n'); os.abort()")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    spec = specification(forged, "acting", "greeting=1.0", "pip")
    with pytest.raises(EnvironmentFailed, match=r"rattler broke down \(exit code -6\)") as caught:
        lock(shared_conda, spec, tmp_path)
    assert caught.value.output == "abort"


def test_a_panic_of_rattlers_is_told_as_any_failure() -> None:
    panic = type("PanicException", (BaseException,), {})
    told = pytest.raises(EnvironmentFailed, match="it cannot be done, by a fault of rattler's: called `None`")
    with told, translated("it cannot be done", "conda.yaml", ()):
        raise panic("called `None`")
    with pytest.raises(KeyboardInterrupt), translated("it cannot be done", "conda.yaml", ()):
        raise KeyboardInterrupt
