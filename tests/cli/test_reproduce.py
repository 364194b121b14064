"""`mlproj reproduce` as a person and a CI job use it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mlproj.services.isolation import possible
from tests.cli.conftest import LOCAL, Answer, Mlproj, Start, single
from tests.conftest import ProjectMaker, commit_all, git, need

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


COPY = "import sys; open('out.txt', 'w').write(open(sys.argv[1]).read() * 2)"


@pytest.fixture
def undeclaring(make_project: ProjectMaker) -> Path:
    """A project whose second step reads what the first one left, and whose others read what git ignores."""
    project = make_project(
        {
            "MLproject": "entry_points:\n"
            "  train: {command: \"python3 -c 'print(7)' > model.bin\", outputs: [model.bin]}\n"
            "  evaluate: {command: python3 copying.py model.bin, outputs: [out.txt]}\n"
            "  ignored: {command: python3 copying.py local/table.csv, outputs: [out.txt]}\n"
            "  outside: {command: python3 copying.py OUTSIDE, outputs: [out.txt]}\n",
            "copying.py": COPY,
            ".gitignore": "local\n",
            "local/table.csv": "1,2\n",
        }
    )
    named = (project / "MLproject").read_text()
    (project / "MLproject").write_text(named.replace("OUTSIDE", str(project.parent / "outside.csv")))
    (project.parent / "outside.csv").write_text("3,4\n")
    return project


@pytest.mark.parametrize("isolated", ["--isolated", "--no-isolated"])
@pytest.mark.parametrize(
    ("entry", "read"), [("evaluate", "model.bin"), ("ignored", "local/table.csv"), ("outside", "outside.csv")]
)
def test_what_was_read_undeclared_is_brought_too(
    mlproj: Mlproj, undeclaring: Path, entry: str, read: str, isolated: str
) -> None:
    need("isolation", possible() is None)
    mlproj("run", ".", "-e", "train", *LOCAL, cwd=undeclaring)
    run_id = recorded(mlproj, undeclaring, "-e", entry)
    if entry == "evaluate":  # the store has it as an output of `train`
        (undeclaring / "model.bin").unlink()
    done = mlproj("reproduce", run_id, isolated, "--json")
    assert done.code == 0, done.stderr
    assert done.document["verdict"]["grade"] == "identical" and not done.document["verdict"]["causes"]
    (state,) = done.document["inputs"]
    assert state["path"].endswith(read) and state["declared"] is False


def test_what_was_read_undeclared_and_is_no_longer_there_is_told(
    mlproj: Mlproj, undeclaring: Path, tmp_path: Path
) -> None:
    run_id = recorded(mlproj, undeclaring, "-e", "ignored")
    (undeclaring / "local" / "table.csv").write_text("1,3\n")
    done = mlproj("reproduce", run_id, "--json")
    assert done.code == 6 and done.document["verdict"]["failure"]["stage"] == "execution"
    assert "read `local/table.csv`, which nobody declared" in done.stderr
    (cause,) = done.document["verdict"]["causes"]
    assert cause["kind"] == "undeclared inputs" and cause["details"][0].startswith("local/table.csv: sha256:")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "table.csv").write_text("1,2\n")
    assert mlproj("reproduce", run_id, "--data", tmp_path / "kept").code == 0
    named = f"local/table.csv={tmp_path / 'kept' / 'table.csv'}"
    assert mlproj("reproduce", run_id, "--data", named).code == 0
    other = f"local/table.csv={undeclaring / 'local' / 'table.csv'}"
    varied = mlproj("reproduce", run_id, "--override-data", other, "--json")
    assert varied.document["verdict"]["grade"] == "different"
    assert "`local/table.csv`" in varied.document["verdict"]["variations"][0]


def test_a_bundle_says_what_was_read_undeclared_and_an_attestation_too(
    mlproj: Mlproj, undeclaring: Path, tmp_path: Path
) -> None:
    run_id = recorded(mlproj, undeclaring, "-e", "ignored")
    exported = mlproj("export", run_id, "-o", "run.zip", "--with", "data", "--json").document
    (left,) = [item for item in exported["left_out"] if item["path"].startswith("data/")]
    assert left["path"] == "data/local/table.csv" and "nobody declared" in left["reason"]
    assert mlproj("verify", "run.zip").code == 0
    elsewhere = {"MLPROJ_STORE": str(tmp_path / "elsewhere")}
    shutil.rmtree(undeclaring)
    done = mlproj("reproduce", "run.zip", "--json", variables=elsewhere)
    assert done.code == 6 and "read `local/table.csv`, which nobody declared" in done.stderr
    assert mlproj("key", "new", "-o", "k.pem").code == 0
    assert mlproj("attest", run_id, "--key", "k.pem", "-o", "a.json").code == 0
    payload = json.loads(base64.b64decode(json.loads((tmp_path / "a.json").read_text())["payload"]))
    found = payload["predicate"]["buildDefinition"]["resolvedDependencies"]
    (read,) = [item for item in found if item["name"] == "data/local/table.csv"]
    assert read["annotations"]["declared"] is False
    assert read["digest"] == {"sha256": left["digest"].removeprefix("sha256:")}
    assert mlproj("verify", "--key", "k.pub.pem").code == 0


STEP = "mlproj run . -e step --env-manager local -P"


def test_a_pipeline_is_held_against_its_record_step_by_step(
    mlproj: Mlproj, make_project: ProjectMaker
) -> None:
    project = make_project(
        {
            "MLproject": "entry_points:\n"
            "  main:\n"
            "    parameters: {last: {type: int, default: 2}}\n"
            f"    command: '{STEP} x=1 && {STEP} x={{last}}'\n"
            "  step: {parameters: {x: int}, command: 'python3 step.py {x}', metrics: [m.json]}\n",
            "step.py": "import json, random, sys\n"
            "x = int(sys.argv[1])\n"
            "json.dump({'v': random.random() if x == 9 else x}, open('m.json', 'w'))\n",
        }
    )
    run_id = recorded(mlproj, project)
    done = mlproj("reproduce", run_id, "--json")
    assert done.code == 0, done.stderr
    names = [item["name"] for item in done.document["verdict"]["items"]]
    assert {"status", "step 1/status", "step 1/v", "step 2/v"} <= set(names)
    assert not done.document["verdict"]["notes"] and len(done.document["children"]) == 2
    random = recorded(mlproj, project, "-P", "last=9")
    differs = mlproj("reproduce", random, "--json")
    assert differs.code == 6 and differs.document["verdict"]["grade"] == "different"
    assert graded(differs)["step 1/v"] == "identical" and graded(differs)["step 2/v"] == "different"
    assert mlproj("export", run_id, "-o", "run.zip").code == 0
    elsewhere = {"MLPROJ_STORE": str(project.parent / "elsewhere")}
    came = mlproj("reproduce", "run.zip", "--no-isolated", "--json", variables=elsewhere)
    assert came.code == 0 and len(came.document["children"]) == 2
    assert any("were not compared" in note for note in came.document["verdict"]["notes"])
    varied = mlproj("reproduce", run_id, "-P", "last=3", "--json").document["verdict"]
    assert "step 2: x: 2 -> 3" in {told for cause in varied["causes"] for told in cause["details"]}


def test_folders_are_brought_as_they_were(mlproj: Mlproj, make_project: ProjectMaker, tmp_path: Path) -> None:
    files = {
        "MLproject": single(
            "(cd {full} && ls -R) > out.txt && ls empty >> out.txt",
            parameters="{full: path}",
            inputs="[empty]",
            outputs="[out.txt]",
        ),
        ".gitignore": "empty\nfull\n",
        "full/deep/odd: n\u00e4me.txt": "1",
    }
    project = make_project(files)
    (project / "empty").mkdir()
    (project / "full" / "link.txt").symlink_to(project / "full" / "deep" / "odd: n\u00e4me.txt")
    run_id = recorded(mlproj, project, "-P", "full=full")
    assert mlproj("export", run_id, "-o", "run.zip", "--with", "data").code == 0
    elsewhere = {"MLPROJ_STORE": str(tmp_path / "elsewhere")}
    assert mlproj("reproduce", run_id).code == 0
    shutil.rmtree(project)
    done = mlproj("reproduce", "run.zip", "--offline", "--json", variables=elsewhere)
    assert done.code == 0, done.stdout
    assert done.document["verdict"]["grade"] == "identical"


def test_the_data_of_steps_is_brought_and_what_they_make_is_not(
    mlproj: Mlproj, make_project: ProjectMaker
) -> None:
    step = "mlproj run . --env-manager local -e"
    project = make_project(
        {
            "MLproject": "entry_points:\n"
            f"  main: {{command: '{step} first && {step} second'}}\n"
            "  first: {command: 'cat table.csv > made.txt', inputs: [table.csv], outputs: [made.txt]}\n"
            "  second: {command: python3 copying.py, outputs: [out.txt]}\n",
            "copying.py": "text = open('made.txt').read() + open('words.txt').read()\n"
            "open('out.txt', 'w').write(text)\n",
            ".gitignore": "table.csv\nwords.txt\n",
            "table.csv": "1,2\n",
            "words.txt": "word\n",
        }
    )
    run_id = recorded(mlproj, project)
    (project / "words.txt").write_text("another\n")
    told = mlproj("reproduce", run_id, "--json")
    assert told.code == 6 and "read `words.txt`, which nobody declared" in told.stderr
    assert "made.txt" not in "".join(line for line in told.stderr.splitlines() if "note:" in line)
    (project / "words.txt").write_text("word\n")
    done = mlproj("reproduce", run_id, "--json")
    assert done.code == 0, done.stderr
    assert graded(done)["step 2/out.txt"] == graded(done)["step 1/made.txt"] == "identical"


@pytest.mark.parametrize("option", ["--no-tracking", "--no-hook", "--strict-inputs"])
def test_it_is_looked_at_as_the_recorded_run_was(
    mlproj: Mlproj, make_project: ProjectMaker, option: str
) -> None:
    script = "import os; open('out.txt', 'w').write(str('MLFLOW_RUN_ID' in os.environ))"
    files = {"MLproject": single("python3 step.py", outputs="[out.txt]"), "step.py": script}
    project = make_project(files, name="unnamed")
    run_id = recorded(mlproj, project, option)
    done = mlproj("reproduce", run_id, "--json")
    assert done.code == 0, done.stdout
    assert done.document["switches"] == [option.removeprefix("--")]
    assert done.document["project"] == "unnamed"


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
