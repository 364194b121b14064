"""The machine, the variables, and what is kept out of the record."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.model.provenance import Gpu
from mlproj.provenance.host import observed_host, read_gpus
from mlproj.provenance.redaction import looks_secret_name, looks_secret_value, redacted
from mlproj.provenance.variables import observed_variables


def test_the_host_is_this_machine(tmp_path: Path) -> None:
    host = observed_host(os.environ, tmp_path)
    assert (host.name, host.system, host.machine) == (
        os.uname().nodename,
        os.uname().sysname,
        os.uname().machine,
    )
    assert host.cores == os.cpu_count() and host.cpu
    if Path("/proc/meminfo").exists():
        total = int(Path("/proc/meminfo").read_text().split()[1]) * 1024
        assert abs(host.memory_bytes - total) < total / 50


@pytest.mark.parametrize(
    ("environ", "kind"),
    [({"KUBERNETES_SERVICE_HOST": "1"}, "kubernetes"), ({"APPTAINER_CONTAINER": "x.sif"}, "apptainer")],
)
def test_containers_are_told_by_their_variables(tmp_path: Path, environ: dict[str, str], kind: str) -> None:
    assert observed_host(environ, tmp_path).container == kind


def test_gpus_are_asked_for_once_per_start_of_the_machine(tmp_path: Path) -> None:
    """A stand-in for nvidia-smi that notes each call."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho x >> {tmp_path}/calls\necho 'NVIDIA H100, PCIe, 550.1, 81559'\n")
    program.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        environ = {**os.environ}
        hosts = [observed_host(environ, tmp_path / "cache") for _ in range(2)]
    assert {host.gpus for host in hosts} == {
        (Gpu(name="NVIDIA H100, PCIe", driver="550.1", memory_bytes=81559 << 20),)
    }
    if Path("/proc/sys/kernel/random/boot_id").exists():
        assert (tmp_path / "calls").read_text() == "x\n"


def test_odd_answers_about_gpus_are_no_gpus() -> None:
    assert read_gpus("NVIDIA-SMI has failed because\n\n") == ()
    assert read_gpus("A, 1, [N/A]") == (Gpu(name="A", driver="1", memory_bytes=0),)


def test_variables_that_change_results_count_for_the_plan() -> None:
    seen = observed_variables(
        {"OMP_NUM_THREADS": "2", "TZ": "UTC", "LANG": "C", "LC_ALL": "C", "UNRELATED": "1"}
    )
    assert seen.planned == (("OMP_NUM_THREADS", "2"), ("PYTHONHASHSEED", "0"), ("TZ", "UTC"))
    assert seen.recorded == (("LANG", "C"), ("LC_ALL", "C"))


def test_the_callers_hash_seed_is_kept() -> None:
    assert dict(observed_variables({"PYTHONHASHSEED": "7"}).planned)["PYTHONHASHSEED"] == "7"
    assert dict(observed_variables({"PYTHONHASHSEED": "random"}).planned)["PYTHONHASHSEED"] == "random"


def test_secrets_in_variables_are_masked() -> None:
    environ = {
        "PIP_INDEX_URL": "https://ada:pw@example.org/simple",
        "PYTHONPATH": "/a:ghp_0123456789012345678901234567890123456",
        "AWS_SECRET_ACCESS_KEY": "x",
        "PYTHONWARNINGS": "caf\udce9",
    }
    seen = observed_variables(environ)
    assert dict(seen.recorded) == {
        "PIP_INDEX_URL": "https://example.org/simple",
        "PYTHONPATH": "***",
        "PYTHONWARNINGS": "caf\\xe9",
    }


@pytest.mark.parametrize(
    "value",
    [
        "https://ada:pw@example.org/x",
        "postgresql+psycopg://u:p@h/db",
        "AKIAIOSFODNN7EXAMPLE",
        "http://127.0.0.1:45103/t/ue7RCbMYpvCnYjXnSpj8KDAXkhsWQdff",
        "ghp_0123456789abcdefghijABCDEFGHIJ012345",
        "github_pat_11ABCDEFG0123456789_abcdefghij",
        "sk-proj-abcdefghijkl0123456789ABCDEF",
        "sk-ant-api03-abcdefghijkl0123456789",
        "xoxb-123456789012-abcdefghij",
        "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc_def-123",
        "-----BEGIN RSA PRIVATE KEY-----\nMII",
        "-----BEGIN PRIVATE KEY-----",
    ],
)
def test_secrets_are_told_by_their_form(value: str) -> None:
    assert looks_secret_value(value) and looks_secret_value(f"--opt={value}")


@pytest.mark.parametrize(
    "value",
    [
        "tokenizer",
        "max_tokens",
        "bert-base-uncased",
        "data/x.csv",
        "/home/ada/secret/key.pem",
        "d41d8cd98f00b204e9800998ecf8427e",
        "sha256:" + "0" * 64,
        "https://example.org/a?b=c",
        "https://example.org:8080/a@b",
        "ssh://git@example.org/x",
        "s3://bucket/key",
        "0.5",
        "",
        "sk-learn",
        "sk-learn-pipeline-with-a-long-name",
        "hf_model",
        "task-1234567890123456789012",
    ],
)
def test_plain_values_are_no_secrets(value: str) -> None:
    assert not looks_secret_value(value)


@given(st.text(st.sampled_from("abcdefghij0123456789-_./ "), max_size=60))
def test_words_and_numbers_are_no_secrets(value: str) -> None:
    assert looks_secret_value(value) is ("sk-" in value and looks_secret_value(value))


def test_names_of_secrets() -> None:
    for name in (
        "API_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "DB_PASSWORD",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "WANDB_API_KEY",
    ):
        assert looks_secret_name(name) and redacted(name, "x") == "***"
    for name in ("TOKENIZERS_PARALLELISM", "MAX_TOKENS", "OMP_NUM_THREADS", "KEYBOARD", "PWDX"):
        assert not looks_secret_name(name)
