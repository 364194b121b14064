"""Keys, attestations and checkpoints as a person makes and checks them."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sqlite3
import stat
from pathlib import Path

import pytest

from tests.cli.conftest import LOCAL, Mlproj, single
from tests.conftest import ProjectMaker


@pytest.fixture
def trained(make_project: ProjectMaker, mlproj: Mlproj) -> Path:
    """A project that was run once, with a file and a folder as outputs, and a key beside them."""
    command = "mkdir -p report && echo model > model && echo page > report/index.html"
    ignored = "model\nreport\n*.pem\n*.json\n"
    project = make_project({"MLproject": single(command, outputs="[model, report]"), ".gitignore": ignored})
    assert mlproj("run", ".", *LOCAL, cwd=project).code == 0
    assert mlproj("key", "new", "-o", "ada.pem", cwd=project).code == 0
    return project


def test_a_key_is_its_owners_alone_and_is_never_written_over(trained: Path, mlproj: Mlproj) -> None:
    private, public = trained / "ada.pem", trained / "ada.pub.pem"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    before = private.read_bytes(), public.read_bytes()
    for name in ("ada.pem", "other.pem"):
        (trained / "other.pub.pem").write_text("mine")
        again = mlproj("key", "new", "-o", name, cwd=trained)
        assert again.code == 2 and "is there already" in again.stderr
    assert (private.read_bytes(), public.read_bytes()) == before
    assert not (trained / "other.pem").exists()
    made = mlproj("key", "new", "-o", "deep/er/ecdsa.pem", "--type", "ecdsa", "--json", cwd=trained).document
    shown = mlproj("key", "show", "deep/er/ecdsa.pub.pem", "--json", cwd=trained).document["keys"]
    assert [key["keyid"] for key in shown] == [made["key"]["keyid"]]
    wrong = mlproj("key", "show", "ada.pem", cwd=trained)
    assert wrong.code == 2 and "no public key" in wrong.stderr


def test_a_run_is_attested_and_verified_far_from_its_store(trained: Path, mlproj: Mlproj) -> None:
    done = mlproj("attest", "last", "--key", "ada.pem", "-o", "attestation.json", cwd=trained)
    assert done.code == 0 and done.stdout == ""
    given = ("verify", "attestation.json", "--key", "ada.pub.pem", "--store", "/nowhere")
    fits = mlproj(*given, "--artifact", "model", "--artifact", "report", "--json", cwd=trained)
    assert fits.code == 0
    assert fits.document["envelope"]["artifacts"] == {"model": ["model"], "report": ["report"]}
    within = mlproj(*given, "--artifact", "report/index.html", cwd=trained)
    assert within.code == 7 and "folders are attested as a whole: `report`" in within.stderr
    (trained / "report" / "index.html").write_text("another page")
    other = mlproj(*given, "--artifact", "report", cwd=trained)
    assert other.code == 7 and "is not what was attested" in other.stderr
    assert mlproj("verify", "attestation.json", cwd=trained).code == 2, "nobody said whom to trust"
    content = (trained / "attestation.json").read_text()
    (trained / "attestation.json").write_text(content.replace('"sig":"', '"sig":"AAAA'))
    changed = mlproj(*given, cwd=trained)
    assert changed.code == 7 and "does not fit" in changed.stderr and "Traceback" not in changed.stderr


def test_keys_come_from_the_settings_too(trained: Path, mlproj: Mlproj) -> None:
    sealed = {"MLPROJ_KEY": "secret.pem", "MLPROJ_KEY_PASSWORD": "open sesame"}
    assert mlproj("key", "new", "--password", cwd=trained, variables=sealed).code == 0
    assert "ENCRYPTED" in (trained / "secret.pem").read_text()
    printed = mlproj("attest", "last", cwd=trained, variables=sealed)
    assert printed.code == 0 and set(json.loads(printed.stdout)) == {"payload", "payloadType", "signatures"}
    wrong = mlproj("attest", "last", cwd=trained, variables={**sealed, "MLPROJ_KEY_PASSWORD": "close"})
    assert wrong.code == 2 and "password" in wrong.stderr
    nobody = mlproj("attest", "last", cwd=trained, variables={"MLPROJ_KEY": "secret.pem"})
    assert nobody.code == 2 and "MLPROJ_KEY_PASSWORD" in nobody.stderr
    (trained / "trusted").mkdir()
    (trained / "secret.pub.pem").rename(trained / "trusted" / "ada.pem")
    for trusted, name in (("trusted", "trusted/ada.pem"), ("", None)):
        variables = {"MLPROJ_TRUSTED_KEYS": trusted}
        [found] = mlproj("verify", "--json", cwd=trained, variables=variables).document["attestations"]
        assert [one["key"] for one in found["signatures"]] == [name]


def test_a_checkpoint_shows_what_the_chain_cannot(trained: Path, mlproj: Mlproj) -> None:
    noted = mlproj("attest", "--chain", "--key", "ada.pem", "-o", "checkpoint.json", "--json", cwd=trained)
    assert noted.code == 0 and noted.document["output"] == "checkpoint.json"
    against = ("verify", "--against", "checkpoint.json", "--key", "ada.pub.pem")
    assert mlproj("run", ".", *LOCAL, cwd=trained).code == 0
    grown = mlproj(*against, cwd=trained)
    assert grown.code == 0 and "goes on from entry 1" in grown.stderr
    [database] = trained.parent.rglob("store.db")
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        for table in (
            "metric_points",
            "params",
            "latest_metrics",
            "tags",
            "inputs",
            "outputs",
            "runs",
            "entries",
        ):
            connection.execute(f"DELETE FROM {table}")
        connection.execute("UPDATE chain SET sequence = 0, link = 'sha256:' || ?", ("0" * 64,))
    assert mlproj("verify", cwd=trained).code == 0
    cut = mlproj(*against, cwd=trained)
    assert cut.code == 7 and "entries were taken away" in cut.stdout
    assert mlproj("verify", str(database.parent), *against[1:], cwd=trained).code == 7
    assert mlproj("verify", "--against", "checkpoint.json", cwd=trained).code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("attest",), "name either a run or `--chain`"),
        (("attest", "last", "--chain"), "name either a run or `--chain`"),
        (("attest", "last", "--key", "none.pem"), "cannot be read"),
        (("attest", "last", "--key", "ada.pub.pem"), "no private key"),
        (("attest", "last", "--key", "ada.pem", "-o", "none/a.json"), "cannot be written"),
        (("verify", "--against", "none.json"), "cannot be read"),
        (("verify", "--key", "model"), "no public key"),
        (("verify", "--artifact", "model"), "needs its file"),
        (("verify", "run.zip", "--artifact", "model"), "needs its file"),
        (("verify", "run.zip", "--against", "none.json"), "has none"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    trained: Path, mlproj: Mlproj, arguments: tuple[str, ...], said: str
) -> None:
    answer = mlproj(*arguments, cwd=trained)
    assert answer.code == 2 and said in answer.stderr and "Traceback" not in answer.stderr


@pytest.mark.parametrize("command", ["verify", "reproduce", "import"])
def test_nobody_waits_for_a_pipe(mlproj: Mlproj, tmp_path: Path, command: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = mlproj(command, tmp_path / "pipe")
    assert done.code in (2, 5) and done.stderr.startswith("error: ")


def test_signing_without_a_key_says_what_it_needs(trained: Path, mlproj: Mlproj) -> None:
    if importlib.util.find_spec("sigstore") is None:
        missing = mlproj("attest", "last", "--keyless", cwd=trained)
        assert missing.code == 2 and "pip install mlproj[sigstore]" in missing.stderr
    for options in (("--chain", "--keyless"), ("last", "--keyless", "--key", "k.pem")):
        refused = mlproj("attest", *options, cwd=trained)
        assert refused.code == 2 and "takes no key" in refused.stderr
