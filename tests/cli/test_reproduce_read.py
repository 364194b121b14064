"""`mlproj reproduce` brings what a run read, declared or not, and that of its steps."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import pytest

from mlproj.services.isolation import possible
from tests.cli.conftest import LOCAL, Mlproj, single
from tests.cli.test_reproduce import graded, project, recorded
from tests.conftest import ProjectMaker, need

__all__ = ["project"]


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
