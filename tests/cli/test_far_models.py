"""Models that a run at a server left beside its logged files: registered, shown, asked and loaded by name."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import urllib3

from tests.cli.conftest import LOCAL, Mlproj, single
from tests.conftest import ProjectMaker
from tests.mlflow_clients import QUIET, ClientPython
from tests.s3_server import S3Server
from tests.server.guarded import bearer
from tests.server.hosted import hosted, kept, let_in

CASES = (("sqlite", "folder"), ("postgresql", "bucket"), ("mariadb", "folder"))
"""A database, and where contents are."""

TRAIN = """\
import pathlib, pickle
from sklearn.linear_model import LinearRegression

model = LinearRegression().fit([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [4.0, 5.0]], [1.0, 2.0, 3.0, 5.0])
pathlib.Path("model.pkl").write_bytes(pickle.dumps(model))
pathlib.Path("parts/deep").mkdir(parents=True)
pathlib.Path("parts/deep/weights.txt").write_text("0 1")
pathlib.Path("parts/names.txt").write_text("a b")
"""
ROWS = json.dumps({"inputs": [[1.0, 1.0], [4.0, 5.0]]})

LOADING = """\
import json, pathlib, sys
import mlflow
from mlflow.artifacts import download_artifacts

run_id, folder = sys.argv[1:]
names = sorted(file.path for file in mlflow.MlflowClient().list_artifacts(run_id))
deep = [file.path for file in mlflow.MlflowClient().list_artifacts(run_id, "parts/deep")]
print(json.dumps({
    "names": names,
    "deep": deep,
    "model": download_artifacts(f"runs:/{run_id}/model.pkl", dst_path=f"{folder}/model"),
    "parts": download_artifacts("models:/parts/1", dst_path=f"{folder}/parts"),
}))
"""


@pytest.mark.parametrize(("backend", "place"), CASES)
def test_a_declared_output_is_a_model_at_a_server_too(
    backend: str,
    place: str,
    mlproj: Mlproj,
    client_python: ClientPython,
    s3: S3Server,
    make_project: ProjectMaker,
    tmp_path: Path,
) -> None:
    where = kept(backend, tmp_path, s3.bucket() if place == "bucket" else None)
    python = client_python("3")
    project = make_project(
        {
            "MLproject": single("python train.py", outputs="[{path: model.pkl, model: true}, parts]"),
            "train.py": TRAIN,
        }
    )
    with hosted(tmp_path, "--auth", *where.options) as server:
        ada = let_in("token", where).variables["MLFLOW_TRACKING_TOKEN"]
        where.command("users", "add", "bob", said="the one of bob\n")
        bob = where.command("tokens", "create", "bob").strip()
        variables = {
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
            "MLPROJ_STORE": server.uri,
            "MLPROJ_TOKEN": ada,
        }

        ran = mlproj("run", project, *LOCAL, "--run-name", "first", "--json", variables=variables)
        assert ran.code == 0, ran.stderr
        run_id = ran.document["run_id"]
        refused = mlproj("models", "add", "plain", f"runs:/{run_id}/model.pickle", variables=variables)
        assert refused.code == 5 and "left no `model.pickle`" in refused.stderr, refused.stderr
        added = mlproj("models", "add", "plain", "runs:/first/model.pkl", variables=variables)
        assert added.code == 0, added.stderr
        folder = mlproj("models", "add", "parts", f"runs:/{run_id}/parts", variables=variables)
        assert folder.code == 0, folder.stderr
        moved = mlproj("models", "promote", "plain/1", variables=variables)
        assert moved.code == 0, moved.stderr

        shown = mlproj("models", "show", "models:/plain/Production", "--json", variables=variables)
        assert shown.code == 0, shown.stderr
        assert shown.document["run"]["run_id"] == run_id
        by_run = mlproj("models", "show", "runs:/last/model.pkl", "--json", variables=variables)
        assert by_run.document["digest"] == shown.document["digest"], by_run.stderr
        left = {each["path"]: each for each in ran.document["outputs"]}
        assert shown.document["digest"] == left["model.pkl"]["digest"]
        (tmp_path / "rows.json").write_text(ROWS)
        asked = ("models", "predict", "models:/plain/Production", *LOCAL, "-i", "rows.json")
        scored = mlproj(*asked, variables=variables)
        assert scored.code == 0, scored.stderr
        assert json.loads(scored.stdout)["predictions"] == pytest.approx([1.0, 5.0])

        loaded = subprocess.run(
            (python, "-c", LOADING, run_id, str(tmp_path)),
            env={
                **os.environ,
                **QUIET,
                "MLFLOW_TRACKING_URI": server.uri,
                "MLFLOW_TRACKING_TOKEN": ada,
            },
            capture_output=True,
            text=True,
        )
        assert loaded.returncode == 0, loaded.stderr
        told = json.loads(loaded.stdout.splitlines()[-1])
        assert told["names"] == ["model.pkl", "parts"] and told["deep"] == ["parts/deep/weights.txt"]
        assert Path(told["model"]).read_bytes() == (project / "model.pkl").read_bytes()
        assert Path(told["parts"], "deep", "weights.txt").read_text() == "0 1"
        assert Path(told["parts"], "names.txt").read_text() == "a b"

        address = f"{server.uri}/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts/parts/names.txt"
        assert urllib3.request("GET", address, headers={**bearer(ada), "range": "bytes=2-"}).data == b"b"
        below = f"{server.uri}/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts"
        for path in ("parts/names.txt", "parts", "parts/more.txt", "model.pkl", "model.pkl/deeper"):
            for method in ("PUT", "DELETE"):
                told = urllib3.request(method, f"{below}/{path}", body=b"evil", headers=bearer(ada))
                assert told.status == 400 and b"is an output on the sealed record" in told.data
        assert urllib3.request("PUT", f"{below}/beside.txt", body=b"new", headers=bearer(ada)).status == 200
        assert urllib3.request("GET", address, headers=bearer(ada)).data == b"a b"
        listed = f"{server.uri}/api/2.0/mlflow-artifacts/artifacts?path=0/{run_id}/artifacts/parts"
        for withheld in (address, listed):
            stranger = urllib3.request("GET", withheld, headers=bearer(bob))
            assert stranger.status == 404 and b"names" not in stranger.data.replace(b"names.txt'", b"")

        where.command("rm", run_id)
        kept_runs = json.loads(where.command("gc", "--grace", "0", "--json"))["kept"]
        assert [run["run_id"] for run in kept_runs] == [run_id]
        assert mlproj(*asked, variables=variables).stdout == scored.stdout
        assert not server.events("bug") and not server.events("worker died")
