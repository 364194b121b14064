from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.errors import UsageError
from mlproj.services.conditions import parse_condition
from mlproj.store_ports import Condition


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("metrics.rmse < 0.5", ("metrics.rmse", "<", "0.5")),
        ("metric.rmse<=0.5", ("metrics.rmse", "<=", "0.5")),
        ("params.`learning rate` == '0.1'", ("params.learning rate", "=", "0.1")),
        ('parameters."a" != x y', ("params.a", "!=", "x y")),
        ("status = FAILED", ("status", "=", "FAILED")),
        ("attributes.run_name ~ 'heron'", ("name", "~", "heron")),
        ("tags.mlflow.user = ada", ("tags.mlflow.user", "=", "ada")),
        ("name = 'a = b'", ("name", "=", "a = b")),
        ("name = it's", ("name", "=", "it's")),
        ("name = ", ("name", "=", "")),
    ],
)
def test_conditions_are_read(text: str, condition: tuple[str, str, str]) -> None:
    field, operator, value = condition
    assert parse_condition(text) == Condition(field=field, operator=operator, value=value)


@pytest.mark.parametrize("text", ["", "metrics.rmse", "< 1", "= =", "metrics.rmse lt 1"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a condition"):
        parse_condition(text)


@given(st.text())
def test_no_text_is_too_strange_to_be_read_or_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert parse_condition(text).operator in ("=", "!=", "<", "<=", ">", ">=", "~")


@pytest.mark.parametrize("text", ["a" + " " * 130_000 + "b", "a" + " " * 130_000, "a!b = c", "!= 1", " = 1"])
def test_blanks_without_end_and_signs_out_of_place_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a condition"):
        parse_condition(text)


def test_blanks_within_and_round_a_value_take_no_time() -> None:
    found = parse_condition(f"name = a{' ' * 130_000}b{' ' * 130_000}")
    assert len(found.value) == 130_002


def test_bytes_that_no_record_holds_are_refused() -> None:
    with pytest.raises(UsageError, match="no text in UTF-8"):
        parse_condition("name = \udcff")
