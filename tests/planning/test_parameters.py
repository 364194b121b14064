"""Values that people give, bound to what is declared."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlproj.errors import DataError, ParameterError, SpecError
from mlproj.model.plan import Origin
from mlproj.planning.parameters import bind, parse_assignments
from mlproj.planning.paths import fill, fill_known
from tests.planning.making import entry, parameter, value


def nowhere(text: str, origin: Origin) -> tuple[Path, str] | None:
    return None


def test_assignments_are_split_at_the_first_equals_sign() -> None:
    assert parse_assignments(("a=1", "b=", "c=d=e")) == {"a": "1", "b": "", "c": "d=e"}


@pytest.mark.parametrize("given", [("a",), ("=1",), ("",), ("a=1", "a=2")])
def test_an_assignment_without_a_name_or_a_value_or_given_twice_is_refused(given: tuple[str, ...]) -> None:
    with pytest.raises(ParameterError):
        parse_assignments(given)


def test_values_come_in_the_order_of_declaration_then_of_giving() -> None:
    declared = entry("t", parameter("b", default="1"), "a")
    bound = bind(declared, {"z": "9", "a": "2", "y": "8"}, nowhere)
    assert [(item.name, item.text, item.origin.value, item.extra) for item in bound] == [
        ("b", "1", "default", False),
        ("a", "2", "given", False),
        ("z", "9", "given", True),
        ("y", "8", "given", True),
    ]


def test_a_misspelt_name_of_a_missing_parameter_is_told() -> None:
    with pytest.raises(ParameterError) as caught:
        bind(entry("t", "alpha"), {"alhpa": "1"}, nowhere)
    assert caught.value.hint == "`alhpa` was given: did you mean `alpha`?"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *[("int", text) for text in ("1", "-3", "+4")],
        *[("float", text) for text in ("1", "1e-3", "nan", "-.5")],
        *[("bool", text) for text in ("true", "False", "1", "off")],
        *[("uri", text) for text in ("s3://b/c", "runs:/a/b", "file:///x")],
        ("string", ""),
    ],
)
def test_values_that_fit_their_type_are_taken_as_written(kind: str, text: str) -> None:
    assert bind(entry("t", parameter("a", kind)), {"a": text}, nowhere)[0].text == text


def test_a_default_given_again_is_taken_although_it_does_not_fit() -> None:
    declared = entry("t", parameter("depth", "int", default="None"))
    assert bind(declared, {"depth": "None"}, nowhere)[0].text == "None"
    with pytest.raises(ParameterError):
        bind(declared, {"depth": "none"}, nowhere)


def test_a_value_that_is_no_choice_is_refused_with_the_nearest() -> None:
    with pytest.raises(ParameterError) as caught:
        bind(entry("t", parameter("o", "choice", choices=("sgd", "adam"))), {"o": "adma"}, nowhere)
    assert "one of `sgd`, `adam`" in caught.value.message
    assert caught.value.hint == "did you mean `adam`?"


def test_a_nul_is_refused() -> None:
    with pytest.raises(ParameterError):
        bind(entry("t", "a"), {"a": "b\0c"}, nowhere)


def test_a_path_that_is_nowhere_is_refused_and_a_uri_is_kept() -> None:
    declared = entry("t", parameter("d", "path"))
    with pytest.raises(DataError, match="no file or folder `gone`"):
        bind(declared, {"d": "gone"}, nowhere)
    bound = bind(declared, {"d": "s3://bucket/key"}, nowhere)[0]
    assert (bound.text, bound.located, bound.base) == ("s3://bucket/key", None, "uri")


@pytest.mark.parametrize(
    ("text", "looked"),
    [("a/b", True), ("/a/b", False), ("file:///a", False), ("FILE:///a", False), ("file:a", True)],
)
def test_folders_are_named_only_where_they_were_looked_in(text: str, looked: bool) -> None:
    with pytest.raises(DataError) as caught:
        bind(entry("t {a}", parameter("a", "path")), {"a": text}, nowhere)
    assert (caught.value.hint is not None) == looked


def test_path_templates_are_filled_and_stay_in_the_project() -> None:
    declared = entry("t", "a")
    assert fill("out/{a}/m{{1}}.json", (value("a", "x y"),), declared) == "out/x y/m{1}.json"
    assert fill_known("{a}", {"a": "b"}) == "b"
    assert fill_known("{a}", {}) is None


@pytest.mark.parametrize("text", ["/etc/passwd", "..", "../x", "a/../../x", ".", "", "a\0b"])
def test_a_path_template_that_leads_out_of_the_project_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="below the project's folder"):
        fill("{a}", (value("a", text),), entry("t", "a"))
    assert fill_known("{a}", {"a": text}) is None


def test_a_path_template_with_an_undeclared_name_is_refused() -> None:
    with pytest.raises(SpecError, match="no parameter has that name"):
        fill("{b}", (value("a", "1"),), entry("t", "a"))


@pytest.mark.parametrize("given", [{"x": "\udcff"}, {"\udcff": "1"}, {"x": "\ud800"}])
def test_values_that_are_no_text_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(ParameterError, match="no text in UTF-8"):
        bind(entry("echo {x}", parameter("x", default="1")), given, lambda text, origin: None)
