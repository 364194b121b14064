from __future__ import annotations

import math
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.errors import UsageError
from mlproj.model.search import (
    AllOf,
    AnyOf,
    Comparison,
    Expression,
    Key,
    Kind,
    Measured,
    Operator,
    Order,
    Search,
)
from mlproj.spec.filter_parser import DEEPEST, LONGEST, MOST_COMPARISONS, MOST_VALUES
from mlproj.spec.filters import FieldOrder, read_model_search, read_search
from mlproj.spec.searchable import Subject

Value = str | float
RUNS = Subject.RUNS


def holds(kind: Kind, name: str, operator: str, *values: Value) -> Comparison:
    return Comparison(key=Key(kind=kind, name=name), operator=Operator(operator), values=values)


def metric(name: str, operator: str, *values: float) -> Comparison:
    return holds(Kind.METRIC, name, operator, *values)


def param(name: str, operator: str, *values: Value) -> Comparison:
    return holds(Kind.PARAM, name, operator, *values)


def tag(name: str, operator: str, *values: str) -> Comparison:
    return holds(Kind.TAG, name, operator, *values)


def attribute(name: str, operator: str, *values: Value) -> Comparison:
    return holds(Kind.ATTRIBUTE, name, operator, *values)


A, B, C = metric("a", ">", 1.0), metric("b", "<", 2.0), tag("c", "=", "x")

READ: tuple[tuple[str, Expression], ...] = (
    ("", AllOf()),
    (" \n\t", AllOf()),
    ("metrics.rmse < 0.5", metric("rmse", "<", 0.5)),
    ("metric.rmse<=.5", metric("rmse", "<=", 0.5)),
    ("metrics.rmse > -1e-3", metric("rmse", ">", -0.001)),
    ("metrics.rmse >= +2.", metric("rmse", ">=", 2.0)),
    ("metrics.rmse != 1e999", metric("rmse", "!=", math.inf)),
    ("METRICS.rmse = 1", metric("rmse", "=", 1.0)),
    ("metrics.val/loss-1@5 > 0", metric("val/loss-1@5", ">", 0.0)),
    ("metrics.`val loss` > 0", metric("val loss", ">", 0.0)),
    ('metrics."val loss" > 0', metric("val loss", ">", 0.0)),
    ("`metrics`.`val loss` > 0", metric("val loss", ">", 0.0)),
    ("metrics.and > 0 AND metrics.in > 0", AllOf((metric("and", ">", 0.0), metric("in", ">", 0.0)))),
    ("params.model = 'tree'", param("model", "=", "tree")),
    ('param.model = "tree"', param("model", "=", "tree")),
    ("parameters.model != 'a ''b'''", param("model", "!=", "a 'b'")),
    ('parameter.model = "it\'s"', param("model", "=", "it's")),
    ("params.model = ''", param("model", "=", "")),
    (r"params.path LIKE 'C:\%'", param("path", "LIKE", r"C:\%")),
    ("params.model ilike '%Tree%'", param("model", "ILIKE", "%Tree%")),
    ("params.alpha > 0.1", param("alpha", ">", 0.1)),
    ("params.alpha = '0.1'", param("alpha", "=", "0.1")),
    ("params.alpha IN (1, '2', 3.5)", param("alpha", "IN", 1.0, "2", 3.5)),
    ("tags.mlflow.source.name = 'x'", tag("mlflow.source.name", "=", "x")),
    ("tag.`mlflow.user` = 'ada'", tag("mlflow.user", "=", "ada")),
    ("tags.owner IS NULL", tag("owner", "IS NULL")),
    ("tags.owner is not null", tag("owner", "IS NOT NULL")),
    ("tags.owner NOT IN ('a', \"b\")", tag("owner", "NOT IN", "a", "b")),
    ("run_id = 'x'", attribute("run_id", "=", "x")),
    ("run_id IN ('x')", attribute("run_id", "IN", "x")),
    ("run_id IN ('x', 'y',)", attribute("run_id", "IN", "x", "y")),
    ("attributes.status = 'FINISHED'", attribute("status", "=", "FINISHED")),
    ("attr.status = 'FINISHED'", attribute("status", "=", "FINISHED")),
    ("run.status = 'FINISHED'", attribute("status", "=", "FINISHED")),
    ("run_name == 'x'", attribute("run_name", "=", "x")),
    ("run_name <> 'x'", attribute("run_name", "!=", "x")),
    ("`run name` = 'x'", attribute("run_name", "=", "x")),
    ("attributes.\"Run Name\" = 'x'", attribute("run_name", "=", "x")),
    ("attribute.Created > 100", attribute("start_time", ">", 100.0)),
    ("start_time > '100'", attribute("start_time", ">", 100.0)),
    ("end_time IS NULL", attribute("end_time", "IS NULL")),
    ("datasets.name = 'wine'", holds(Kind.DATASET, "name", "=", "wine")),
    ("dataset.context IN ('train')", holds(Kind.DATASET, "context", "IN", "train")),
    ("metrics.a > 1 AND metrics.b < 2", AllOf((A, B))),
    ("metrics.a>1 and metrics.b<2 AnD tags.c='x'", AllOf((A, B, C))),
    ("metrics.a > 1 OR metrics.b < 2 AND tags.c = 'x'", AnyOf((A, AllOf((B, C))))),
    ("(metrics.a > 1 OR metrics.b < 2) AND tags.c = 'x'", AllOf((AnyOf((A, B)), C))),
    ("((metrics.a > 1) AND ((metrics.b < 2 AND tags.c = 'x')))", AllOf((A, B, C))),
)


@pytest.mark.parametrize(("text", "expression"), READ, ids=[text for text, _ in READ])
def test_a_filter_is_read(text: str, expression: Expression) -> None:
    assert read_search(RUNS, text) == Search(where=expression)


REFUSED = (
    ("metrics.a > 'x'", "column 13: `a` is compared with a number", "without quotes"),
    ("metrics.a > '1'", "column 13: `a` is compared with a number", "without quotes"),
    ("metrics.a LIKE 1", "column 16: `a` is compared as a number, and LIKE is for text", "="),
    ("metrics.a >", "column 12: a value is expected, and not the end", "quotes"),
    ("metrics.a", "column 10: a comparison is expected, and not the end", "metrics.rmse < 0.5"),
    ("metrics.a > 1 metrics.b < 2", "column 15: AND or OR is expected, and not `metrics.b`", ""),
    ("metrics.a > 1 AND", "column 18: a key is expected, and not the end", "metrics.rmse"),
    ("AND", "column 4: a comparison is expected, and not the end", "metrics.rmse"),
    ("(metrics.a > 1", "column 15: `)` is expected, and not the end", "pairs"),
    ("metrics.a > 1)", "column 14: the end is expected, and not `)`", "pairs"),
    ("metrics. > 1", "column 1: `metrics.` names nothing", "metrics.rmse"),
    ("metrics.a =~ 1", "column 11: `=~` is no comparison", "ILIKE"),
    ("tags.a RLIKE 'x'", "column 8: `RLIKE` is no comparison", "ILIKE"),
    ("my key = 'x'", "column 4: a comparison is expected, and not `key`", "backticks"),
    ("'x' = 'x'", "column 1: a key is expected, and not `'x'`", "backticks"),
    ("params.a = tree", "column 12: `tree` is no value", "quotes"),
    ("params.a > '1'", "column 12: `a` is text, and > is for numbers", "without quotes"),
    ("params.a LIKE 1", "column 15: `a` is compared as a number, and LIKE is for text", "="),
    ("params.a = 'x", "column 12: a value is expected, and not `'x`", "quotes"),
    ("params.a = 'it's'", "column 16: AND or OR is expected, and not `s'`", "twice"),
    ("tags.a = 1", "column 10: `a` is text, and is not compared with a number", "quotes: `'1'`"),
    ("tags.a > 'x'", "column 10: `a` is text, and > is for numbers", "LIKE"),
    ("tags.a IS NUL", "column 11: NULL is expected, and not `NUL`", "IS NULL"),
    ("status IN ()", "column 12: a value is expected, and not `)`", ""),
    ("status IN 'x'", "column 11: `(` is expected, and not `'x'`", "IN ('a', 'b')"),
    ("status IN ('x' 'y')", "column 16: a comma or `)` is expected, and not `'y')`", "IN ('a', 'b')"),
    ("status NOT LIKE 'x'", "column 12: IN is expected, and not `LIKE`", "NOT IN"),
    ("start_time > 'soon'", "column 14: `start_time` is compared with a number", "without quotes"),
    ("start_time > 'nan'", "column 14: `start_time` is compared with a number", "without quotes"),
    ("sttus = 'x'", "column 1: runs have no attribute `sttus`", "`status`"),
    ("colour = 'x'", "column 1: runs have no attribute `colour`", "`metrics.<key>`"),
    ("metrcs.a > 1", "column 1: runs have no `metrcs`", "`metrics`"),
    ("metadata.a = 'x'", "column 1: runs have no `metadata`", "keys are"),
    ("datasets.nme = 'x'", "column 1: datasets have no `nme`", "`name`"),
    ("run_id = 'a\0'", r"column 12: '\x00' is no character of a text", "leave it out"),
    ("run_id = '\ud800'", r"column 11: '\ud800' is no character of a text", "leave it out"),
    ("tags.a LIKE '" + "x" * 5001 + "'", "column 13: a pattern has at most 5000 characters", "shorter"),
)


@pytest.mark.parametrize(("text", "message", "hint"), REFUSED, ids=[text[:40] for text, _, _ in REFUSED])
def test_a_filter_that_cannot_be_meant_is_refused(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"filter, {message}")) as caught:
        read_search(RUNS, text)
    assert caught.value.hint is not None
    assert hint in caught.value.hint


OF_OTHERS: tuple[tuple[Subject, str, Expression], ...] = (
    (Subject.EXPERIMENTS, "experiment_id = '3'", attribute("experiment_id", "=", "3")),
    (Subject.EXPERIMENTS, "last_update_time > 5", attribute("last_update_time", ">", 5.0)),
    (Subject.REGISTERED_MODELS, "name LIKE 'a%'", attribute("name", "LIKE", "a%")),
    (Subject.MODEL_VERSIONS, "version_number = '2'", attribute("version_number", "=", 2.0)),
    (Subject.MODEL_VERSIONS, "source_path = 's'", attribute("source_path", "=", "s")),
    (Subject.LOGGED_MODELS, "creation_time > 5", attribute("creation_timestamp", ">", 5.0)),
    (Subject.LOGGED_MODELS, "params.alpha < 1", param("alpha", "<", 1.0)),
    (Subject.TRACES, "timestamp > 5", attribute("timestamp_ms", ">", 5.0)),
    (Subject.TRACES, "trace.status = 'OK'", attribute("status", "=", "OK")),
    (Subject.TRACES, "name = 'ask'", tag("mlflow.traceName", "=", "ask")),
    (Subject.TRACES, "run_id = 'r'", holds(Kind.METADATA, "mlflow.sourceRun", "=", "r")),
    (Subject.TRACES, "request_metadata.a = 'b'", holds(Kind.METADATA, "a", "=", "b")),
)


@pytest.mark.parametrize(("subject", "text", "expression"), OF_OTHERS)
def test_every_subject_has_keys_of_its_own(subject: Subject, text: str, expression: Expression) -> None:
    assert read_search(subject, text).where == expression


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        (Subject.EXPERIMENTS, "metrics.a > 1"),
        (Subject.REGISTERED_MODELS, "run_id = 'x'"),
        (Subject.MODEL_VERSIONS, "params.a = 'x'"),
        (Subject.LOGGED_MODELS, "datasets.name = 'x'"),
        (Subject.TRACES, "metrics.a > 1"),
    ],
)
def test_what_a_subject_has_not_is_refused(subject: Subject, text: str) -> None:
    with pytest.raises(UsageError, match=f"{subject.value} have no"):
        read_search(subject, text)


def ordered(kind: Kind, name: str, *, descending: bool = False, on: Measured | None = None) -> Order:
    return Order(key=Key(kind=kind, name=name), descending=descending, on=on)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("metrics.rmse", ordered(Kind.METRIC, "rmse")),
        ("metrics.rmse ASC", ordered(Kind.METRIC, "rmse")),
        ("metrics.`val loss` desc", ordered(Kind.METRIC, "val loss", descending=True)),
        ('params."a b" DESC', ordered(Kind.PARAM, "a b", descending=True)),
        ("tags.desc  DESC", ordered(Kind.TAG, "desc", descending=True)),
        ("attributes.start_time", ordered(Kind.ATTRIBUTE, "start_time")),
        ("Created DESC", ordered(Kind.ATTRIBUTE, "start_time", descending=True)),
    ],
)
def test_an_order_is_read(text: str, order: Order) -> None:
    assert read_search(RUNS, "", [text]).order == (order,)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([""], "order_by, column 1: a key is expected, and not the end"),
        (["metrics.a b"], "order_by, column 11: ASC or DESC is expected, and not `b`"),
        (["metrics.a, metrics.b"], "order_by, column 10: ASC or DESC is expected, and not `,`"),
        (["metrics.a DESC DESC"], "order_by, column 16: the end is expected, and not `DESC`"),
        (["datasets.name"], "order_by, column 1: runs are not sorted by their datasets"),
        (["start_time", "Created DESC"], "`start_time` is sorted by twice"),
        ([f"metrics.m{number}" for number in range(21)], "at most 20 keys, and not by 21"),
    ],
)
def test_an_order_that_cannot_be_meant_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        read_search(RUNS, "", texts)


def test_logged_models_are_sorted_by_fields_and_on_datasets() -> None:
    wine = Measured(dataset_name="wine", dataset_digest="d")
    search = read_model_search(
        "metrics.rmse < 1",
        [
            FieldOrder(
                field_name="metrics.val.rmse x", ascending=False, dataset_name="wine", dataset_digest="d"
            ),
            FieldOrder(field_name="creation_time"),
        ],
        [wine],
    )
    assert search == Search(
        where=metric("rmse", "<", 1.0),
        order=(
            ordered(Kind.METRIC, "val.rmse x", descending=True, on=wine),
            ordered(Kind.ATTRIBUTE, "creation_timestamp"),
        ),
        measured=(wine,),
    )


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (FieldOrder(field_name="sttus"), "logged models have no attribute `sttus`"),
        (FieldOrder(field_name='a`b.c" d'), "order_by, column"),
        (FieldOrder(field_name=""), "names nothing"),
        (FieldOrder(field_name="name DESC"), "logged models have no attribute `name DESC`"),
        (FieldOrder(field_name="name", dataset_digest="d"), "digest was given without its name"),
        (FieldOrder(field_name="name", dataset_name="wine"), "`name` is not measured on a dataset"),
    ],
)
def test_a_field_that_models_are_not_sorted_by_is_refused(field: FieldOrder, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        read_model_search("", [field])


def nested(depth: int) -> str:
    text = "metrics.a > 1"
    for level in range(depth):
        text = f"({text} {'AND' if level % 2 else 'OR'} tags.c = 'x')"
    return text


AND = " AND ".join
LARGE = (
    "x" * (LONGEST + 1),
    "(" * LONGEST,
    "'" * (LONGEST - 1),
    "`" * (LONGEST - 1),
    nested(DEEPEST + 1),
    nested(5_000),
    AND(["metrics.a > 1"] * (MOST_COMPARISONS + 1)),
    AND(["metrics.a>1"] * 12_000),
    f"tags.a IN ({','.join(repr('') for _ in range(MOST_VALUES + 1))})",
)


@pytest.mark.parametrize("text", LARGE, ids=range(len(LARGE)))
def test_a_filter_beyond_the_bounds_is_refused_within_seconds(text: str) -> None:
    began = time.monotonic()
    with pytest.raises(UsageError):
        read_search(RUNS, text)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000 + "metrics.a > 1" + ")" * 10_000,
        nested(DEEPEST),
        AND(["metrics.a > 1"] * MOST_COMPARISONS),
        f"run_id IN ({','.join(repr('f' * 32) for _ in range(5_000))})",
        f"metrics.a > {'1' * 100_000}",
    ],
    ids=range(5),
)
def test_a_large_filter_within_the_bounds_is_read(text: str) -> None:
    assert read_search(RUNS, text).where != AllOf()


PIECES = st.sampled_from(
    [
        "metrics.a", "params.`b c`", 'tags."d"', "run_id", "Created", "datasets.name", "foo", "metrics.",
        "=", "!=", "<", ">=", "<>", "~", " LIKE ", " ILIKE ", " IN ", " NOT ", " IS ", " NULL", " AND ",
        " OR ", "(", ")", ",", "'x'", '"y"', "'", '"', "`", "1", "-2.5e3", "1e", "\n", ";", "--", "\\",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(), st.lists(PIECES).map("".join), st.lists(PIECES).map(" ".join))


@given(subject=st.sampled_from(Subject), filter=TEXTS, order_by=st.lists(TEXTS, max_size=3))
def test_no_text_raises_anything_but_a_usage_error(
    subject: Subject, filter: str, order_by: list[str]
) -> None:
    try:
        search = read_search(subject, filter, order_by)
    except UsageError as error:
        assert error.hint is not None
    else:
        assert isinstance(search, Search)


@given(name=TEXTS, digest=st.none() | TEXTS)
def test_no_field_raises_anything_but_a_usage_error(name: str, digest: str | None) -> None:
    try:
        read_model_search("", [FieldOrder(field_name=name, dataset_digest=digest)])
    except UsageError as error:
        assert error.message
