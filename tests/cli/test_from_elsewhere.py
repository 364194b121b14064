"""`mlproj run` of projects and data that are not in a folder here."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.cli.conftest import LOCAL, Mlproj, single
from tests.conftest import ProjectMaker, commit_all, git
from tests.sources.conftest import Web
from tests.sources.conftest import web as web


def test_a_repository_behind_a_password_runs_over_http_and_the_password_stays_out(
    make_project: ProjectMaker, mlproj: Mlproj, web: Web, tmp_path: Path
) -> None:
    origin = make_project({"examples/one/MLproject": single("cat which"), "examples/one/which": "old\n"})
    old = git(origin, "rev-parse", "HEAD")
    (origin / "examples/one/which").write_text("new\n")
    commit_all(origin, "second")
    git(origin, "clone", "--quiet", "--bare", str(origin), str(web.folder / "r.git"))
    web.password = "swordfish"
    uri = f"http://ada:swordfish@{web.address}/smart/r.git#examples/one"
    newest = mlproj("run", uri, *LOCAL)
    assert newest.stdout == "new\n", newest.stderr
    answer = mlproj("run", uri, "-v", old, "--json", *LOCAL)
    run = answer.document
    assert run["source"]["commit"] == old and run["source"]["dirty"] is False
    assert run["source"]["subfolder"] == "examples/one"
    assert run["source"]["remote"] == f"http://{web.address}/smart/r.git"
    kept = b"".join(path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())
    assert b"swordfish" not in kept and "swordfish" not in answer.stdout + answer.stderr + newest.stderr
    refused = mlproj("run", f"http://ada:wrong@{web.address}/smart/r.git", *LOCAL)
    assert refused.code == 3 and "wrong" not in refused.stderr and "Traceback" not in refused.stderr


def test_the_same_commit_has_the_same_plan_from_a_clone_and_from_a_url(
    make_project: ProjectMaker, mlproj: Mlproj, web: Web
) -> None:
    origin = make_project({"MLproject": single("echo ran")})
    git(origin, "clone", "--quiet", "--bare", str(origin), str(web.folder / "r.git"))
    here = mlproj("run", origin, "--json", *LOCAL).document
    there = mlproj("run", f"{web.url}/smart/r.git", "--json", *LOCAL).document
    assert here["plan"] == there["plan"] is not None


def test_a_zip_runs_from_here_and_from_the_web(
    make_project: ProjectMaker, mlproj: Mlproj, web: Web, tmp_path: Path
) -> None:
    project = make_project({"MLproject": single("echo unpacked")}, git=False)
    archive = shutil.make_archive(str(web.folder / "project"), "zip", project)
    assert mlproj("run", archive, *LOCAL).stdout == "unpacked\n"
    assert mlproj("run", f"{web.url}/project.zip", *LOCAL).stdout == "unpacked\n"


def test_data_named_by_a_url_is_brought_here_and_digested(
    make_project: ProjectMaker, mlproj: Mlproj, web: Web, tmp_path: Path
) -> None:
    (web.folder / "table.csv").write_text("a,b\n")
    project = make_project({"MLproject": single("'cat {data}'", parameters="{data: path}")})
    uri = f"{web.url}/table.csv"
    answer = mlproj("run", ".", "-P", f"data={uri}", "--storage-dir", tmp_path / "kept", *LOCAL, cwd=project)
    assert answer.stdout == "a,b\n", answer.stderr
    assert [path.read_text() for path in (tmp_path / "kept").rglob("table.csv")] == ["a,b\n"]
    run = mlproj("show", "--json").document
    assert run["inputs"][0]["path"] == uri and run["parameters"]["data"]["value"] == uri
    missing = mlproj("run", ".", "-P", f"data={web.url}/none.csv", *LOCAL, cwd=project)
    assert missing.code == 3 and "none.csv" in missing.stderr
