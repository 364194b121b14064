from __future__ import annotations

import re
from pathlib import Path

import pytest

import mlproj
from mlproj.cli.progress import LABELS
from mlproj.cli.terminal import PlainReport
from mlproj.model.events import Note, Started, silent

CODE = "".join(path.read_text() for path in Path(mlproj.__file__).parent.rglob("*.py"))


def test_there_is_a_word_for_every_stage_and_no_word_without_one() -> None:
    begun = set(re.findall(r"Started\(stage=\"(\w+)\"", CODE))
    told = begun | set(re.findall(r"Progress\(stage=\"(\w+)\"", CODE))
    assert begun >= {"clone", "resolve", "install"}
    # While the entry point runs, its own output is what is seen.
    assert set(LABELS) == told - {"run"}


def test_where_nobody_looks_only_what_takes_long_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    report = PlainReport(silent)
    report(Started(stage="lock", detail="`python_env` in MLproject"))
    report(Started(stage="resolve", detail="the environment for Python 3.11.7"))
    report(Note(message="the index is slow"))
    assert capsys.readouterr() == (
        "",
        "resolving the environment for Python 3.11.7\nnote: the index is slow\n",
    )
