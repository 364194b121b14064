"""Images resolved, pulled from a real registry, and built by a real engine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from docker import APIClient
from msgspec.structs import replace

from mlproj.engine import SOURCE, is_rootless
from mlproj.environments.docker import DockerEnvironment
from mlproj.errors import EnvironmentFailed, SpecError, UsageError
from mlproj.model.environment import DockerSpec, ImageBuild, LockedEnvironment
from mlproj.model.events import silent
from mlproj.planning.containers import CODE
from mlproj.ports import Resolving
from tests.conftest import ProjectMaker, ending
from tests.engines import busybox, client, registry, tagged, variant
from tests.environments.conftest import Recorder

__all__ = ["busybox", "client", "registry", "tagged"]

DOCKERFILE = "ARG BASE=mlproj-test/busybox:1\nFROM $BASE\nCOPY words /words\nRUN cat /words > /said\n"


def spec(image: str, **changes: object) -> DockerSpec:
    return replace(DockerSpec(image=image, because="asked for"), **changes)


@pytest.fixture
def environment(tmp_path: Path) -> DockerEnvironment:
    return DockerEnvironment(tmp_path / "cache")


def lock(
    environment: DockerEnvironment,
    wanted: DockerSpec,
    project: Path,
    *,
    refresh: bool = False,
    resolve: bool = True,
) -> LockedEnvironment:
    return environment.lock(wanted, project, silent, Resolving(refresh=refresh, resolve=resolve))


def test_an_image_of_this_machine_is_locked_by_its_id(
    environment: DockerEnvironment, client: APIClient, busybox: str, tmp_path: Path
) -> None:
    locked = lock(environment, spec(busybox), tmp_path)
    assert locked.image is not None and locked.lock is not None
    assert locked.image.id == client.inspect_image(busybox)["Id"] and locked.image.digest is None
    (package,) = locked.lock.packages
    assert (package.name, package.version, package.hashes) == (
        "mlproj-test/busybox",
        "1",
        (locked.image.id,),
    )
    container = environment.build(locked, tmp_path, silent).container
    assert container is not None and container.image == locked.image.id
    assert container.user == f"{os.getuid()}:{os.getgid()}"


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """A registry, and images that are put into it."""

    client: APIClient
    address: str
    base: str
    tagged: list[str]

    def push(self, name: str, mark: str) -> str:
        """Another image of that name with the tag `1`, here and in the registry; returns its id."""
        self.tagged.append(f"{self.address}/{name}:1")
        identifier = variant(self.client, self.base, f"{self.address}/{name}:1", mark)
        self.client.push(f"{self.address}/{name}", tag="1")
        return identifier


@pytest.fixture
def shelf(client: APIClient, registry: str, busybox: str, tagged: list[str]) -> Shelf:
    return Shelf(client=client, address=registry, base=busybox, tagged=tagged)


def test_an_image_is_pulled_by_tag_and_by_digest_and_locked_by_what_the_registry_calls_it(
    environment: DockerEnvironment, client: APIClient, shelf: Shelf, tmp_path: Path
) -> None:
    name = f"{shelf.address}/team/tool"
    identifier = shelf.push("team/tool", "first")
    client.remove_image(f"{name}:1", force=True)

    dry = lock(environment, spec(f"{name}:1"), tmp_path, resolve=False)
    assert dry.lock is None, "a dry run pulls nothing"
    by_tag = lock(environment, spec(f"{name}:1"), tmp_path)
    assert by_tag.image is not None and by_tag.image.digest is not None
    assert by_tag.image.id == identifier and ("mark", "first") in by_tag.image.labels

    client.remove_image(f"{name}:1", force=True)
    by_digest = lock(environment, spec(f"{name}@{by_tag.image.digest}"), tmp_path)
    assert by_digest.image is not None and by_digest.image.id == identifier
    shelf.tagged.append(f"{name}@{by_tag.image.digest}")

    client.remove_image(identifier, force=True)
    environment.build(by_tag, tmp_path, silent)
    assert client.inspect_image(identifier), "one that was removed since comes by its digest"


def test_a_tag_that_moved_is_said_and_a_committed_lock_wins(
    environment: DockerEnvironment, shelf: Shelf, tmp_path: Path
) -> None:
    name = f"{shelf.address}/moving:1"
    first = shelf.push("moving", "first")
    before = lock(environment, spec(name), tmp_path)
    assert before.because == "asked for"

    second = shelf.push("moving", "second")
    after = lock(environment, spec(name), tmp_path)
    assert f"`{name}` has moved since the last run" in after.because
    assert first[7:19] in after.because and second[7:19] in after.because
    assert lock(environment, spec(name), tmp_path).because == "asked for", "it is said once"

    to_commit = environment.lock(
        before.launch or spec(name), tmp_path, silent, Resolving(to_commit=True)
    ).file
    assert to_commit is not None and (to_commit.path, to_commit.is_current) == ("image.lock.json", False)
    assert before.lock is not None
    (tmp_path / "image.lock.json").write_bytes(before.lock.text)
    kept = environment.lock(spec(name), tmp_path, silent, Resolving(to_commit=True)).file
    assert kept is not None and kept.is_current and kept.text == before.lock.text
    committed = lock(environment, spec(name), tmp_path)
    assert committed.image is not None and committed.image.id == first
    assert "the committed `image.lock.json` says which image" in committed.because
    assert committed.lock is not None and committed.lock.digest == before.lock.digest


def test_a_tag_that_moved_in_the_registry_is_fetched_by_refresh(
    environment: DockerEnvironment, client: APIClient, shelf: Shelf, tmp_path: Path
) -> None:
    name = f"{shelf.address}/refreshed"
    pushed = [shelf.push("refreshed", mark) for mark in ("first", "second")]
    client.tag(pushed[0], name, "1", force=True)
    found = (lock(environment, spec(f"{name}:1"), tmp_path, refresh=again).image for again in (False, True))
    assert [image.id for image in found if image is not None] == pushed


def test_an_image_is_built_once_for_one_source(
    environment: DockerEnvironment,
    client: APIClient,
    tagged: list[str],
    busybox: str,
    make_project: ProjectMaker,
) -> None:
    project = make_project({"Dockerfile": DOCKERFILE, "words": "one\n", ".dockerignore": "notes\n"})
    wanted = DockerSpec(
        build=ImageBuild(dockerfile="Dockerfile"),
        because="asked for",
        title="My Tool!",
        products=("model.bin",),
    )
    dry = lock(environment, wanted, project, resolve=False)
    assert dry.lock is None, "a dry run builds nothing"
    events = Recorder()
    built = environment.lock(wanted, project, events, Resolving())
    assert built.image is not None and built.image.name.startswith("mlproj/my-tool:")
    tagged += [built.image.name]
    assert events.began("image") == 1
    assert dict(built.image.labels)[SOURCE].startswith("sha256:")
    assert lock(environment, wanted, project, resolve=False).image == built.image

    for name in ("model.bin", "notes", "mlruns", ".mlproj"):
        (project / name).write_text("a product, and no source\n")
    again = environment.lock(wanted, project, events, Resolving())
    assert again.image == built.image and events.began("image") == 1

    (project / "words").write_text("two\n")
    changed = environment.lock(wanted, project, events, Resolving())
    assert changed.image is not None and changed.image.name != built.image.name
    tagged += [changed.image.name]

    based = environment.lock(
        replace(wanted, arguments=(("build-arg", f"BASE={built.image.name}"),)), project, events, Resolving()
    )
    assert based.image is not None and based.image.id not in (built.image.id, changed.image.id)
    tagged += [based.image.name]


def test_a_dockerfile_may_lie_beside_its_context(
    environment: DockerEnvironment, tagged: list[str], busybox: str, make_project: ProjectMaker
) -> None:
    project = make_project({"images/Dockerfile": DOCKERFILE, "context/words": "one\n", "other": "x\n"})
    build = ImageBuild(dockerfile="images/Dockerfile", context="context")
    locked = lock(environment, DockerSpec(build=build, because="", title="beside"), project)
    assert locked.image is not None
    tagged += [locked.image.name]


def test_the_project_goes_into_an_image_with_git_and_without(
    environment: DockerEnvironment,
    client: APIClient,
    tagged: list[str],
    busybox: str,
    make_project: ProjectMaker,
) -> None:
    wanted = spec(busybox, code_inside=True, title="x", products=("out.txt",))
    images = []
    for git, name in ((True, "one"), (False, "two")):
        project = make_project({"train.py": "print(1)\n", "out.txt": "old\n"}, git=git, name=name)
        found = lock(environment, wanted, project).image
        assert found is not None
        tagged += [found.name]
        images.append(found)
    assert images[0].name == images[1].name, "the same source is the same image, wherever it lies"
    assert client.inspect_image(images[0].id)["Config"]["WorkingDir"] == CODE
    command = ("docker", "run", "--rm", images[0].name, "ls")
    assert subprocess.run(command, capture_output=True, text=True).stdout.split() == [
        "Dockerfile.mlproj",
        "train.py",
    ]


def test_a_build_that_fails_tells_in_the_engines_words(
    environment: DockerEnvironment, client: APIClient, busybox: str, make_project: ProjectMaker
) -> None:
    project = make_project({"Dockerfile": f"FROM {busybox}\nRUN echo about to fail; exit 3\n"})
    with pytest.raises(EnvironmentFailed, match=r"cannot be built: .*returned a non-zero code: 3") as caught:
        lock(environment, DockerSpec(build=ImageBuild(dockerfile="Dockerfile"), because=""), project)
    assert "about to fail" in caught.value.output


def test_an_image_that_was_removed_is_built_again(
    environment: DockerEnvironment,
    client: APIClient,
    tagged: list[str],
    busybox: str,
    make_project: ProjectMaker,
) -> None:
    project = make_project({"Dockerfile": f"FROM {busybox}\nRUN date +%N > /when\n"})
    wanted = DockerSpec(build=ImageBuild(dockerfile="Dockerfile"), because="", title="removed")
    first = lock(environment, wanted, project).image
    assert first is not None
    tagged += [first.name]
    client.remove_image(first.id, force=True)
    again = lock(environment, wanted, project).image
    assert again is not None and (again.name, again.id != first.id) == (first.name, True)


def test_a_build_that_was_killed_is_no_image_and_the_next_one_is_good(
    environment: DockerEnvironment,
    tagged: list[str],
    busybox: str,
    make_project: ProjectMaker,
    tmp_path: Path,
) -> None:
    project = make_project({"Dockerfile": f"FROM {busybox}\nRUN echo begun; sleep 3; echo whole > /whole\n"})
    command = (sys.executable, "-c", PROGRAM, tmp_path / "cache", project)
    with ending(subprocess.Popen(command, stdout=subprocess.PIPE)) as builder:
        assert builder.stdout is not None and builder.stdout.readline() == b"built\n"
        time.sleep(0.5)
        builder.kill()
        builder.wait()
    wanted = DockerSpec(build=ImageBuild(dockerfile="Dockerfile"), because="", title="crowd")
    assert lock(environment, wanted, project, resolve=False).image is None
    image = lock(environment, wanted, project).image
    assert image is not None
    tagged += [image.name]
    look = ("docker", "run", "--rm", image.name, "cat", "/whole")
    assert subprocess.run(look, capture_output=True, text=True).stdout == "whole\n"


PROGRAM = """
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from mlproj.environments.docker import DockerEnvironment
from mlproj.model.environment import DockerSpec, ImageBuild
from mlproj.model.events import Started
from mlproj.ports import Resolving

def report(event):
    if isinstance(event, Started) and event.stage == "image":
        print("built", flush=True)

spec = DockerSpec(build=ImageBuild(dockerfile="Dockerfile"), because="", title="crowd")
print(DockerEnvironment(Path(sys.argv[1])).lock(spec, Path(sys.argv[2]), report, Resolving()).image.id)
"""


def test_ten_processes_that_want_one_image_build_it_once(
    tagged: list[str], busybox: str, make_project: ProjectMaker, tmp_path: Path
) -> None:
    project = make_project({"Dockerfile": f"FROM {busybox}\nRUN head -c 16 /dev/urandom > /mark\n"})
    command = (sys.executable, "-c", PROGRAM, tmp_path / "cache", project)
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(10)]
    said = [process.communicate()[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0] * 10
    assert len({words[-1] for words in said}) == 1
    assert sum("built" in words for words in said) == 1
    tagged += [said[0][-1]]


@pytest.mark.parametrize(
    ("image", "said", "hint"),
    [
        ("127.0.0.1:9/none:1", "its registry cannot be asked", "docker load"),
        ("Not A Name", "cannot be the name of an image", "python:3.11-slim"),
    ],
)
def test_an_image_that_cannot_be_had_is_told(
    environment: DockerEnvironment, client: APIClient, tmp_path: Path, image: str, said: str, hint: str
) -> None:
    with pytest.raises(EnvironmentFailed, match=said) as caught:
        lock(environment, spec(image), tmp_path)
    assert hint in str(caught.value.hint)


def test_an_image_that_its_registry_does_not_have_is_told(
    environment: DockerEnvironment, registry: str, tmp_path: Path
) -> None:
    with pytest.raises(EnvironmentFailed, match="there is no image"):
        lock(environment, spec(f"{registry}/nothing:1"), tmp_path)


@pytest.mark.parametrize("address", ["tcp://[::1", "tcp://127.0.0.1:99999"])
def test_what_is_no_address_of_an_engine_is_told(tmp_path: Path, address: str) -> None:
    environment = DockerEnvironment(tmp_path / "cache", {"DOCKER_HOST": address})
    with pytest.raises(EnvironmentFailed, match="`DOCKER_HOST` is no address"):
        lock(environment, spec("busybox"), tmp_path)


@pytest.mark.parametrize(
    ("socket", "said"),
    [("unix:///no/such/socket", "there is no `/no/such/socket`"), ("tcp://127.0.0.1:9", "nobody listens")],
)
def test_an_engine_that_is_away_is_told_and_a_dry_run_goes_without(
    tmp_path: Path, socket: str, said: str
) -> None:
    environment = DockerEnvironment(tmp_path / "cache", {"DOCKER_HOST": socket})
    with pytest.raises(EnvironmentFailed, match=f"no Docker daemon is running: {said}") as caught:
        lock(environment, spec("busybox"), tmp_path)
    assert "DOCKER_HOST" in str(caught.value.hint)
    assert lock(environment, spec("busybox"), tmp_path, resolve=False).lock is None


def test_what_docker_would_not_take_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    environment = DockerEnvironment(tmp_path / "cache", {"DOCKER_HOST": "unix:///no/such/socket"})
    with pytest.raises(SpecError, match="has a command in it"):
        lock(environment, spec("x", volumes=("$(date):/x",)), tmp_path)
    with pytest.raises(SpecError, match="copies `ABSENT`, and there is no such variable"):
        lock(environment, spec("x", environment=(("ABSENT", None),)), tmp_path)
    with pytest.raises(UsageError, match="names no value"):
        environment.lock(
            DockerSpec(build=ImageBuild(dockerfile="D"), because="", arguments=(("build-arg", "BASE"),)),
            tmp_path,
            silent,
            Resolving(),
        )
    with pytest.raises(EnvironmentFailed, match="as of a date"):
        environment.lock(spec("x"), tmp_path, silent, Resolving(as_of="2026-01-01T00:00:00Z"))


def test_volumes_and_variables_are_those_of_the_caller(
    client: APIClient, busybox: str, tmp_path: Path
) -> None:
    environment = DockerEnvironment(tmp_path / "cache", {**os.environ, "GIVEN": "a b", "HOME": str(tmp_path)})
    wanted = spec(
        busybox,
        volumes=("~/data:/data:ro", "${PWD}/made:/made"),
        environment=(("GIVEN", None), ("SET", "x 'y'\n")),
        arguments=(("env", "GIVEN"), ("env", "ABSENT"), ("env", "A=b"), ("tty", None), ("init", None)),
    )
    project = tmp_path / "project"
    project.mkdir()
    container = environment.build(lock(environment, wanted, project), project, silent).container
    assert container is not None
    assert container.volumes == (f"{tmp_path}/data:/data:ro", f"{project}/made:/made")
    assert container.variables == (("GIVEN", "a b"), ("SET", "x 'y'\n"))
    assert container.arguments == (("env", "GIVEN=a b"), ("env", "A=b"), ("init", None))
    assert (project / "made").stat().st_uid == os.getuid()


@pytest.mark.parametrize(
    ("info", "rootless"),
    [
        ({"SecurityOptions": ["name=seccomp,profile=default", "name=rootless"]}, True),
        ({"SecurityOptions": ["name=seccomp,profile=default"]}, False),
        ({"SecurityOptions": None, "Rootless": True}, True),
        ({}, False),
    ],
)
def test_an_engine_whose_root_is_the_caller_is_known(info: dict[str, object], rootless: bool) -> None:
    """As Docker 28 and Podman 4.3 describe themselves."""
    assert is_rootless(info) == rootless
