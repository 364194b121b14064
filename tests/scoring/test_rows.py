"""Rows in each notation of the protocol, held against what an estimator without mlflow was fitted with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from mlproj.scoring.columns import Columns
from mlproj.scoring.exchange import Refused
from mlproj.scoring.rows import read_rows


@dataclass(frozen=True)
class Fitted:
    """What scikit-learn notes on an estimator."""

    feature_names_in_: tuple[str, ...]
    n_features_in_: int = 2


SIGNATURE: tuple[dict[str, Any], ...] = (
    {"name": "a", "type": "double", "required": True},
    {"name": "b", "type": "long", "required": True},
    {"name": "c", "type": "string", "required": False},
)


def fitted(columns: Columns, content: object) -> Any:
    is_json = not isinstance(content, str)
    body = json.dumps(content) if is_json else str(content)
    return columns.fitted(read_rows(body.encode(), is_json=is_json))


@pytest.mark.parametrize(
    "content",
    [
        {"dataframe_split": {"columns": ["b", "a"], "data": [[2, 1.5], [3, 2.5]]}},
        {"dataframe_split": {"data": [[1.5, 2], [2.5, 3]]}},
        {"dataframe_split": {"columns": ["a", "x", "b"], "data": [[1.5, "further", 2], [2.5, None, 3]]}},
        {"dataframe_records": [{"a": 1.5, "b": 2}, {"b": 3, "a": 2.5}]},
        {"instances": [{"a": 1.5, "b": 2}, {"b": 3, "a": 2.5}]},
        {"instances": [[1.5, 2], [2.5, 3]]},
        {"inputs": {"b": [2, 3], "a": [1.5, 2.5]}},
        {"inputs": [[1.5, 2], [2.5, 3]], "params": {"odd": 1}},
        "a,b\n1.5,2\n2.5,3\n",
        "b,a,x\n2,1.5,word\n3,2.5,\n",
    ],
)
def test_every_notation_gives_the_same_rows(content: object) -> None:
    columns = Columns.of(Fitted(("a", "b")), None)
    assert np.asarray(fitted(columns, content)).tolist() == [[1.5, 2.0], [2.5, 3.0]]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"dataframe_split": {"columns": ["a"], "data": [[1.5]]}}, "missing inputs ['b']"),
        ({"dataframe_split": {"columns": ["a", "b"], "data": [[1.5]]}}, "row 1 of the input has 1 values"),
        ({"dataframe_split": {"columns": ["a", "b"], "data": [[1.5, 2.5]]}}, "2.5 in row 1 is no long"),
        ({"dataframe_split": {"columns": ["a", "b"], "data": [["x", 2]]}}, "'x' in row 1 is no double"),
        ({"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [True, 2]]}}, "True in row 2"),
        ({"dataframe_split": 3}, "must be a mapping"),
        ({"dataframe_split": {"columns": 3, "data": []}}, "must be a list of names"),
        ({"dataframe_records": [1]}, "a list of mappings"),
        ({"inputs": 3}, "a list of rows"),
        ({"instances": []}, "has no rows"),
        ({"dataframe_split": {"columns": ["a", "b", "a"], "data": [[1, 2, 3]]}}, "several columns `a`"),
        ({"dataframe_split": {"columns": ["a", "b"], "data": [[10**400, 2]]}}, "too large"),
        (
            {"dataframe_split": {"columns": ["n" * 9000, *map(str, range(9000))], "data": []}},
            "'6', '7', '8', '9', '10', '11', '12', '13', '14', '15', '16', '17', '18', and 8981 more]",
        ),
        ({str(number): 1 for number in range(9000)}, "and 8980 more]"),
        ({"dataframe_split": {"columns": ["a" * 9000] * 2, "data": []}}, "several columns `aaaa"),
        ({"inputs": {"a": [1], "b": [1, 2]}}, "several lengths"),
        ({"inputs": [[1], [1, 2]]}, "row 2 of the input has 2 values, and 1 were to be there"),
        ({"rows": []}, "exactly one of the input fields"),
        ({"inputs": [], "instances": []}, "exactly one of the input fields"),
        ([1], "exactly one of the input fields"),
        ("", "no CSV"),
        ('a,b\n"1', "no valid CSV"),
        ("a,b\n1\n", "row 1 of the input has 1 values"),
        ("a,b\nword,1\n", "'word' in row 1 is no double"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(content: object, told: str) -> None:
    with pytest.raises(Refused) as refused:
        fitted(Columns.of(object(), SIGNATURE), content)
    answer = refused.value.answer
    assert answer.status == 400
    document = json.loads(answer.body)
    assert document["error_code"] == "BAD_REQUEST" and told in document["message"]
    assert len(document["message"]) < 1000


def test_records_of_many_names_are_taken_for_the_columns_that_are_asked_for() -> None:
    """Of 4000 rows with 4001 columns only two have cells."""
    records = [{"a": number, "b": 1, f"further {number}": 2} for number in range(4000)]
    rows = fitted(Columns.of(Fitted(("a", "b")), None), {"dataframe_records": records})
    assert np.asarray(rows).tolist() == [[float(number), 1.0] for number in range(4000)]


@pytest.mark.parametrize("names", [None, tuple(map(str, range(4000)))])
def test_records_that_lack_nearly_every_column_make_no_table(names: tuple[str, ...] | None) -> None:
    """Nobody asks for all of them, where every one is optional."""
    records = [{str(number): 1} for number in range(4000)]
    with pytest.raises(Refused) as refused:
        fitted(Columns(names=names, types={}, optional=names or ()), {"dataframe_records": records})
    assert b"4000 rows with 4000 columns are far more cells than the 4000" in refused.value.answer.body


def test_records_that_lack_some_columns_have_empty_cells() -> None:
    rows = fitted(Columns(names=None, types={}), {"instances": [{"a": 1.5}, {"b": 2}]})
    assert np.asarray(rows, dtype=object).shape == (2, 2)


def test_a_column_that_is_optional_may_be_left_out() -> None:
    columns = Columns.of(object(), SIGNATURE)
    rows = fitted(columns, {"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2]]}})
    assert np.asarray(rows).tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("names", [["a", "b"], None])
def test_numbers_beyond_every_type_are_refused(names: list[str] | None) -> None:
    """Though no type is asked for."""
    rows = {"dataframe_split": {"columns": names, "data": [[10**400, 1.5]]}}
    with pytest.raises(Refused) as refused:
        fitted(Columns(names=None, types={}), rows)
    assert refused.value.answer.status == 400 and b"no table of numbers" in refused.value.answer.body


def test_without_names_the_number_of_columns_counts() -> None:
    @dataclass
    class Nameless:
        n_features_in_: int = 3

    with pytest.raises(Refused) as refused:
        fitted(Columns.of(Nameless(), None), {"inputs": [[1, 2]]})
    assert b"takes 3 columns, and the input has 2" in refused.value.answer.body


@pytest.mark.parametrize("body", [b"\xff" * 9000, b"{", b"[" * 100_000, b"null", b'"text"'])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        read_rows(body, is_json=True)
    assert refused.value.answer.status == 400 and len(refused.value.answer.body) < 1000
