"""`mlproj run` from the outside: what is printed, what is recorded, and how it ends."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, LOCAL, Mlproj, single
from tests.conftest import ProjectMaker, commit_all, git

TRAIN = """\
name: trial
entry_points:
  main:
    parameters:
      alpha: {type: float, default: 0.5, description: how strong}
      data: {type: path, default: data.csv}
    outputs: [model.txt]
    metrics: [metrics.json]
    command: "cat {data} > model.txt && echo '{{\\"rmse\\": {alpha}}}' > metrics.json && echo trained"
"""


@pytest.fixture
def trial(make_project: ProjectMaker) -> Path:
    return make_project(
        {"MLproject": TRAIN, "data.csv": "a,b\n1,2\n", ".gitignore": "model.txt\nmetrics.json\n"}
    )


def tree_state(root: Path) -> dict[str, bytes]:
    """Every file below `root` with its content, git's own folder included."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_run_prints_one_object_and_is_sealed(trial: Path, mlproj: Mlproj) -> None:
    answer = mlproj("run", ".", "-P", "alpha=0.25", "--json", *LOCAL, cwd=trial)
    assert answer.code == 0, answer.stderr
    run = answer.document
    assert run["schema"] == "mlproj/run/1"
    assert run["status"] == "FINISHED"
    assert run["exit_code"] == 0
    assert run["metrics"] == {"rmse": 0.25}
    assert run["parameters"]["alpha"]["value"] == 0.25
    assert run["parameters"]["alpha"]["type"] == "float"
    assert run["parameters"]["alpha"]["origin"] == "given"
    assert run["parameters"]["data"]["origin"] == "default"
    assert run["source"]["commit"] == git(trial, "rev-parse", "HEAD")
    assert run["source"]["dirty"] is False
    data = hashlib.sha256((trial / "data.csv").read_bytes()).hexdigest()
    assert [(item["name"], item["path"], item["digest"]) for item in run["inputs"]] == [
        ("data", "data.csv", f"sha256:{data}")
    ]
    model = {item["path"]: item for item in run["outputs"]}["model.txt"]
    assert model["digest"] == f"sha256:{data}" and model["state"] == "written"
    assert "trained" in answer.stderr, "with --json the child's output goes to stderr"
    assert mlproj("show", "last", "--json").document == run
    assert mlproj("verify").code == 0


def test_the_keys_of_the_run_object_are_those_of_its_version(trial: Path, mlproj: Mlproj) -> None:
    run = mlproj("run", ".", "--json", *LOCAL, cwd=trial).document
    promised = (
        "schema run_id name experiment status exit_code project entry_point command plan parameters source "
        "environment inputs outputs metrics tags started ended usage host record reproduces"
    )
    assert set(promised.split()) <= set(run)
    assert set(run["usage"]) >= {"wall_s", "cpu_s", "peak_rss_bytes"}
    assert set(run["source"]) >= {"uri", "commit", "branch", "dirty", "snapshot"}
    assert set(run["environment"]) >= {"kind", "python", "lock", "key", "because"}
    assert set(run["inputs"][0]) >= {"name", "path", "digest", "size", "declared"}
    assert set(run["outputs"][0]) >= {"path", "digest", "size"}


def test_a_second_run_has_the_same_plan_wherever_it_is_started(
    trial: Path, mlproj: Mlproj, tmp_path: Path
) -> None:
    first = mlproj("run", ".", "--json", *LOCAL, cwd=trial).document
    again = mlproj("run", ".", "--json", *LOCAL, cwd=trial).document
    elsewhere = mlproj("run", trial, "--json", *LOCAL, cwd=tmp_path).document
    git(tmp_path, "clone", "--quiet", str(trial), "clone")
    cloned = mlproj("run", "clone", "--json", *LOCAL, cwd=tmp_path).document
    plans = {run["plan"] for run in (first, again, elsewhere, cloned)}
    assert len(plans) == 1 and plans != {None}
    changed = mlproj("run", ".", "-P", "alpha=0.6", "--json", *LOCAL, cwd=trial).document
    assert changed["plan"] not in plans


def test_data_from_elsewhere_counts_by_its_digest(trial: Path, mlproj: Mlproj, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "other.csv").write_text("c\n3\n")
    plans = {
        mlproj("run", trial, "-P", "data=other.csv", "--json", *LOCAL, cwd=tmp_path / name).document["plan"]
        for name in ("one", "two")
    }
    assert len(plans) == 1
    (tmp_path / "two" / "other.csv").write_text("c\n4\n")
    third = mlproj("run", trial, "-P", "data=other.csv", "--json", *LOCAL, cwd=tmp_path / "two").document
    assert third["plan"] not in plans
    assert third["parameters"]["data"]["base"] == "caller"


def test_dirty_and_untracked_code_is_recorded_and_the_repository_untouched(
    trial: Path, mlproj: Mlproj, tmp_path: Path
) -> None:
    (trial / "data.csv").write_text("a,b\n5,6\n")
    (trial / "helper.py").write_text("print('untracked')\n")
    before = tree_state(trial / ".git")
    run = mlproj("run", ".", "--json", *LOCAL, cwd=trial).document
    assert tree_state(trial / ".git") == before
    assert run["source"]["dirty"] is True
    assert sorted(run["source"]["changes"]) == ["data.csv", "helper.py"]
    manifest = (tmp_path / "store" / "blobs" / "sha256").glob("*/*")
    contents = {path.read_bytes() for path in manifest}
    assert b"print('untracked')\n" in contents and b"a,b\n5,6\n" in contents


def test_the_child_s_exit_code_is_kept(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make_project({"MLproject": single("exit 7")})
    answer = mlproj("run", ".", "--json", *LOCAL, cwd=project)
    assert answer.code == 1
    assert (answer.document["status"], answer.document["exit_code"]) == ("FAILED", 7)
    told = mlproj("run", ".", *LOCAL, cwd=project)
    assert told.code == 1 and "exit code 7" in told.stderr


def test_a_dry_run_prints_the_plan_of_the_run_and_writes_nothing(
    trial: Path, mlproj: Mlproj, tmp_path: Path
) -> None:
    before = tree_state(trial)
    dry = mlproj("run", ".", "--dry-run", "--json", *LOCAL, cwd=trial)
    assert dry.code == 0 and dry.document["schema"] == "mlproj/plan/1"
    assert tree_state(trial) == before
    assert not (tmp_path / "store").exists()
    run = mlproj("run", ".", "--json", *LOCAL, cwd=trial).document
    assert dry.document["plan"] == run["plan"]
    canonical = json.dumps(
        dry.document["document"], sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    assert run["plan"] == "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def test_an_output_that_was_not_written_is_not_credited(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    text = (
        "entry_points:\n  main:\n    outputs: [old.txt, none.txt, new.txt]\n    command: echo x > new.txt\n"
    )
    project = make_project({"MLproject": text, "old.txt": "from before\n"})
    run = mlproj("run", ".", "--json", *LOCAL, cwd=project).document
    states = {item["path"]: (item["state"], item["digest"] is None) for item in run["outputs"]}
    assert states == {
        "old.txt": ("unchanged", True),
        "none.txt": ("missing", True),
        "new.txt": ("written", False),
    }


def test_a_revision_of_a_local_folder_runs_in_a_checkout_of_its_own(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project = make_project(
        {"MLproject": "entry_points:\n  main:\n    command: cat which\n", "which": "old\n"}
    )
    old = git(project, "rev-parse", "HEAD")
    (project / "which").write_text("new\n")
    commit_all(project, "second")
    (project / "which").write_text("uncommitted\n")
    before = tree_state(project)
    answer = mlproj("run", ".", "-v", old, *LOCAL, cwd=project)
    assert answer.stdout == "old\n"
    assert tree_state(project) == before
    run = mlproj("show", "--json").document
    assert run["source"]["commit"] == old and run["source"]["dirty"] is False


def test_a_failing_build_closes_the_run_and_is_told(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make_project(
        {
            "MLproject": "python_env: env.yaml\nentry_points:\n  main:\n    command: echo never\n",
            "env.yaml": "dependencies: [./broken]\n",
            "broken/setup.py": "raise SystemExit('this package cannot be built')\n",
        }
    )
    answer = mlproj("run", ".", "--json", cwd=project)
    assert answer.code == 4
    assert answer.document["schema"] == "mlproj/error/1"
    assert "this package cannot be built" in answer.document["message"]
    assert "Traceback" not in answer.stderr
    listed = mlproj("runs", "--json").document["runs"] if mlproj("runs").code == 0 else []
    assert all(run["status"] != "RUNNING" for run in listed)


def test_what_a_project_holds_cannot_steer_the_terminal(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    text = 'entry_points:\n  "a\\e[2J\\u202e":\n    description: "\\e]0;x\\a"\n    command: "true"\n'
    project = make_project({"MLproject": text})
    told = [
        mlproj("check", project),
        mlproj("run", project, "--help-project"),
        mlproj("run", project, *LOCAL),  # which lists the entry points there are
        mlproj("run", project, "-e", "a\x1b[2J\u202e", "--run-name", "\x1b[31mred", *LOCAL),
        mlproj("runs"),
        mlproj("show"),
    ]
    for answer in told:
        assert not set("\x1b\x07\u202e") & set(answer.stdout + answer.stderr)
    assert "\\x1b[2J\\u202e" in told[2].stderr


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_before_the_run_begins_ends_with_its_number_and_a_word(
    make_project: ProjectMaker, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    text = "entry_points:\n  main:\n    outputs: [out]\n    command: 'touch begun; cat'\n"
    project = make_project({"MLproject": text})

    def start(*options: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            (*COMMAND, "run", ".", *LOCAL, *options),
            cwd=project,
            env={**os.environ, "MLPROJ_STORE": str(tmp_path / "store")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    first = start()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not (project / "begun").exists():
        time.sleep(0.05)
    second = start("--json")
    assert second.stderr is not None
    assert b"waiting for another run" in second.stderr.readline()
    second.send_signal(number)
    stdout, _ = second.communicate(timeout=20)
    first.communicate(timeout=20)
    assert second.returncode == code
    assert json.loads(stdout)["exit_code"] == code


def test_a_run_started_by_a_run_names_its_parent(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    command = " ".join((*COMMAND, "run . -e step --env-manager local"))
    text = f"entry_points:\n  main:\n    command: '{command}'\n  step:\n    command: echo stepped\n"
    project = make_project({"MLproject": text})
    assert mlproj("run", ".", *LOCAL, cwd=project).stdout == "stepped\n"
    runs = {run["entry_point"]: run for run in mlproj("runs", "--json").document["runs"]}
    assert runs["step"]["parent"] == runs["main"]["run_id"]
    assert runs["main"]["parent"] is None


def test_secrets_are_neither_printed_nor_recorded(
    make_project: ProjectMaker, mlproj: Mlproj, tmp_path: Path
) -> None:
    text = """\
entry_points:
  main:
    parameters:
      password: {type: string, secret: true}
      url: string
      tokenizer: string
    command: "python3 check.py {password} {url} {tokenizer}"
"""
    script = "import sys; assert sys.argv[1:] == ['hunter2 x', 'https://u:swordfish@h/p', 'bpe'], sys.argv\n"
    project = make_project({"MLproject": text, "check.py": script})
    given = ("-P", "password=hunter2 x", "-P", "url=https://u:swordfish@h/p", "-P", "tokenizer=bpe")
    tags = ("--tag", "source=https://u:swordfish@h/t", "--tag", "phase=one")
    answer = mlproj("run", ".", *given, *tags, "--json", *LOCAL, cwd=project)
    assert answer.code == 0, answer.stderr
    assert answer.document["parameters"]["password"]["value"] == "***"
    assert answer.document["parameters"]["tokenizer"]["value"] == "bpe"
    assert answer.document["tags"] == {"source": "***", "phase": "one"}
    kept = b"".join(path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())
    source = (project / "check.py").read_bytes()
    for secret in (b"hunter2", b"swordfish"):
        assert secret not in kept.replace(source, b"")
        assert secret.decode() not in answer.stdout + answer.stderr


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (("-e", "trian"), 2, "trian"),
        (("-P", "alpha=abc"), 2, "alpha"),
        (("-P", "alpha=1", "-P", "alpha=2"), 2, "alpha"),
        (("-P", "alpha"), 2, "alpha"),
        (("-P", "data=nowhere.csv"), 3, "nowhere.csv"),
        (("--env-manager", "poetry"), 2, "poetry"),
        (("--no-such-option",), 2, "no-such-option"),
        (("--timeout", "soon"), 2, "soon"),
        (("-b", "kubernetes"), 4, "kubernetes"),
    ],
)
def test_what_cannot_be_meant_is_told_in_one_sentence(
    trial: Path, mlproj: Mlproj, arguments: tuple[str, ...], code: int, words: str
) -> None:
    told = mlproj("run", ".", *LOCAL, *arguments, cwd=trial)
    assert told.code == code, told.stderr
    assert words in told.stderr and "Traceback" not in told.stderr
    answer = mlproj("run", ".", *LOCAL, *arguments, "--json", cwd=trial)
    assert answer.code == code
    assert answer.document["schema"] == "mlproj/error/1" and answer.document["exit_code"] == code


def test_a_source_that_is_not_there_is_told(mlproj: Mlproj) -> None:
    answer = mlproj("run", "no/such/folder")
    assert answer.code == 3
    assert answer.stderr.startswith("error: ") and "no/such/folder" in answer.stderr


def test_require_clean_refuses_a_dirty_tree(trial: Path, mlproj: Mlproj) -> None:
    assert mlproj("run", ".", "--require-clean", *LOCAL, cwd=trial).code == 0
    (trial / "data.csv").write_text("changed\n")
    refused = mlproj("run", ".", "--require-clean", *LOCAL, cwd=trial)
    assert refused.code == 3 and "data.csv" in refused.stderr


def test_a_container_without_an_engine_is_told_and_local_runs(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    text = "name: x\ndocker_env: {image: x}\nentry_points:\n  main:\n    command: echo ran\n"
    project = make_project({"MLproject": text})
    refused = mlproj("run", ".", cwd=project, variables={"DOCKER_HOST": "unix:///nowhere.sock"})
    assert refused.code == 4 and "error: no Docker daemon is running" in refused.stderr
    assert mlproj("run", ".", *LOCAL, cwd=project).stdout == "ran\n"


def test_a_store_within_the_project_is_no_part_of_its_source(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project = make_project({"MLproject": single("echo ran")}, git=False)
    runs = [
        mlproj("run", ".", "--store", "history", "--json", *LOCAL, cwd=project).document for _ in range(2)
    ]
    assert [run["source"]["files"] for run in runs] == [1, 1]
    assert [run["notes"] for run in runs] == [[], []]
    assert runs[0]["plan"] == runs[1]["plan"]
