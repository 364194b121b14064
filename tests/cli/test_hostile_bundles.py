"""A bundle of somebody who wants more than a verdict: what it asks of its reader's machine is refused."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlproj.model.bundle import DOCUMENT, MANIFESTS, PLAN, RECORD
from mlproj.model.digest import Digest, canonical, plain
from mlproj.model.record import RecordDocument, decode, read_document
from mlproj.services.bundle_layout import layout
from tests.cli.conftest import LOCAL, Answer, Mlproj, single
from tests.conftest import need
from tests.services.bundles import Files, made_to_fit, rewritten

Change = Callable[[dict[str, Any]], object]

SCRIPT = "import sys; open('out.txt', 'w').write(open(sys.argv[1]).read() * 2)\n"
TABLE = "1\n2.5\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that copies its data, which lies in it."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "main.py").write_text(SCRIPT)
    (folder / "data.csv").write_text(TABLE)
    (folder / "MLproject").write_text(
        single(
            "python main.py {data}",
            parameters="{data: {type: path, default: data.csv}}",
            outputs="[out.txt]",
        )
    )
    return folder


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A folder of the auditor's with something in it that is nobody's business."""
    folder = tmp_path / "victim"
    folder.mkdir()
    (folder / "diary.csv").write_text("a secret\n")
    return folder


def exported(mlproj: Mlproj, project: Path, *options: str) -> Path:
    done = mlproj("run", ".", *LOCAL, cwd=project)
    assert done.code == 0, done.stderr
    bundle = project.parent / "run.zip"
    done = mlproj("export", "last", "-o", bundle, *options)
    assert done.code == 0, done.stderr
    return bundle


def forged(bundle: Path, change: Change) -> Path:
    """The bundle with another record in it, and all else made to fit that."""

    def put(files: Files) -> None:
        record = json.loads(files[RECORD])
        change(record)
        document = decode(json.dumps(record).encode(), RecordDocument)
        if document.plan is not None:
            record = {**record, "plan_digest": str(document.plan.identity)}
            files[PLAN] = canonical(document.plan.document())
        made_to_fit(files, record)
        told = json.loads(files[DOCUMENT])
        run = read_document(files[RECORD], name=told["name"])
        laid = layout(
            run, lambda digest: files[f"{MANIFESTS}/{digest.hex}.txt"], data="data" in told["parts"]
        )
        told |= {"elsewhere": laid.elsewhere, "left_out": plain(laid.left_out)}
        files[DOCUMENT] = canonical(told)
        held = {Digest.of(content): content for content in files.values()}
        for path in [path for path in files if path.startswith(("data/", "outputs/"))]:
            del files[path]
        files.update((place.path, held[place.digest]) for place in laid.places if place.path not in files)

    return rewritten(bundle, put)


def audited(mlproj: Mlproj, bundle: Path, *options: str) -> Answer:
    """What comes of the bundle where nobody has seen the project."""
    folder = bundle.parent / "auditor"
    folder.mkdir(exist_ok=True)
    store = {"MLPROJ_STORE": str(folder / "store")}
    answer = mlproj("reproduce", bundle, *options, cwd=folder, variables=store)
    assert "Traceback" not in answer.stderr and "should not" not in answer.stderr
    return answer


def test_a_forged_bundle_is_one_that_mlproj_takes(mlproj: Mlproj, project: Path) -> None:
    bundle = forged(
        exported(mlproj, project, "--with", "data"), lambda record: record["job"].update(user="eve")
    )
    done = audited(mlproj, bundle, "--json")
    assert done.code == 0, done.stdout + done.stderr
    assert done.document["verdict"]["grade"] == "identical"


def moved(parameter: str | None, path: str) -> Change:
    """The record with its data at another place."""

    def change(record: dict[str, Any]) -> None:
        record["job"]["inputs"][0]["path"] = path
        if parameter is not None:
            record["plan"]["parameters"][0]["text"] = parameter

    return change


@pytest.mark.parametrize(
    "way", ["{victim}", "../victim", "sub/../../victim", "../../../../../../../{victim}"]
)
def test_data_is_put_nowhere_but_in_the_project(
    mlproj: Mlproj, project: Path, victim: Path, way: str
) -> None:
    place = way.format(victim=victim)
    bundle = forged(exported(mlproj, project, "--with", "data"), moved(place, place))
    done = audited(mlproj, bundle)
    assert done.code in (6, 7), done.stderr
    assert (victim / "diary.csv").read_text() == "a secret\n"
    assert "leads out" in done.stdout + done.stderr


def test_nothing_of_the_project_is_replaced_by_data(mlproj: Mlproj, project: Path) -> None:
    bundle = forged(exported(mlproj, project, "--with", "data"), moved(".", "."))
    assert audited(mlproj, bundle).code in (6, 7)


@pytest.mark.parametrize("subfolder", ["{victim}", "../../victim", "link"])
def test_the_project_lies_in_its_source(mlproj: Mlproj, project: Path, victim: Path, subfolder: str) -> None:
    (project / "link").symlink_to(victim)
    shutil.copy(project / "MLproject", victim)
    subfolder = subfolder.format(victim=victim)

    def change(record: dict[str, Any]) -> None:
        record["job"]["source"]["subfolder"] = record["plan"]["subfolder"] = subfolder

    done = audited(mlproj, forged(exported(mlproj, project, "--with", "data"), change))
    assert done.code == 7, done.stdout + done.stderr
    assert sorted(os.listdir(victim)) == ["MLproject", "diary.csv"]


def test_data_that_no_record_names_is_not_read(mlproj: Mlproj, project: Path, victim: Path) -> None:
    def change(record: dict[str, Any]) -> None:
        record["job"]["inputs"] = []
        record["plan"]["inputs"] = []
        record["plan"]["parameters"][0]["text"] = str(victim / "diary.csv")

    done = audited(mlproj, forged(exported(mlproj, project), change), "--no-isolated")
    assert done.code == 6 and "`data`" in done.stdout
    assert not any("a secret" in line for line in done.stdout.splitlines())


def test_a_project_that_declares_more_than_its_record_is_refused(
    mlproj: Mlproj, project: Path, victim: Path
) -> None:
    def change(record: dict[str, Any]) -> None:
        record["job"]["inputs"] = []
        record["plan"]["inputs"] = []

    (project / "more").symlink_to(victim)
    (project / "MLproject").write_text(single("cat more/diary.csv", inputs="[more]"))
    done = audited(mlproj, forged(exported(mlproj, project), change))
    assert done.code == 6 and "`more`" in done.stdout
    assert "a secret" not in done.stdout + done.stderr


def test_data_of_a_stranger_is_not_taken_from_where_it_was(
    mlproj: Mlproj, project: Path, victim: Path
) -> None:
    diary = victim / "diary.csv"
    (project / "MLproject").write_text(
        single("python main.py {data}", parameters=f"{{data: {{type: path, default: {diary}}}}}")
    )
    bundle = exported(mlproj, project)
    assert mlproj("reproduce", "last").code == 0
    done = audited(mlproj, bundle)
    assert done.code == 6 and "`data`" in done.stdout and "--data" in done.stdout
    assert "diary" not in done.stdout
    assert audited(mlproj, bundle, "--data", str(diary)).code == 0


def test_variables_are_those_that_results_hang_on(mlproj: Mlproj, project: Path, victim: Path) -> None:
    (project / "MLproject").write_text(single("env > out.txt", outputs="[out.txt]"))
    planned = [["EDITOR", "x"], ["LD_PRELOAD", "./evil.so"], ["PYTHONHASHSEED", "0"], ["TZ", "UTC"]]

    def change(record: dict[str, Any]) -> None:
        record["plan"]["variables"] = planned
        record["job"]["variables"] = [["LC_ALL", "C\0"], ["LC_A=B", "C"], ["PATH", "/nowhere"]]

    done = audited(mlproj, forged(exported(mlproj, project), change), "--json")
    assert done.code == 6, done.stderr
    assert done.document["verdict"]["grade"] == "different"
    store = {"MLPROJ_STORE": str(project.parent / "auditor" / "store")}
    run_id = done.document["run_id"]
    assert mlproj("artifacts", run_id, "get", "out.txt", "-o", victim, variables=store).code == 0
    text = (victim / "out.txt").read_text()
    assert "TZ=UTC" in text and "evil" not in text and "EDITOR=x" not in text


def test_a_record_does_not_choose_how_it_is_shut_in(mlproj: Mlproj, project: Path) -> None:
    need("bubblewrap", shutil.which("bwrap") is not None)
    parent = exported(mlproj, project, "--with", "data")

    def change(record: dict[str, Any]) -> None:
        record["run_id"], record["job"]["parent"] = "0" * 32, json.loads(done.stdout)["run_id"]

    done = mlproj("show", "last", "--json")
    child = forged(parent, change)
    store = {"MLPROJ_STORE": str(project.parent / "auditor" / "store")}
    audited(mlproj, parent)
    assert mlproj("import", child, variables=store).code == 0
    done = audited(mlproj, parent, "--json")
    assert done.document["isolation"] is not None


def test_what_a_link_among_its_outputs_leads_to_is_not_kept(
    mlproj: Mlproj, project: Path, victim: Path
) -> None:
    need("bubblewrap", shutil.which("bwrap") is not None)
    diary = victim / "diary.csv"
    (victim / "numbers.json").write_text('{"pin": 987654321987}')
    links = f"mkdir -p out; ln -s {diary} out/one; ln -s {diary} two; ln -s {victim} three"
    links += (
        f"; ln -s {victim}/numbers.json numbers.json; ln -s {diary} $MLPROJ_OUTPUT_DIR/four; echo x > out/x"
    )
    (project / "MLproject").write_text(
        single(f'"{links}"', outputs="[out, two, three]", metrics="[numbers.json]")
    )
    done = mlproj("run", ".", *LOCAL, "--isolated", "--json", cwd=project)
    assert done.code == 0, done.stderr
    secret = Digest.of(diary.read_bytes())
    assert not (project.parent / "store" / "blobs" / "sha256" / secret.hex[:2] / secret.hex[2:]).exists()
    assert "987654321987" not in done.stdout
    assert "`two` links to what" in done.stdout and "`artifacts/four` links to what" in done.stdout


BACKEND = """
import pathlib, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    pathlib.Path(MARKER).touch()
    name = "odd-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as wheel:
        wheel.writestr("odd.py", "")
        about = "odd-1.0.dist-info"
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\\nName: odd\\nVersion: 1.0\\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{about}/RECORD", "")
    return name
"""
ODD = """
[project]
name = "odd"
version = "1.0"
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


def test_no_package_of_a_strangers_lock_is_built(mlproj: Mlproj, project: Path, victim: Path) -> None:
    need("bubblewrap", shutil.which("bwrap") is not None)
    marker = victim / "built"
    (project / "odd").mkdir()
    (project / "odd" / "backend.py").write_text(BACKEND.replace("MARKER", repr(str(marker))))
    (project / "odd" / "pyproject.toml").write_text(ODD)
    (project / "python_env.yaml").write_text("dependencies: [./odd]\n")
    (project / "MLproject").write_text("python_env: python_env.yaml\n" + single("python -c 'import odd'"))
    done = mlproj("run", ".", cwd=project)
    assert done.code == 0 and marker.exists(), done.stderr
    bundle = project.parent / "run.zip"
    assert mlproj("export", "last", "-o", bundle).code == 0
    marker.unlink()
    folder = project.parent / "elsewhere"
    own = {name: str(folder / name) for name in ("MLPROJ_STORE", "MLPROJ_CACHE_DIR", "UV_CACHE_DIR")}
    refused = mlproj("reproduce", bundle, variables=own)
    assert refused.code == 6 and "--no-isolated" in refused.stdout, refused.stderr
    assert not marker.exists()
    assert mlproj("reproduce", bundle, "--no-isolated", variables=own).code == 0
    assert marker.exists()


ODDITIES: dict[str, Change] = {
    "another kind of environment": lambda it: it["job"]["environment"].update(kind="podman"),
    "a virtualenv without a lock": lambda it: it["job"]["environment"].update(kind="virtualenv"),
    "options that are none": lambda it: it["job"]["environment"].update(options=["\x1b[31m", "=", "x=y"]),
    "a container with options": lambda it: it["job"]["environment"].update(
        kind="docker", options=["privileged"]
    ),
    "an entry point that is not there": lambda it: it["plan"].update(entry_point="no\nwhere"),
    "no time at all": lambda it: it["plan"].update(timeout=-1.0),
    "outputs that lead out": lambda it: it["plan"].update(outputs=["../x", "/etc/passwd", ""]),
    "metrics that are none": lambda it: it["plan"].update(metrics=["../x"]),
    "a parameter that nobody has": lambda it: it["plan"]["parameters"].append(
        {"name": "more", "type": "string", "text": "x", "extra": True}
    ),
    "data with a NUL": lambda it: it["job"]["inputs"][0].update(path="a\0b"),
    "data that is a list": lambda it: it["job"]["inputs"][0].update(
        kind="folder", digest=it["job"]["source"]["snapshot"]
    ),
    "a long subfolder": lambda it: it["job"]["source"].update(subfolder="x" * 300),
    "a subfolder with a NUL": lambda it: it["job"]["source"].update(subfolder="x\0y"),
    "a run that does itself again": lambda it: it.update(reproduces=it["run_id"]),
    "a Python that is none": lambda it: it["job"]["environment"].update(kind="virtualenv", python="../../x"),
    "a folder with a NUL": lambda it: it["job"].update(directory="/\0"),
    "an experiment with a NUL": lambda it: it["job"].update(experiment="a\0b" * 500),
}


@pytest.mark.parametrize("path", ["", "../up", "/etc/x", "a//b"])
def test_outputs_that_no_run_left_are_not_brought_in(mlproj: Mlproj, project: Path, path: str) -> None:
    bundle = forged(
        exported(mlproj, project), lambda record: record["outcome"]["outputs"][0].update(path=path)
    )
    store = {"MLPROJ_STORE": str(project.parent / "auditor" / "store")}
    done = mlproj("import", bundle, variables=store)
    assert done.code == 5 and f"the path `{path}` of an output" in done.stderr, done.stderr
    assert mlproj("runs", "--json", variables=store).document["runs"] == []


@pytest.mark.parametrize("oddity", ODDITIES)
def test_an_odd_record_is_no_fault(mlproj: Mlproj, project: Path, oddity: str) -> None:
    bundle = exported(mlproj, project, "--with", "data")
    done = audited(mlproj, forged(bundle, ODDITIES[oddity]))
    assert done.code in (0, 2, 3, 4, 5, 6, 7), done.stdout + done.stderr
