from __future__ import annotations

import os
from pathlib import Path

import pytest
from docker import APIClient

from mlproj.environments.docker_engine import described
from mlproj.errors import StoreError
from mlproj.services.doctor import Check, Pythons, diagnose
from mlproj.store.opening import open_store
from mlproj.store_ports import RunStore
from tests.engines import client

__all__ = ["client"]


def checks(folder: Path) -> dict[str, Check]:
    found = diagnose(
        folder / "cache",
        lambda: None,
        lambda: open_store(folder / "nothing here", create=False),
        lambda: described({"DOCKER_HOST": f"unix://{folder}/no.sock"}),
    )
    return {check.name: check for check in found}


def test_what_is_there_is_told_and_what_is_missing_has_a_hint(tmp_path: Path) -> None:
    found = checks(tmp_path)
    assert (found["mlproj"].state, found["git"].state) == ("ok", "ok")
    assert (found["uv"].state, found["store"].state) == ("missing", "missing")
    assert found["uv"].hint and found["store"].hint
    assert found["docker"].state == "missing" and f"`{tmp_path}/no.sock`" in found["docker"].detail
    assert "only needed for projects with a `docker_env`" in (found["docker"].hint or "")


def test_what_each_manager_of_pythons_needs_is_told(tmp_path: Path) -> None:
    none = checks(tmp_path)
    assert none["python"].state == "missing" and "--env-manager local" in str(none["python"].hint)
    assert "--env-manager virtualenv" in none["virtualenv"].detail and none["virtualenv"].hint
    here = Pythons(on_path=("3.11.7", Path("/usr/bin/python3")), of_pyenv=("3.12.1", "3.8.18"))
    found = {check.name: check for check in diagnose(tmp_path, lambda: None, _no_store, lambda: "here", here)}
    assert found["python"].detail.startswith("3.11.7 (/usr/bin/python3)")
    assert "pyenv has 3.12.1, 3.8.18" in found["virtualenv"].detail


def test_it_is_told_why_no_run_can_be_isolated(tmp_path: Path) -> None:
    found = diagnose(
        tmp_path, lambda: None, _no_store, lambda: "here", isolation=lambda: "AppArmor keeps us from it"
    )
    (check,) = (check for check in found if check.name == "isolation")
    assert (check.state, check.detail) == ("missing", "AppArmor keeps us from it")
    assert check.hint and "`--isolated`" in check.hint


def _no_store() -> RunStore:
    raise StoreError("there is none")


def test_a_program_that_fails_without_a_word_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "nvidia-smi"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert checks(tmp_path)["nvidia-smi"].detail == "it ended with code 3"


def test_environments_are_counted_without_their_locks(tmp_path: Path) -> None:
    environments = tmp_path / "cache" / "environments"
    (environments / "a1b2").mkdir(parents=True)
    (environments / "a1b2.lock").touch()
    (environments / ".discarded-c3").mkdir()
    assert "1 environments" in checks(tmp_path)["cache"].detail


def test_an_engine_says_what_it_can(client: APIClient) -> None:
    told = described(os.environ)
    assert told.startswith(f"Docker {client.version()['Version']}") and "images" in told
