from __future__ import annotations

import time

import pytest

from mlproj.errors import UsageError
from mlproj.spec.threshold import read_threshold


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rmse > 0.5", "rmse > 0.5"),
        ("val/acc<=1e-3", "val/acc <= 0.001"),
        (" mean absolute error >=-2 ", "mean absolute error >= -2"),
        ("loss<3", "loss < 3"),
        ("loss > 0.123456789", "loss > 0.123456789"),
    ],
)
def test_what_a_metric_comes_to_is_read(text: str, told: str) -> None:
    assert str(read_threshold(text)) == told


@pytest.mark.parametrize(
    "text",
    ["", "rmse", "rmse > ", "> 1", "rmse = 1", "rmse > nan", "rmse > inf", "rmse > a", "a > 1 > 2", "a => 1"],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"rmse|what it has to come to"):
        read_threshold(text)


def test_much_of_nothing_takes_no_time() -> None:
    began = time.monotonic()
    with pytest.raises(UsageError):
        read_threshold(f"a{' ' * 300_000}b{' ' * 300_000}")
    assert time.monotonic() - began < 1
