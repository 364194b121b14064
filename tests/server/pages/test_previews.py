"""How files look, told by their names and their first bytes."""

from __future__ import annotations

import time

import pytest

from mlproj.server.pages.model_files import read_card
from mlproj.server.pages.output import readable
from mlproj.server.pages.previews import media_type, preview
from mlproj.server.pages.rendering import markdown
from tests.server.pages.scenery import MLMODEL


@pytest.mark.parametrize(
    "name, content, kind",
    [
        ("a.csv", b"x,y\n1,2\n", "table"),
        ("a.tsv", b"x\ty\n1\t2\n", "table"),
        ("a.CSV", b"x,y\n", "table"),
        ("a.csv", b"", "text"),
        ("a.csv", b"\0\1", "none"),
        ("a.md", b"# x", "markdown"),
        ("a.png", b"anything", "image"),
        ("a.html", b"<p>", "text"),
        ("MLmodel", b"flavors:\n", "text"),
        ("a.bin", b"\xff\xfe\xfa", "none"),
    ],
)
def test_kinds(name: str, content: bytes, kind: str) -> None:
    assert preview(name, content, cut=False).kind == kind


def test_a_character_that_was_cut_is_left_out() -> None:
    assert preview("a.txt", "caf\u00e9".encode()[:-1], cut=True).text == "caf"


def test_a_wide_and_long_table_is_cut_and_says_so() -> None:
    rows = b"\n".join(b",".join(b"%d" % cell for cell in range(60)) for _ in range(300))
    shown = preview("a.csv", rows, cut=False)
    assert (len(shown.table), len(shown.table[0]), shown.cut) == (200, 50, True)


def test_json_is_laid_out() -> None:
    assert preview("a.json", b'{"a":[1]}', cut=False).text == '{\n  "a": [\n    1\n  ]\n}'
    assert preview("a.json", b"{broken", cut=False).text == "{broken"


def test_only_pictures_have_a_type_of_their_own() -> None:
    assert media_type("a.svg") == "image/svg+xml"
    assert media_type("a.html") == media_type("a.js") == media_type("a") == "application/octet-stream"


def test_logs_are_read_as_a_terminal_shows_them() -> None:
    assert readable(b"\x1b[1;31mred\x1b[0m\r\n10%\r20%\r30%\ndone \x1b]0;title\x07") == "red\n30%\ndone "


def test_markdown_is_laid_out_and_has_no_html() -> None:
    laid_out = markdown(
        "**b** `c` <b>x</b> [a](javascript:x) [g](https://good.example) ![i](https://i.example/i.png)"
    )
    assert "<strong>b</strong> <code>c</code> &lt;b&gt;x&lt;/b&gt;" in laid_out
    assert "<img" not in laid_out and 'href="javascript' not in laid_out
    assert '<a href="https://good.example" rel="noopener noreferrer nofollow">g</a>' in laid_out


def test_nothing_small_takes_long_to_look_at_or_becomes_large() -> None:
    since = time.monotonic()
    for text in ("![" * 25_000, "[" * 20_000 + "](x" * 10_000):
        assert markdown(f"<b>{text}").startswith("<pre>&lt;b&gt;")
    assert time.monotonic() - since < 10
    deep = ",".join(["[" * 500 + "]" * 500] * 400)
    shown = preview("a.json", f"[{deep}]".encode(), cut=False)
    assert shown.text == f"[{deep}]"
    assert preview("a.json", b'{"a":[1]}', cut=False).text == '{\n  "a": [\n    1\n  ]\n}'


def test_a_model_says_what_it_takes() -> None:
    card = read_card(MLMODEL)
    assert card is not None
    assert card.flavours == (("python_function", "3.11.7"), ("sklearn", "1.7.2"))
    assert [(each.part, each.name, each.type, each.required) for each in card.fields] == [
        ("input", "age", "double", True),
        ("input", "sex", "long", False),
        ("output", "0", "tensor float64 [-1]", True),
    ]
    assert ("run_id", "abc") in card.facts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "flavors: 3",
        "signature: {inputs: '{'}",
        "signature: {inputs: '[1, null]'}",
        "flavors: {a: b}",
    ],
)
def test_what_is_hardly_a_model_is_read_as_far_as_it_goes(text: str) -> None:
    card = read_card(text)
    assert card is None or all(isinstance(each.type, str) for each in card.fields)
