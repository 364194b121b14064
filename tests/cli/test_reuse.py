"""`mlproj run --reuse`: what was run already is put in place and not run again, and nothing else is."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from mlproj.model.digest import Digest
from mlproj.model.run import Outcome
from mlproj.store.opening import open_store
from tests.cli.conftest import LOCAL, Answer, Mlproj, Start
from tests.conftest import ProjectMaker, commit_all, need
from tests.mlflow_clients import client_python

__all__ = ["client_python"]

PROJECT = """\
name: reused
entry_points:
  main:
    parameters: {{alpha: {{type: float, default: 0.5}}, data: {{type: path, default: data.csv}}}}
    command: "echo ran >> {count}; (cat {{data}}; echo {{alpha}}) > model.txt; sh make.sh {{alpha}}"
    outputs: [model.txt, out]
    metrics: [metrics.json]
  fails: {{command: "exit 3"}}
  secret: {{parameters: {{token: {{type: string, secret: true}}}}, command: "echo {{token}}"}}
  far: {{parameters: {{data: uri}}, command: "echo {{data}}"}}
  artifact: {{command: "echo kept > $MLPROJ_OUTPUT_DIR/note.txt"}}
  nothing: {{command: "true", outputs: [never.txt]}}
  slow: {{command: "echo ran >> {count}; sleep 2; echo done > slow.txt", outputs: [slow.txt]}}
"""
MAKE = """\
mkdir -p out/deep
echo one > out/a.txt
echo two > out/deep/b.txt
echo "{\\"rmse\\": $1}" > metrics.json
"""


@pytest.fixture
def project(make_project: ProjectMaker, tmp_path: Path) -> Path:
    files = {
        "MLproject": PROJECT.format(count=tmp_path / "count"),
        "make.sh": MAKE,
        "data.csv": "1,2\n",
    }
    return make_project(files)


@pytest.fixture
def ran(tmp_path: Path) -> RanTimes:
    return RanTimes(tmp_path / "count")


class RanTimes:
    """How often the command was really executed."""

    def __init__(self, count: Path) -> None:
        self._count = count

    def __eq__(self, other: object) -> bool:
        return len(self._count.read_text().splitlines()) == other


def run(mlproj: Mlproj, project: Path, *given: str | Path, entry: str = "main") -> Answer:
    return mlproj("run", ".", "-e", entry, *given, *LOCAL, "--json", cwd=project)


def reused(answer: Answer) -> bool:
    assert answer.code == 0, answer.stderr
    return bool(answer.document["reuse"]["reused"])


def test_an_equal_plan_is_not_run_again_and_its_outputs_are_put_in_place(
    mlproj: Mlproj, project: Path, ran: RanTimes
) -> None:
    first = run(mlproj, project)
    assert first.code == 0 and "reuse" not in first.document
    (project / "model.txt").unlink()
    (project / "metrics.json").write_text("changed")
    shutil.rmtree(project / "out" / "deep")
    again = run(mlproj, project, "--reuse")
    assert reused(again) and ran == 1
    assert again.document["run_id"] == first.document["run_id"]
    assert again.document["metrics"] == {"rmse": 0.5}
    assert again.document["reuse"]["because"] == f"its plan is equal ({first.document['plan']})"
    assert (project / "model.txt").read_text() == "1,2\n0.5\n"
    assert (project / "metrics.json").read_text() == '{"rmse": 0.5}\n'
    assert (project / "out" / "deep" / "b.txt").read_text() == "two\n"
    assert len(mlproj("runs", "--json").document["runs"]) == 1
    said = mlproj("run", ".", "--reuse", *LOCAL, cwd=project)
    assert said.stderr.startswith(f"reused run `{first.document['name']}`")
    assert "its plan is equal" in said.stderr and "finished in" not in said.stderr


def test_what_is_right_already_is_left_alone_and_what_else_lies_there_stays(
    mlproj: Mlproj, project: Path
) -> None:
    run(mlproj, project)
    (project / "model.txt").chmod(0o640)
    (project / "out" / "a.txt").write_text("spoilt")
    (project / "out" / "a.txt").chmod(0o755)
    (project / "out" / "mine.txt").write_text("mine")
    before = (project / "model.txt").stat()
    again = run(mlproj, project, "--reuse")
    assert reused(again)
    after = (project / "model.txt").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert (project / "out" / "a.txt").read_text() == "one\n"
    assert (project / "out" / "a.txt").stat().st_mode & 0o777 == 0o755
    assert (project / "out" / "mine.txt").read_text() == "mine"
    assert "what the run did not write stays in `out`: `mine.txt`" in again.stderr
    assert not list(project.glob(".*.????????"))


def test_a_link_to_an_output_stays_one(mlproj: Mlproj, project: Path, tmp_path: Path) -> None:
    run(mlproj, project)
    (project / "model.txt").unlink()
    (project / "model.txt").symlink_to(tmp_path / "elsewhere.txt")
    (tmp_path / "elsewhere.txt").write_text("old")
    assert reused(run(mlproj, project, "--reuse"))
    assert (project / "model.txt").is_symlink()
    assert (tmp_path / "elsewhere.txt").read_text() == "1,2\n0.5\n"


@pytest.mark.parametrize(
    ("change", "given", "told"),
    [
        ({}, ("-P", "alpha=0.75"), "parameter alpha: `0.5`, now `0.75`"),
        ({"data.csv": "3,4\n"}, (), "input data: sha256"),
        ({"make.sh": MAKE + "# more\n"}, (), "source: `make.sh`"),
        ({}, ("--timeout", "90"), "timeout: nothing, now `90.0`"),
        ({}, ("--output", "further.txt"), "outputs: `model.txt, out`, now `model.txt, out, further.txt`"),
    ],
)
def test_what_differs_from_the_nearest_run_is_told_and_run(
    mlproj: Mlproj, project: Path, ran: RanTimes, change: dict[str, str], given: tuple[str, ...], told: str
) -> None:
    first = run(mlproj, project)
    for name, text in change.items():
        (project / name).write_text(text)
    second = run(mlproj, project, "--reuse", *given)
    assert not reused(second) and ran == 2
    assert second.document["reuse"]["nearest"] == first.document["run_id"]
    assert any(line.startswith(told) for line in second.document["reuse"]["differs"])
    assert (
        f"nothing to reuse: no run has an equal plan; the nearest, `{first.document['name']}`"
        in second.stderr
    )
    assert told in second.stderr


def test_the_nearest_is_the_one_that_differs_least(mlproj: Mlproj, project: Path) -> None:
    near = run(mlproj, project, "-P", "alpha=1")
    (project / "data.csv").write_text("3,4\n")
    run(mlproj, project, "-P", "alpha=2")
    (project / "data.csv").write_text("1,2\n")
    found = run(mlproj, project, "-P", "alpha=3", "--reuse").document["reuse"]
    assert (found["nearest"], found["differs"]) == (
        near.document["run_id"],
        ["parameter alpha: `1`, now `3`"],
    )


def test_a_commit_or_a_copy_elsewhere_makes_no_difference(
    mlproj: Mlproj, project: Path, ran: RanTimes, tmp_path: Path
) -> None:
    (project / "note.txt").write_text("not committed yet")
    run(mlproj, project)
    commit_all(project, "second")
    assert reused(run(mlproj, project, "--reuse"))
    shutil.copytree(project, tmp_path / "copy", ignore=shutil.ignore_patterns("out", "model.txt"))
    assert reused(run(mlproj, tmp_path / "copy", "--reuse"))
    assert (tmp_path / "copy" / "out" / "a.txt").read_text() == "one\n"
    assert ran == 1


@pytest.mark.parametrize("spoil", ["gone", "altered"])
@pytest.mark.parametrize("content", [b"1,2\n0.5\n", b"two\n"])
def test_content_that_is_not_held_as_it_was_is_made_anew(
    mlproj: Mlproj, project: Path, ran: RanTimes, tmp_path: Path, spoil: str, content: bytes
) -> None:
    first = run(mlproj, project)
    for path in ("model.txt", "out"):
        (project / path).unlink() if path == "model.txt" else shutil.rmtree(project / path)
    (project / "metrics.json").write_text("as it stands")
    blob = open_store(tmp_path / "store", create=False).blobs.path(Digest.of(content))
    if spoil == "gone":
        blob.unlink()
    else:
        blob.chmod(0o600)
        blob.write_bytes(b"9" * len(content))
    second = run(mlproj, project, "--reuse")
    assert not reused(second) and ran == 2
    assert f"run `{first.document['name']}`" in second.stderr and "has an equal plan, but" in second.stderr
    assert (project / "model.txt").read_text() == "1,2\n0.5\n"


def test_an_artifact_that_was_altered_is_no_result_to_reuse(
    mlproj: Mlproj, project: Path, tmp_path: Path
) -> None:
    assert run(mlproj, project, entry="artifact").code == 0
    assert reused(run(mlproj, project, "--reuse", entry="artifact"))
    blob = open_store(tmp_path / "store", create=False).blobs.path(Digest.of(b"kept\n"))
    blob.write_bytes(b"else\n")
    second = run(mlproj, project, "--reuse", entry="artifact")
    assert not reused(second)
    assert "no longer holds its `artifacts/note.txt` as it was" in second.stderr


def test_what_is_in_the_way_is_not_removed(mlproj: Mlproj, project: Path) -> None:
    run(mlproj, project)
    (project / "model.txt").unlink()
    (project / "model.txt").mkdir()
    answer = mlproj("run", ".", "--reuse", *LOCAL, cwd=project)
    assert "a folder is in the way of its `model.txt`" in answer.stderr
    assert (project / "model.txt").is_dir()


@pytest.mark.parametrize(
    ("entry", "given", "told"),
    [
        ("secret", ("-P", "token=abc"), "the parameter `token` is a secret"),
        ("far", ("-P", "data=http://127.0.0.1:9/data.csv"), "nobody knows the content of the input `data`"),
        ("nothing", (), "it did not write `never.txt`"),
    ],
)
def test_what_nobody_can_hold_against_what_it_was_is_run(
    mlproj: Mlproj, project: Path, entry: str, given: tuple[str, ...], told: str
) -> None:
    assert run(mlproj, project, *given, entry=entry).code == 0
    second = run(mlproj, project, "--reuse", *given, entry=entry)
    assert not reused(second)
    assert told in second.document["reuse"]["because"]


def test_failed_and_hidden_runs_are_not_reused(mlproj: Mlproj, project: Path, ran: RanTimes) -> None:
    assert run(mlproj, project, entry="fails").code == 1
    failed = mlproj("run", ".", "-e", "fails", "--reuse", *LOCAL, cwd=project)
    assert failed.code == 1 and "has not been run to its end" in failed.stderr
    run(mlproj, project)
    mlproj("rm", "last")
    assert not reused(run(mlproj, project, "--reuse")) and ran == 2


def test_a_bundle_of_a_run_takes_nothing_from_it_and_what_it_brings_is_done_again_first(
    mlproj: Mlproj, project: Path, tmp_path: Path, ran: RanTimes
) -> None:
    first = run(mlproj, project).document["run_id"]
    assert mlproj("export", first, "-o", "run.zip", "--with", "data").code == 0
    assert mlproj("import", "run.zip").code == 0
    own = run(mlproj, project, "--reuse")
    assert reused(own) and own.document["run_id"] == first
    elsewhere = {"MLPROJ_STORE": str(tmp_path / "elsewhere")}
    assert mlproj("import", "run.zip", variables=elsewhere).code == 0
    asked = ("run", ".", "--reuse", *LOCAL, "--json")
    brought = mlproj(*asked, "--dry-run", cwd=project, variables=elsewhere).document["reuse"]
    assert not brought["reused"] and "it came from elsewhere, in a bundle" in brought["because"]
    again = mlproj("reproduce", first, "--json", variables=elsewhere)
    assert again.code == 0, again.stderr
    done = mlproj(*asked, cwd=project, variables=elsewhere)
    assert reused(done) and done.document["run_id"] == again.document["run_id"]
    assert mlproj("verify", variables=elsewhere).code == 0


def test_a_run_that_its_source_changed_under_is_not_reused(
    mlproj: Mlproj, make_project: ProjectMaker
) -> None:
    command = "entry_points: {main: {command: 'grep -q here mark || echo here >> mark'}}\n"
    project = make_project({"MLproject": command, "mark": "\n"})
    run(mlproj, project)
    (project / "mark").write_text("\n")
    second = run(mlproj, project, "--reuse")
    assert not reused(second) and "the source changed while it went on" in second.stderr


def test_outputs_of_others_and_secret_files_are_named_as_not_compared(mlproj: Mlproj, project: Path) -> None:
    (project / ".env").write_text("KEY=1\n")
    (project / "slow.txt").write_text("another's output\n")
    run(mlproj, project)
    because = run(mlproj, project, "--reuse").document["reuse"]["because"]
    assert because.endswith("; not compared, unless it is an input: `.env`, `slow.txt`")
    (project / ".env").unlink()
    assert not reused(run(mlproj, project, "--reuse"))


def test_a_dry_run_says_what_it_would_do(
    mlproj: Mlproj, project: Path, tmp_path: Path, ran: RanTimes
) -> None:
    dry = (".", "--reuse", "--dry-run", *LOCAL)
    none = mlproj("run", *dry, cwd=project)
    assert "nothing: there is no store" in none.stdout and not (tmp_path / "store").exists()
    first = run(mlproj, project).document
    (project / "model.txt").unlink()
    hit = mlproj("run", *dry, cwd=project)
    assert f"run `{first['name']}` ({first['run_id'][:8]}): its plan is equal" in hit.stdout
    assert not (project / "model.txt").exists() and ran == 1
    told = mlproj("run", *dry, "-P", "alpha=9", "--json", cwd=project).document
    assert told["schema"] == "mlproj/plan/1"
    assert told["reuse"]["differs"] == ["parameter alpha: `0.5`, now `9`"]
    assert mlproj("run", *dry, "--json", cwd=project).document["reuse"]["run_id"] == first["run_id"]


def test_of_two_at_once_the_second_waits_for_the_first_and_reuses_it(
    project: Path, start: Start, ran: RanTimes
) -> None:
    both = [start("run", ".", "-e", "slow", "--reuse", *LOCAL, cwd=project) for _ in range(2)]
    told = [process.communicate(timeout=90)[0].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert ran == 1
    assert sum("reused run" in text for text in told) == 1


def test_data_that_was_read_undeclared_counts(
    mlproj: Mlproj, make_project: ProjectMaker, tmp_path: Path
) -> None:
    need("what a run really read", "reads" in Outcome.__struct_fields__)
    (tmp_path / "aside.txt").write_text("one\n")
    script = f"print(open({str(tmp_path / 'aside.txt')!r}).read())\n"
    project = make_project({"MLproject": "entry_points: {main: {command: python3 a.py}}\n", "a.py": script})
    first = run(mlproj, project)
    assert "aside.txt" in first.stdout
    second = run(mlproj, project, "--reuse")
    assert reused(second) and "what it read undeclared" in second.document["reuse"]["because"]
    (tmp_path / "aside.txt").write_text("two\n")
    third = run(mlproj, project, "--reuse")
    assert not reused(third) and "which it read undeclared, has changed" in third.stderr
    (tmp_path / "aside.txt").unlink()
    fourth = mlproj("run", ".", "--reuse", *LOCAL, cwd=project)
    assert "which it read undeclared, is gone" in fourth.stderr


def test_it_does_not_take_long(mlproj: Mlproj, project: Path) -> None:
    run(mlproj, project)
    times = []
    for _ in range(3):
        began = time.monotonic()
        assert reused(run(mlproj, project, "--reuse"))
        times.append(time.monotonic() - began)
    assert min(times) < 5
