from __future__ import annotations

import json
import os
import signal
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.cli.conftest import LOCAL, Mlproj, Start, single
from tests.conftest import ProjectMaker
from tests.roc_validator import Validate, validate

__all__ = ["validate"]

SCRIPT = "import sys; open('out.txt', 'w').write('result'); sys.exit(int(sys.argv[1]))"


@pytest.fixture
def project(make_project: ProjectMaker) -> Path:
    return make_project(
        {
            "MLproject": single("python step.py 0", outputs="[out.txt]", inputs="[table.csv]"),
            "step.py": SCRIPT,
            "table.csv": "a,b\n1,2\n",
        }
    )


def test_there_and_back(mlproj: Mlproj, project: Path, tmp_path: Path) -> None:
    run = mlproj("run", ".", *LOCAL, "--json", cwd=project).document
    exported = mlproj("export", "last", "-o", "run.zip", "--with", "data", "--json", cwd=tmp_path)
    assert exported.code == 0, exported.stderr
    assert exported.document["schema"] == "mlproj/export/1"
    assert exported.document["path"] == str(tmp_path / "run.zip")
    assert exported.document["parts"] == ["data"]
    verified = mlproj("verify", "run.zip", "--json", cwd=tmp_path).document
    assert (verified["schema"], verified["sound"]) == ("mlproj/verify-bundle/1", True)
    assert verified["verification"]["run_id"] == run["run_id"]
    assert verified["verification"]["files"] == exported.document["files"]
    other = {"MLPROJ_STORE": str(tmp_path / "other")}
    imported = mlproj("import", "run.zip", "--json", cwd=tmp_path, variables=other).document
    assert imported["schema"] == "mlproj/imported/1"
    assert (imported["run_id"], imported["record"], imported["new"]) == (run["run_id"], run["record"], True)
    assert imported["attached"] == 1
    shown = mlproj("show", "last", "--json", variables=other).document
    assert shown["outputs"] == run["outputs"]
    assert mlproj("verify", variables=other).code == 0
    again = mlproj("import", "run.zip", cwd=tmp_path, variables=other)
    assert again.code == 0 and "was there already: 0 new files" in again.stderr


def test_what_is_said(mlproj: Mlproj, project: Path, tmp_path: Path) -> None:
    (project / ".env").write_text("TOKEN=secret")
    mlproj("run", ".", *LOCAL, "--run-name", "first", cwd=project)
    exported = mlproj("export", "first", "-o", "run.zip", cwd=tmp_path)
    assert exported.stdout == ""
    assert "not in it: source/.env: looks like a secret" in exported.stderr
    assert "`run.zip` holds the run:" in exported.stderr
    assert "run `first` is as it was written" in mlproj("verify", "run.zip", cwd=tmp_path).stderr
    refused = mlproj("export", "first", "-o", "run.zip", cwd=tmp_path)
    assert refused.code == 2 and "`--force` replaces it" in refused.stderr
    assert mlproj("export", "first", "-o", "run.zip", "--force", cwd=tmp_path).code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("export", "last", "-o", "x.zip", "--with", "dta"), 2, "did you mean `data`?"),
        (
            ("export", "last", "-o", "x.zip", "--with", "environment"),
            4,
            "a system environment has no packages",
        ),
        (("export", "last", "-o", "x.zip", "--with", "image"), 4, "has no image"),
        (("export", "nothing", "-o", "x.zip"), 5, "there is no run `nothing`"),
        (("export", "last", "-o", "none/x.zip"), 2, "there is no folder"),
        (("verify", "missing.zip"), 2, "there is no file `missing.zip`"),
        (("import", "missing.zip"), 2, "there is no file `missing.zip`"),
    ],
)
def test_what_cannot_be_done_is_said(
    mlproj: Mlproj, project: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    mlproj("run", ".", *LOCAL, cwd=project)
    done = mlproj(*arguments, cwd=tmp_path)
    assert done.code == code and told in done.stderr
    assert not (tmp_path / "x.zip").exists()


def test_a_foreign_zip_is_refused_before_there_is_a_store(mlproj: Mlproj, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as zipped:
        zipped.writestr("../../evil", "text")
    refused = mlproj("import", "evil.zip", cwd=tmp_path)
    assert refused.code == 7 and "Traceback" not in refused.stderr
    assert not (tmp_path / "store").exists()
    verified = mlproj("verify", "evil.zip", "--json", cwd=tmp_path)
    assert verified.code == 7 and verified.document["verification"]["problems"]
    failed = mlproj("import", "evil.zip", "--json", cwd=tmp_path)
    assert failed.document["schema"] == "mlproj/error/1"


def test_limits_are_set_by_variables(mlproj: Mlproj, project: Path, tmp_path: Path) -> None:
    mlproj("run", ".", *LOCAL, cwd=project)
    mlproj("export", "last", "-o", "run.zip", cwd=tmp_path)
    limited = mlproj("verify", "run.zip", cwd=tmp_path, variables={"MLPROJ_BUNDLE_LIMIT": "1kB"})
    assert limited.code == 7 and "`MLPROJ_BUNDLE_LIMIT`" in limited.stdout


def test_a_failed_run_is_a_valid_crate_with_its_error(
    mlproj: Mlproj, make_project: ProjectMaker, tmp_path: Path, validate: Validate
) -> None:
    failing = make_project({"MLproject": single("python step.py 3"), "step.py": SCRIPT}, name="failing")
    assert mlproj("run", ".", *LOCAL, cwd=failing).code == 1
    assert mlproj("export", "last", "-o", "run.zip", cwd=tmp_path).code == 0
    with zipfile.ZipFile(tmp_path / "run.zip") as zipped:
        graph = json.loads(zipped.read("ro-crate-metadata.json"))["@graph"]
    (action,) = [entity for entity in graph if entity["@type"] == "CreateAction"]
    assert action["actionStatus"] == "http://schema.org/FailedActionStatus"
    assert "exit code 3" in action["error"]
    report = validate(tmp_path / "run.zip")
    assert report["issues"] == [] and report["passed"] is True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_export_that_is_ended_leaves_no_half_a_bundle(
    mlproj: Mlproj, start: Start, make_project: ProjectMaker, tmp_path: Path, number: signal.Signals
) -> None:
    large = make_project(
        {"MLproject": single("python big.py", outputs="[big.bin]"), "big.py": BIG}, name="large"
    )
    assert mlproj("run", ".", *LOCAL, cwd=large).code == 0
    process = start("export", "last", "-o", str(tmp_path / "run.zip"), cwd=tmp_path)
    while process.poll() is None and not list(tmp_path.glob(".run.zip.*")):
        pass
    process.send_signal(number)
    process.wait(timeout=60)
    if number != signal.SIGKILL:
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    if (tmp_path / "run.zip").exists():  # it was finished before the signal came
        assert mlproj("verify", "run.zip", cwd=tmp_path).code == 0


BIG = "open('big.bin', 'wb').write(bytes(range(256)) * (1 << 20))\n"


def test_a_run_with_names_that_are_no_text(mlproj: Mlproj, project: Path, tmp_path: Path) -> None:
    (project / os.fsdecode(b"latin-\xe9.txt")).write_text("x")
    (project / "with\nnewline").write_text("y")
    (project / "link").symlink_to("table.csv")
    assert mlproj("run", ".", *LOCAL, cwd=project).code == 0
    assert mlproj("export", "last", "-o", "run.zip", cwd=tmp_path).code == 0
    assert mlproj("verify", "run.zip", cwd=tmp_path).code == 0
    subprocess.run(("unzip", "-q", tmp_path / "run.zip", "-d", tmp_path / "out"), check=True)
    subprocess.run(("sha256sum", "-c", "--quiet", "manifest-sha256.txt"), cwd=tmp_path / "out", check=True)
    assert (tmp_path / "out" / "source" / "link").read_text() == "table.csv"
    assert not (tmp_path / "out" / "source" / "link").is_symlink()


def test_two_imports_at_once_are_one(mlproj: Mlproj, start: Start, project: Path, tmp_path: Path) -> None:
    mlproj("run", ".", *LOCAL, cwd=project)
    mlproj("export", "last", "-o", "run.zip", "--with", "data", cwd=tmp_path)
    other = str(tmp_path / "other")
    both = [start("import", "run.zip", "--store", other, cwd=tmp_path) for _ in range(4)]
    assert [process.wait(timeout=60) for process in both] == [0] * 4
    assert len(mlproj("ls", "--json", "--store", other).document["runs"]) == 1
    assert mlproj("verify", "--store", other).code == 0
