"""Docker projects from the command line, in a real engine: what is seen, recorded, and left."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uv
from docker import APIClient

from mlproj.planning.containers import CODE
from mlproj.process import run as run_program
from tests.cli.conftest import COMMAND, Mlproj, Start, written
from tests.conftest import ProjectMaker, ending, need
from tests.engines import busybox, client, containers_below, debian, runs_with_containers, tagged, variant
from tests.sources.conftest import Web, web

__all__ = ["busybox", "client", "debian", "tagged", "web"]

SHOWN = "id && touch made && cat /etc/os-release | head -1; echo done"
AWAY = {"DOCKER_HOST": "unix:///no/such/socket"}


@pytest.fixture(autouse=True)
def clean(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Nothing is left in the engine by any of the tests that use it."""
    yield
    if "client" in request.fixturenames:
        assert containers_below(request.getfixturevalue("client"), tmp_path) == []


def docker_project(image: str, command: str, *, more: str = "", keys: str = "") -> dict[str, str]:
    """The files of a project whose `main` runs in the image."""
    return {
        "MLproject": f"name: Trial\ndocker_env:\n  image: {image}\n{more}"
        f"entry_points:\n  main:\n{keys}    command: {command!r}\n"
    }


def finished(mlproj: Mlproj, project: Path, *arguments: str, **variables: str) -> dict[str, Any]:
    answer = mlproj("run", ".", "--json", *arguments, cwd=project, variables=variables)
    assert answer.code == 0, answer.stderr
    return answer.document


def test_a_command_runs_wholly_inside_and_its_files_are_the_callers(
    make_project: ProjectMaker, mlproj: Mlproj, debian: str
) -> None:
    project = make_project(docker_project(debian, SHOWN))
    answer = mlproj("run", ".", cwd=project)
    assert answer.code == 0, answer.stderr
    first, second, third = answer.stdout.splitlines()
    assert f"uid={os.getuid()}" in first and "bookworm" in second and third == "done"
    assert (project / "made").stat().st_uid == os.getuid()


def test_the_record_says_which_image_and_the_same_is_the_same_experiment(
    make_project: ProjectMaker, mlproj: Mlproj, client: APIClient, busybox: str, tagged: list[str]
) -> None:
    name = "mlproj-test/labelled:1"
    tagged += [name]
    identifier = variant(client, busybox, name, "a mark")
    project = make_project(docker_project(name, "pwd"))
    runs = [finished(mlproj, project) for _ in range(2)]
    environment = runs[0]["environment"]
    assert environment["kind"] == "docker" and environment["python"] is None
    assert environment["image"]["id"] == identifier and environment["image"]["digest"] is None
    assert ["mark", "a mark"] in environment["image"]["labels"]
    listed = mlproj("env", "list", "--json").document["environments"]
    (sizes,) = {(item["image_size"], item["kind"]) for item in listed if item["key"] == environment["key"]}
    assert sizes == (client.inspect_image(name)["Size"], "docker")
    assert environment["lock_format"] == "image" and environment["platform"].startswith("linux-")
    assert runs[0]["plan"] == runs[1]["plan"] is not None
    shown = mlproj("show", "last", cwd=project).stdout
    assert name in shown and identifier[7:19] in shown

    variant(client, busybox, name, "another mark")
    moved = mlproj("run", ".", "--json", cwd=project)
    assert moved.document["plan"] != runs[0]["plan"]
    assert f"`{name}` has moved since the last run" in moved.document["environment"]["because"]
    assert f"`{name}` has moved since the last run" in moved.stderr


def test_data_is_seen_outputs_are_kept_and_metrics_are_read(
    make_project: ProjectMaker, mlproj: Mlproj, busybox: str, tmp_path: Path
) -> None:
    keys = (
        "    parameters: {inside: {type: path, default: in.txt}, outside: path, words: string}\n"
        "    outputs: [model.txt]\n    metrics: [metrics.json]\n"
    )
    command = (
        "echo {inside} {outside} {words}; cat {inside} {outside} > model.txt; touch {outside} || echo no;"
        " echo 0.5 | sed 's/.*/{{\"rmse\": &}}/' > metrics.json; cp model.txt $MLPROJ_OUTPUT_DIR/copy.txt"
    )
    files = {**docker_project(busybox, "x", keys=keys), "in.txt": "inside\n"}
    files["MLproject"] = files["MLproject"].replace("'x'", f"|\n      {command}")
    project = make_project(files)
    (tmp_path / "some data.txt").write_text("outside\n")
    given = ("-P", f"outside={tmp_path}/some data.txt", "-P", "words=a  'b'")
    run = finished(mlproj, project, *given)
    assert run["command"].startswith(f"echo {CODE}/in.txt '/mlproj/inputs/outside/some data.txt'")
    said = mlproj("logs", "last", cwd=project).stdout
    assert f"{CODE}/in.txt /mlproj/inputs/outside/some data.txt a  'b'\nno\n" in said
    assert (project / "model.txt").read_text() == "inside\noutside\n"
    assert run["metrics"] == {"rmse": 0.5}
    assert {item["path"]: item["state"] for item in run["outputs"]} == {
        "model.txt": "written",
        "metrics.json": "written",
        "artifacts/copy.txt": "written",
    }
    assert {item["name"] for item in run["inputs"]} == {"inside", "outside"}


def test_data_that_was_brought_here_and_further_inputs_are_seen(
    make_project: ProjectMaker, mlproj: Mlproj, busybox: str, web: Web, tmp_path: Path
) -> None:
    (web.folder / "table.csv").write_text("a,b\n")
    (tmp_path / "further").mkdir()
    (tmp_path / "further" / "x.txt").write_text("further\n")
    keys = "    parameters: {data: path}\n"
    command = f"cat {{data}} {tmp_path}/further/x.txt; touch {tmp_path}/further/y"
    project = make_project(docker_project(busybox, command, keys=keys))
    given = ("-P", f"data={web.url}/table.csv", "--storage-dir", tmp_path / "kept")
    answer = mlproj("run", ".", *given, "--input", tmp_path / "further", cwd=project)
    assert (answer.code, answer.stdout) == (1, "a,b\nfurther\n"), answer.stderr
    assert "Read-only file system" in answer.stderr
    assert mlproj("show", "--json").document["command"].startswith("cat /mlproj/inputs/data/table.csv")


def test_variables_and_volumes_are_as_written(
    make_project: ProjectMaker, mlproj: Mlproj, busybox: str
) -> None:
    more = (
        '  environment: [GIVEN, [SET, "a \'b\' \\"c\\"\\nd $HOME"]]\n'
        "  volumes: ['${PWD}/data:/one:ro', '$(pwd)/new:/two', '~/data:/three']\n"
    )
    command = 'printf "%s|%s|" "$GIVEN" "$SET"; cat /one/x; touch /two/y; ls /three; env | grep -c UNASKED'
    project = make_project({**docker_project(busybox, command, more=more), "data/x": "x"}, git=False)
    answer = mlproj(
        "run",
        ".",
        cwd=project,
        variables={"GIVEN": "g h\ni", "UNASKED": "1", "HOME": str(project)},
    )
    assert answer.stdout == "g h\ni|a 'b' \"c\"\nd $HOME|xx\n0\n", answer.stderr
    assert (project / "new" / "y").stat().st_uid == os.getuid()


def test_an_interrupt_ends_the_run_and_leaves_no_container(
    make_project: ProjectMaker, start: Start, mlproj: Mlproj, client: APIClient, busybox: str, tmp_path: Path
) -> None:
    project = make_project(docker_project(busybox, "echo ready > begun; sleep 60"))
    process = start("run", ".", cwd=project)
    written(project / "begun")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert containers_below(client, tmp_path) == []
    assert "interrupted by SIGINT" in mlproj("show", "last", cwd=project).stdout


def test_what_a_kill_leaves_is_gone_after_the_next_run(
    make_project: ProjectMaker, mlproj: Mlproj, client: APIClient, busybox: str, tmp_path: Path
) -> None:
    project = make_project(docker_project(busybox, "echo ready > begun; sleep 60"))
    environ = {**os.environ, "MLPROJ_STORE": str(tmp_path / "store")}
    command = (*COMMAND, "run", ".")
    with ending(subprocess.Popen(command, cwd=project, env=environ, stderr=subprocess.DEVNULL)) as process:
        written(project / "begun")
        process.kill()
        process.wait()
    killed = mlproj("runs", "--json", cwd=project).document["runs"][0]
    assert killed["status"] == "KILLED"
    assert killed["run_id"] not in runs_with_containers(client)
    (project / "MLproject").write_text(docker_project(busybox, "true")["MLproject"])
    assert mlproj("run", ".", cwd=project).code == 0
    assert containers_below(client, tmp_path) == []
    assert mlproj("verify", cwd=project).code == 0


def test_too_little_memory_is_told(make_project: ProjectMaker, mlproj: Mlproj, debian: str) -> None:
    project = make_project(docker_project(debian, "python3 -c 'bytearray(300_000_000)'; exit $?"))
    answer = mlproj("run", ".", "-A", "memory=64m", "-A", "memory-swap=64m", "--json", cwd=project)
    assert answer.code == 1
    assert answer.document["environment"]["options"] == ["memory=64m", "memory-swap=64m"]
    assert answer.document["reason"] == "the entry point ran out of the memory that its container may use"


def test_an_image_of_the_project_is_built_once(
    make_project: ProjectMaker, mlproj: Mlproj, busybox: str, tagged: list[str]
) -> None:
    project = make_project({**docker_project(busybox, f"cat {CODE}/x"), "x": "content\n"})
    first, second = (finished(mlproj, project, "--build-image")["environment"] for _ in range(2))
    tagged += [first["image"]["name"]]
    assert re.fullmatch(r"mlproj/trial:[0-9a-f]{16}", first["image"]["name"])
    assert first["image"] == second["image"]


def test_a_projects_own_dockerfile_is_built(
    make_project: ProjectMaker, mlproj: Mlproj, busybox: str, tagged: list[str]
) -> None:
    text = "docker_env: {build: {args: {WORD: one}}}\nentry_points: {main: {command: cat /word}}\n"
    dockerfile = f"FROM {busybox}\nARG WORD\nRUN echo $WORD > /word\n"
    project = make_project({"MLproject": text, "Dockerfile": dockerfile})
    for arguments, word in (((), "one\n"), (("-A", "build-arg=WORD=two"), "two\n")):
        answer = mlproj("run", ".", *arguments, cwd=project)
        assert (answer.code, answer.stdout) == (0, word), answer.stderr
        shown = mlproj("show", "last", "--json", cwd=project).document["environment"]
        assert "built by `Dockerfile`" in shown["because"]
        tagged += [shown["image"]["name"]]


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "said"),
    [
        (("-A", "gpu=all"), {}, 2, "did you mean `gpus`?"),
        ((), AWAY, 4, "no Docker daemon is running"),
        (("--env-manager", "docker"), AWAY, 4, "no Docker daemon is running"),
        (
            ("--env-manager", "local"),
            AWAY,
            0,
            "this is no run in a container, although the project asks for one",
        ),
        (("--env-manager", "local", "-A", "gpus=all"), AWAY, 0, "`-A` means nothing"),
        (("--dry-run",), AWAY, 0, ""),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(
    make_project: ProjectMaker,
    mlproj: Mlproj,
    arguments: tuple[str, ...],
    variables: dict[str, str],
    code: int,
    said: str,
) -> None:
    project = make_project(docker_project("no-such-image", "echo ran"))
    answer = mlproj("run", ".", *arguments, cwd=project, variables=variables)
    assert answer.code == code, answer.stderr
    assert said in answer.stderr and "Traceback" not in answer.stderr


SCRIPT = """\
import os, pathlib, mlflow
mlflow.set_experiment("elsewhere")
with mlflow.start_run():
    mlflow.log_param("depth", 3)
    for step in range(3):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    pathlib.Path("note.txt").write_text("from inside")
    mlflow.log_artifact("note.txt")
    assert mlflow.get_artifact_uri().startswith("mlflow-artifacts:"), mlflow.get_artifact_uri()
    print(mlflow.artifacts.load_text(mlflow.get_artifact_uri() + "/note.txt"))
mlflow.set_tracking_uri("http://127.0.0.1:9")
print(os.path.exists("/usr/lib/os-release"), mlflow.get_tracking_uri() != "http://127.0.0.1:9")
"""


@pytest.fixture(scope="session")
def packages(debian: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with MLflow's client for the Python in the image."""
    folder = tmp_path_factory.mktemp("packages")
    found = (
        "docker",
        "run",
        "--rm",
        debian,
        "python3",
        "-c",
        "import sys; print('%d.%d' % sys.version_info[:2])",
    )
    version = subprocess.run(found, check=True, capture_output=True, text=True).stdout.strip()
    install = (uv.find_uv_bin(), "pip", "install", "--quiet", "--target", folder, "--python-version", version)
    done = run_program((*install, "--only-binary=:all:", "mlflow-skinny>=3"), timeout=400)
    need("mlflow in a container", done.code == 0)
    return folder


def test_a_script_logs_by_mlflow_from_inside(
    make_project: ProjectMaker, mlproj: Mlproj, debian: str, packages: Path
) -> None:
    more = (
        f"  volumes: ['{packages}:/packages:ro']\n"
        "  environment: [[PYTHONPATH, /packages], [MLFLOW_DISABLE_TELEMETRY, 'true']]\n"
    )
    project = make_project({**docker_project(debian, "python3 log.py", more=more), "log.py": SCRIPT})
    run = finished(mlproj, project)
    assert run["metrics"] == {"loss": pytest.approx(1 / 3)}
    assert run["experiment"] == "elsewhere"
    assert "artifacts/note.txt" in {item["path"] for item in run["outputs"]}
    assert mlproj("logs", "last", cwd=project).stdout.splitlines()[-2:] == ["from inside", "True True"]
    shown = mlproj("show", "last", cwd=project).stdout
    assert "depth" in shown


def test_a_container_without_a_network_is_told_that_nothing_is_taken_in(
    make_project: ProjectMaker, mlproj: Mlproj, busybox: str
) -> None:
    project = make_project(docker_project(busybox, "env | grep -c MLFLOW_TRACKING_URI; true"))
    answer = mlproj("run", ".", "-A", "network=none", cwd=project)
    assert (answer.code, answer.stdout) == (0, "0\n")
    assert "the container has no way to mlproj" in answer.stderr


def test_mlflows_own_example_is_planned_alike(
    make_project: ProjectMaker, mlproj: Mlproj, busybox: str
) -> None:
    """The form of the Docker project in MLflow's own tests: an image, volumes, variables copied and set."""
    text = (
        f"name: docker-example\ndocker_env:\n  image: {busybox}\n"
        '  volumes: ["${PWD}/mlruns:/mlflow/tmp/other"]\n'
        '  environment: [["NEW_ENV_VAR", "new_var_value"], "VAR_TO_COPY_FROM_HOST_ENVIRONMENT"]\n'
        "entry_points:\n  main:\n    parameters: {use_start_run: bool}\n"
        "    command: echo {use_start_run} $NEW_ENV_VAR $VAR_TO_COPY_FROM_HOST_ENVIRONMENT\n"
    )
    project = make_project({"MLproject": text})
    copied = {"VAR_TO_COPY_FROM_HOST_ENVIRONMENT": "copied"}
    answer = mlproj("run", ".", "-P", "use_start_run=true", cwd=project, variables=copied)
    assert (answer.code, answer.stdout) == (0, "true new_var_value copied\n"), answer.stderr


def test_what_python_reads_inside_is_told_by_its_path_here(
    make_project: ProjectMaker, mlproj: Mlproj, debian: str, tmp_path: Path
) -> None:
    (tmp_path / "mounted").mkdir()
    (tmp_path / "mounted" / "far.csv").write_text("far")
    script = (
        "import json; open('data/near.csv').close(); open('/far/far.csv').close()\n"
        "open('/etc/hosts').close()\n"
        "open('/mlproj/inputs/data/given.csv').close(); open('made', 'w').close(); open('made').close()\n"
    )
    files = docker_project(
        debian,
        "python3 main.py {data}",
        more=f"  volumes: ['{tmp_path}/mounted:/far']\n",
        keys="    parameters: {data: path}\n",
    )
    (tmp_path / "given.csv").write_text("given")
    ignored = {".gitignore": "data/\nmade\n", "data/near.csv": "near", "main.py": script}
    project = make_project({**files, **ignored})
    given = ("-P", f"data={tmp_path}/given.csv")
    run = finished(mlproj, project, *given)
    reads = [(item["path"], item["size"]) for item in run["inputs"] if not item["declared"]]
    assert reads == [(f"{tmp_path}/mounted/far.csv", 3), ("data/near.csv", 4)]
    assert run["tracing"]["means"] == "audit hook" and run["tracing"]["written"] == ["made"]
    untracked = finished(mlproj, project, "--no-tracking", *given)
    assert [item for item in untracked["inputs"] if not item["declared"]] == [
        item for item in run["inputs"] if not item["declared"]
    ]
    refused = mlproj("run", ".", "--trace=full", *given, cwd=project)
    assert refused.code == 4 and "does not see into a container" in refused.stderr
