"""Files written whole or not at all."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlproj.files import put_atomically, write_atomically


def put(path: Path) -> None:
    with put_atomically(path, replacing=False) as file:
        file.write(b"new")


def overwrite(path: Path) -> None:
    write_atomically(path, b"new")


@pytest.mark.parametrize("write", [put, overwrite])
@pytest.mark.parametrize("call", ["open", "fsync"])
def test_a_signal_leaves_nothing_whenever_it_comes(
    write: Callable[[Path], None], call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(os, call)

    def interrupted(*given: Any, **named: Any) -> Any:
        result = real(*given, **named)
        signal.raise_signal(signal.SIGINT)
        return result

    monkeypatch.setattr(os, call, interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "file")
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
    write(tmp_path / "file")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"new")]


def test_what_is_there_is_not_replaced_unasked(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        put(tmp_path / "file")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]
    overwrite(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"new"
