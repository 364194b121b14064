"""An entry point is found by its name; where none has it, the hint fits what the folder holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlproj.errors import UsageError
from mlproj.planning.entry import find_entry_point
from mlproj.spec import read_project


@pytest.mark.parametrize(
    ("text", "name", "hint"),
    [
        (None, "main", "`mlproj init` writes one"),
        ("entry_point: {main: {command: a}}", "main", "`mlproj check` says what is wrong"),
        ("entry_points: {train: {command: a}}", "main", "entry points are `train`"),
        ("entry_points: {train: {command: a}}", "trian", "did you mean `train`?"),
    ],
)
def test_the_hint_fits_what_there_is(tmp_path: Path, text: str | None, name: str, hint: str) -> None:
    if text is not None:
        (tmp_path / "MLproject").write_text(text)
    with pytest.raises(UsageError) as caught:
        find_entry_point(read_project(tmp_path), name, lambda script: (tmp_path / script).is_file())
    assert hint in (caught.value.hint or "")
