"""`mlproj reproduce` as a person and a CI job use it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.conftest import LOCAL, Answer, Mlproj, Start, single
from tests.conftest import commit_all, git

SCRIPT = """
import json, os, random, sys
data, noise = sys.argv[1], float(sys.argv[2])
total = sum(float(line) for line in open(data)) + random.random() * noise
json.dump({"total": total, "lines": 2}, open("metrics.json", "w"))
os.makedirs("out", exist_ok=True)
json.dump({"total": total}, open("out/answer.json", "w"))
print("total", total)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that sums what is in a file outside of it, with noise where that is asked for."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "main.py").write_text(SCRIPT)
    parameters = "{data: {type: path, default: ../numbers.txt}, noise: {type: float, default: 0}}"
    (folder / "MLproject").write_text(
        single(
            "python main.py {data} {noise}",
            parameters=parameters,
            outputs="[out]",
            metrics="[metrics.json]",
            reproduce="{tolerance: {lines: 10%}}",
        )
    )
    (tmp_path / "numbers.txt").write_text("1\n2.5\n")
    return folder


def recorded(mlproj: Mlproj, project: Path, *options: str) -> str:
    done = mlproj("run", ".", *LOCAL, "--json", *options, cwd=project)
    assert done.code == 0, done.stderr
    return str(done.document["run_id"])


def graded(answer: Answer) -> dict[str, str]:
    return {item["name"]: item["grade"] for item in answer.document["verdict"]["items"]}


def test_a_run_of_a_dirty_tree_is_done_again_without_its_folder(mlproj: Mlproj, project: Path) -> None:
    run_id = recorded(mlproj, project)
    shutil.rmtree(project)
    done = mlproj("reproduce", "last", "--json")
    assert done.code == 0, done.stderr
    document = done.document
    assert document["schema"] == "mlproj/run/1"
    assert document["reproduces"] == run_id != document["run_id"]
    assert document["verdict"]["grade"] == "identical"
    assert set(graded(done)) == {"status", "out", "metrics.json", "total", "lines"}
    assert document["plan"] == mlproj("show", run_id, "--json").document["plan"]
    assert mlproj("verify").code == 0
    shown = mlproj("show", "last", "--json").document
    assert shown["amendments"][-1]["content"] == {"of": run_id, "verdict": "identical"}
    assert {**shown, "verdict": document["verdict"]} == document


def test_one_that_was_done_again_can_be_done_again(mlproj: Mlproj, project: Path) -> None:
    recorded(mlproj, project)
    assert mlproj("reproduce", "last").code == 0
    again = mlproj("reproduce", "last")
    assert again.code == 0, again.stdout + again.stderr


def test_changed_data_is_refused_before_anything_runs(mlproj: Mlproj, project: Path, tmp_path: Path) -> None:
    run_id = recorded(mlproj, project)
    copy = tmp_path / "copy.txt"
    shutil.copy(tmp_path / "numbers.txt", copy)
    (tmp_path / "numbers.txt").write_text("1\n2.6\n")
    done = mlproj("reproduce", run_id, "--json")
    assert done.code == 6
    failure = done.document["verdict"]["failure"]
    assert failure["stage"] == "data"
    assert "`data`" in failure["reason"] and "numbers.txt" in failure["reason"]
    assert "total" not in done.stderr
    assert [row["run_id"] for row in mlproj("runs", "--json").document["runs"]] == [run_id]
    assert mlproj("reproduce", run_id, "--data", f"data={copy}").code == 0
    named = mlproj("reproduce", run_id, "--data", tmp_path / "numbers.txt", "--json")
    assert named.code == 6 and "is not what was recorded" in named.document["verdict"]["failure"]["reason"]


def test_data_that_is_called_as_the_input_is_may_be_named_alone(
    mlproj: Mlproj, project: Path, tmp_path: Path
) -> None:
    (project / "words.txt").write_text("hello\n")
    (project / "MLproject").write_text(single("wc words.txt", inputs="[words.txt]"))
    recorded(mlproj, project)
    desk = tmp_path / "desk"
    desk.mkdir()
    shutil.copy(project / "words.txt", desk)
    assert mlproj("reproduce", "last", "--data", "words.txt", cwd=desk).code == 0
    (desk / "words.txt").write_text("hallo\n")
    other = mlproj("reproduce", "last", "--data", "words.txt", cwd=desk)
    assert other.code == 6 and "`words.txt` in" in other.stdout


def test_a_variation_is_named_and_so_is_what_it_did(mlproj: Mlproj, project: Path, tmp_path: Path) -> None:
    run_id = recorded(mlproj, project)
    other = tmp_path / "other.txt"
    other.write_text("3\n4\n")
    done = mlproj("reproduce", run_id, "--override-data", f"data={other}", "--json")
    assert done.code == 6
    verdict = done.document["verdict"]
    assert verdict["grade"] == "different"
    assert verdict["variations"] == [f"data `data`: taken from `{other}`"]
    assert [cause["kind"] for cause in verdict["causes"]] == ["data", "randomness"]
    assert graded(done)["total"] == graded(done)["out"] == "different"
    assert graded(done)["lines"] == "identical"
    varied = mlproj("reproduce", run_id, "-P", "noise=0.001", "--tolerance", "total=0.01abs", "--json")
    assert varied.document["verdict"]["variations"] == ["parameter `noise`: 0 -> 0.001"]
    assert graded(varied)["total"] == graded(varied)["metrics.json"] == "equivalent"
    assert graded(varied)["out"] == "different" and varied.code == 6
    held = mlproj("reproduce", run_id, "-P", "noise=0.001", "--tolerance", "1%", "--json")
    assert held.code == 0 and held.document["verdict"]["grade"] == "equivalent"


def test_spread_from_run_to_run_is_told_from_drift(mlproj: Mlproj, project: Path, tmp_path: Path) -> None:
    run_id = recorded(mlproj, project, "-P", "noise=1")
    for _ in range(4):  # one honest value in a hundred lies outside of the interval
        done = mlproj("reproduce", run_id, "--times", "3", "--json")
        assert done.code == 6
        verdict = done.document["verdict"]
        total = next(item for item in verdict["items"] if item["name"] == "total")
        if "spread, not drift" in total["why"]:
            break
    assert "spread, not drift" in total["why"]
    assert verdict["causes"][-1]["kind"] == "randomness" and len(verdict["runs"]) == 3
    other = tmp_path / "other.txt"
    other.write_text("100000\n")
    drifted = mlproj("reproduce", run_id, "--times", "3", "--override-data", f"data={other}", "--json")
    total = next(item for item in drifted.document["verdict"]["items"] if item["name"] == "total")
    assert "drift beyond the spread" in total["why"]


def test_a_command_that_fails_where_it_did_not_is_a_failed_execution(
    mlproj: Mlproj, project: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    marker.touch()
    (project / "MLproject").write_text(single(f"test -e {marker} && echo fine"))
    run_id = recorded(mlproj, project)
    assert mlproj("reproduce", run_id, "--no-isolated").code == 0
    marker.unlink()
    done = mlproj("reproduce", run_id, "--no-isolated", "--json")
    assert done.code == 6
    assert done.document["verdict"]["grade"] == "failed"
    assert done.document["verdict"]["failure"]["stage"] == "execution"


def test_a_failed_run_that_fails_the_same_way_is_reproduced(mlproj: Mlproj, project: Path) -> None:
    (project / "MLproject").write_text(single("exit 3"))
    assert mlproj("run", ".", *LOCAL, cwd=project).code == 1
    done = mlproj("reproduce", "last", "--json")
    assert done.code == 0 and graded(done) == {"status": "identical"}
    assert done.document["verdict"]["notes"]


def test_an_altered_record_ends_with_7(mlproj: Mlproj, project: Path, tmp_path: Path) -> None:
    run_id = recorded(mlproj, project)
    lock = mlproj("show", run_id, "--json").document["source"]["snapshot"].removeprefix("sha256:")
    blob = tmp_path / "store" / "blobs" / "sha256" / lock[:2] / lock[2:]
    blob.chmod(0o600)
    blob.write_bytes(blob.read_bytes().replace(b"main.py", b"mein.py"))
    done = mlproj("reproduce", run_id)
    assert done.code == 7 and "not what was sealed" in done.stderr


def test_the_reports_say_the_same(mlproj: Mlproj, project: Path, tmp_path: Path) -> None:
    run_id = recorded(mlproj, project)
    reports = [tmp_path / "reports" / name for name in ("verdict.md", "verdict.xml", "verdict.json")]
    options = [option for path in reports for option in ("--report", str(path))]
    done = mlproj("reproduce", run_id, "-P", "noise=5", *options)
    assert done.code == 6
    assert (
        reports[0].read_text().startswith("## different\n") and "| metric total |" in reports[0].read_text()
    )
    suite = ElementTree.parse(reports[1]).getroot()[0]
    assert suite.attrib["tests"] == "5" and suite.attrib["failures"] == "3"
    failed = {case.attrib["name"] for case in suite if case.find("failure") is not None}
    assert failed == {"output out", "output metrics.json", "metric total"}
    verdict = json.loads(reports[2].read_text())
    assert verdict["schema"] == "mlproj/verdict/1" and verdict["grade"] == "different"
    refused = mlproj("reproduce", run_id, "--report", "verdict.txt")
    assert refused.code == 2 and "notation" in refused.stderr


def test_the_source_is_fetched_from_git_and_held_against_the_record(mlproj: Mlproj, project: Path) -> None:
    git(project, "init", "-q")
    commit_all(project)
    run_id = recorded(mlproj, project)
    (project / "main.py").write_text("raise SystemExit(9)\n")
    assert mlproj("reproduce", run_id, "--from-git").code == 0
    dirty = mlproj("run", ".", *LOCAL, cwd=project)
    assert dirty.code == 1
    done = mlproj("reproduce", "last", "--from-git", "--json")
    assert done.code == 6
    failure = done.document["verdict"]["failure"]
    assert failure["stage"] == "source" and "`main.py`" in failure["reason"]


def test_a_secret_has_to_be_given_again(mlproj: Mlproj, project: Path) -> None:
    (project / "MLproject").write_text(
        single('test "{key}" = sesame', parameters="{key: {type: string, secret: true}}")
    )
    assert mlproj("run", ".", *LOCAL, "-P", "key=sesame", cwd=project).code == 0
    refused = mlproj("reproduce", "last")
    assert refused.code == 2 and "`key`" in refused.stderr
    given = mlproj("reproduce", "last", "-P", "key=sesame", "--json")
    assert given.code == 0 and "secret parameter `key`" in given.document["verdict"]["notes"][0]


def test_results_of_two_runs_are_held_to_each_other(mlproj: Mlproj, project: Path) -> None:
    before, after = recorded(mlproj, project), recorded(mlproj, project, "-P", "noise=0.001")
    again = recorded(mlproj, project)
    assert mlproj("diff", before, after).code == 0, "who only looks gets no verdict"
    assert mlproj("diff", before, again, "--exit-code").code == 0
    told = mlproj("diff", before, after, "--exit-code")
    assert told.code == 6 and "the results are different" in told.stderr
    for tolerances, code in ((("0.1%",), 0), (("total=0.1%",), 6), (("total=0.1%", "out*=0.1%"), 0)):
        options = [option for one in tolerances for option in ("--tolerance", one)]
        held = mlproj("diff", before, after, "--exit-code", "--json", *options)
        assert held.code == code and held.document["schema"] == "mlproj/diff/1", tolerances


def test_the_variables_of_the_record_count(mlproj: Mlproj, project: Path) -> None:
    (project / "MLproject").write_text(single('echo "$OMP_NUM_THREADS $TZ" > out.txt', outputs="[out.txt]"))
    assert mlproj("run", ".", *LOCAL, cwd=project, variables={"OMP_NUM_THREADS": "3"}).code == 0
    done = mlproj("reproduce", "last", "--json", variables={"OMP_NUM_THREADS": "1", "TZ": "Asia/Tokyo"})
    assert done.code == 0, done.stdout


@pytest.mark.parametrize("times", ["1", "3"])
def test_one_that_is_interrupted_ends_and_leaves_nothing(
    mlproj: Mlproj, start: Start, project: Path, tmp_path: Path, times: str
) -> None:
    begun = tmp_path / "begun"
    (project / "MLproject").write_text(
        single(
            f'"touch {begun}; test -e {tmp_path}/quick || sleep 30; echo fine > out.txt"', outputs="[out.txt]"
        )
    )
    (tmp_path / "quick").touch()
    run_id = recorded(mlproj, project)
    for path in (begun, tmp_path / "quick"):
        path.unlink()
    checkouts = Path(os.environ["MLPROJ_CACHE_DIR"]) / "checkouts"
    left = set(checkouts.glob("*"))
    process = start("reproduce", run_id, "--no-isolated", "--times", times, cwd=tmp_path)
    while process.poll() is None and not begun.exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.wait(30)
    assert process.returncode == 130
    assert set(checkouts.glob("*")) == left
    again, original = mlproj("runs", "--json").document["runs"]
    assert (again["status"], again["reproduces"]) == ("KILLED", run_id) and not again["amendments"]
    assert original["run_id"] == run_id and mlproj("verify").code == 0


def test_wishes_that_cannot_be_meant(mlproj: Mlproj, project: Path) -> None:
    git(project, "init", "-q")
    commit_all(project)
    git(project, "remote", "add", "origin", "https://localhost:1/nowhere.git")
    recorded(mlproj, project)
    fetched = mlproj("reproduce", "https://localhost:1/run.zip", "--offline")
    assert fetched.code == 2 and "fetches nothing" in fetched.stderr
    for options, word in (
        (("--data", "nobody=."), "no input"),
        (("--data", "nowhere"), "no such file"),
        (("--override-data", "data=nowhere"), "no such file"),
        (("--tolerance", "x=abc"), "not a tolerance"),
        (("--override-env", "nowhere.toml"), "override-env"),
        (("--times", "0"), "--times"),
        (("--offline", "--from-git"), "fetches nothing"),
    ):
        done = mlproj("reproduce", "last", *options)
        assert done.code == 2 and word in done.stderr, done.stderr


NAMES = """
import json, os, random
folder = os.environ["MLPROJ_OUTPUT_DIR"]
for name in ("\\x1b[31m\\x01", "a|b <img>", "half.json", "\\uffff", "www.example.org", "\\u202ex"):
    with open(os.path.join(folder, name), "w") as file:
        json.dump({"\\ud800 http:": str(random.random())}, file)
"""


def test_names_of_a_stranger_break_no_report(mlproj: Mlproj, project: Path, tmp_path: Path) -> None:
    (project / "main.py").write_text(NAMES)
    (project / "MLproject").write_text(single("python main.py"))
    run_id = recorded(mlproj, project)
    reports = [tmp_path / f"verdict.{kind}" for kind in ("md", "xml", "json")]
    options = [option for path in reports for option in ("--report", str(path))]
    done = mlproj("reproduce", run_id, *options)
    assert done.code == 6 and "\x1b" not in done.stdout + done.stderr
    text = reports[0].read_text()
    assert "\x1b" not in text and "<img>" not in text and "www.example" not in text
    suite = ElementTree.parse(reports[1]).getroot()[0]
    assert len(suite.findall("testcase/failure")) == 6
    assert len(json.loads(reports[2].read_text())["items"]) == 7
