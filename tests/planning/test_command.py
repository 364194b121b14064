"""Values in commands: byte for byte where a value may stand, refused elsewhere, executed nowhere.

Whatever is rendered is run by a real bash.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlproj.errors import ParameterError, SpecError
from mlproj.planning.cautions import unsafe_placeholders
from mlproj.planning.command import render
from mlproj.planning.template import pieces
from tests.planning.hostile import NASTY, PLAIN, SAFE, UNSAFE
from tests.planning.making import HERE, entry, value


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("commands")
    (root / "dump").write_text("#!/bin/sh\nprintf '%s\\0' \"$@\" >> seen\n")
    (root / "show").write_text('exec ./dump "$VAR"\n')
    (root / "dump").chmod(0o755)
    yield root


def run(folder: Path, command: str) -> list[str]:
    """What `dump` got when a real bash ran the command; fails where anything in a value was executed."""
    for name in ("seen", "canary", "made", "made.sh", "other"):
        (folder / name).unlink(missing_ok=True)
    environ = {**os.environ, "HOME": str(folder)}
    subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=20,
    )
    assert not (folder / "canary").exists(), command
    seen = folder / "seen"
    return seen.read_bytes().decode().split("\0")[:-1] if seen.exists() else []


@pytest.mark.parametrize("template", SAFE)
def test_every_nasty_value_reaches_the_program_byte_for_byte(folder: Path, template: str) -> None:
    for text in NASTY:
        command = render(entry(template, "x"), (value("x", text),), {})
        assert run(folder, command) == [text], (text, command)


TEXTS = st.text(
    alphabet=st.one_of(
        st.sampled_from(list("'\"$`\\;&|<>(){}[]#!~*?=% \n\tax-")),
        st.characters(codec="utf-8", exclude_characters="\0"),
    ),
    max_size=30,
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(template=st.sampled_from(SAFE), text=TEXTS)
def test_any_value_reaches_the_program_byte_for_byte(folder: Path, template: str, text: str) -> None:
    command = render(entry(template, "x"), (value("x", text),), {})
    assert run(folder, command) == [text], command


@pytest.mark.parametrize("template", UNSAFE)
def test_a_value_with_shell_characters_is_refused_in_an_unsafe_place(template: str) -> None:
    for text in NASTY:
        if text in PLAIN:
            continue
        try:
            command = render(entry(template, "x"), (value("x", text),), {})
        except ParameterError as error:
            assert "cannot be quoted (MLproject:7)" in error.message
            continue
        pytest.fail(f"{text!r} was not refused: {command}")


@pytest.mark.parametrize(
    "template",
    [
        "(" * 20_000 + "echo {x}" + ")" * 20_000,
        "echo $(" * 5_000 + "echo {x}" + ")" * 5_000,
        "echo a && " * 5_000 + "echo {x}",
        " | ".join(["echo {x}"] * 1_000),
        "echo " + "{x} " * 5_000,
        "./dump {x} " + "a " * 40_000,
    ],
    ids=["parentheses", "substitutions", "lists", "stages", "arguments", "words"],
)
def test_a_command_beyond_measure_is_refused_at_once_and_takes_plain_values(template: str) -> None:
    began = time.process_time()
    for text in ("two words", ""):
        with pytest.raises(ParameterError, match="too long or too deeply nested"):
            render(entry(template, "x"), (value("x", text),), {})
    assert time.process_time() - began < 2
    assert render(entry(template, "x"), (value("x", "0.5"),), {}) == template.format(x="0.5")


@pytest.mark.parametrize(
    "template",
    [
        "( " * 50 + "./dump {x}" + " )" * 50,
        "true && " * 150 + "./dump {x}",
        "./dump {x}\n" + "true a b\n" * 2_000,
        "true " + "{y} " * 200 + "; ./dump {x}",
    ],
    ids=["parentheses", "lists", "lines", "arguments"],
)
def test_a_large_command_still_takes_any_value(folder: Path, template: str) -> None:
    values = (value("x", "two words"), value("y", "it's"))
    assert run(folder, render(entry(template, "x", "y"), values, {})) == ["two words"]


@pytest.mark.parametrize("quotes", ['"', ""])
def test_an_empty_value_in_a_nested_shell_is_a_pair_of_quotes(folder: Path, quotes: str) -> None:
    template = 'bash -c "./dump {x} b"' if quotes else "eval ./dump {x} b"
    command = render(entry(template, "x"), (value("x", ""),), {})
    assert command == template.format(x="''")
    with pytest.raises(ParameterError):
        render(entry("bash -c './dump {x} b'", "x"), (value("x", ""),), {})


@pytest.mark.parametrize("template", [template for template in UNSAFE if "{x}" in template])
def test_check_warns_of_each_unsafe_place(template: str) -> None:
    found = unsafe_placeholders(entry(template, "x"))
    assert [finding.severity for finding in found] == ["warning"]
    assert str(found[0].location) == "MLproject:7"


@pytest.mark.parametrize("template", SAFE)
def test_check_says_nothing_of_safe_places(template: str) -> None:
    assert unsafe_placeholders(entry(template, "x")) == ()


PARTS = st.sampled_from(
    ["{x}", "'", '"', "$(", ")", "`", "\\", "$", " ", ";", "|", "echo ", "bash -c ", "eval ", "\n", "<<EOF\n",
     "EOF\n", "#", "((", "))", "{{", "}}", "case a in ", "a) ", ";; esac", "<<<", "${{", "./dump ", "&&", "="]
)  # fmt: skip


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(PARTS, max_size=12), text=st.sampled_from(NASTY))
def test_no_template_whatever_makes_the_shell_execute_a_value(
    folder: Path, parts: list[str], text: str
) -> None:
    template = "".join(parts)
    try:
        command = render(entry(template, "x"), (value("x", text),), {})
    except (ParameterError, SpecError):
        return
    run(folder, command)


@pytest.mark.parametrize("template", [t for t in UNSAFE if "$" + "{x}" not in t and "{x:" not in t])
def test_plain_values_pass_as_they_do_under_mlflow(template: str) -> None:
    expected = template.format(x="0.5")
    assert render(entry(template, "x"), (value("x", "0.5"),), {}) == expected


@pytest.mark.parametrize(
    ("template", "text", "expected"),
    [
        ("echo {{x}} {x}", "1", "echo {x} 1"),
        ("echo {{{x}}}", "1", "echo {1}"),
        ("awk '{{print $1}}' {x}", "f", "awk '{print $1}' f"),
        ("awk '{print $1}' {x}", "f", "awk '{print $1}' f"),
        ("echo {} {1..5} {a,b} } {x}", "1", "echo {} {1..5} {a,b} } 1"),
        ("echo '{\"a\": 1}' {x}", "1", "echo '{\"a\": 1}' 1"),
        ("f() { echo {x}; }; f", "1", "f() { echo 1; }; f"),
        ("echo {x!r}", "abc", "echo 'abc'"),
        ("echo {x!s}", "abc", "echo abc"),
        ("echo {x:>5}|", "abc", "echo   abc|"),
        ("awk '{{print ${x}}}'", "2", "awk '{print $2}'"),
        ("python t.py --o={x}", "a b", "python t.py --o='a b'"),
        ("echo {x}", "", "echo ''"),
    ],
)
def test_braces_are_read_as_str_format_reads_them(template: str, text: str, expected: str) -> None:
    assert render(entry(template, "x"), (value("x", text),), {}) == expected


def test_names_may_hold_dashes_and_dots() -> None:
    values = (value("n-class", "3"), value("a.b", "4"))
    assert render(entry("t {n-class} {a.b}", "n-class", "a.b"), values, {}) == "t 3 4"


@pytest.mark.parametrize(
    ("template", "said", "hint"),
    [
        ("echo {alhpa}", "`{alhpa}` stands in braces", "did you mean `alpha`?"),
        ("echo {unknown}", "no parameter has that name", "write `{{unknown}}`"),
        ("echo ${HOME}", "`{HOME}` stands in braces", "write `{{HOME}}`"),
        ("echo {alpha.real}", "reaches into", "write `{{alpha.real}}`"),
        ("echo {alpha[0]}", "reaches into", "write `{{alpha[0]}}`"),
        ("echo {alpha:d}", "is not a format for a text", None),
        ("echo {alpha:>999999999}", "is not a format for a text", None),
        ("echo {alpha!x}", "is not a format for a text", "write `{{alpha!x}}`"),
        ("echo {alpha:>{alpha}}", "is not a format for a text", None),
        ("echo { alpha }", "has blanks within its braces", "write `{alpha}`"),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_place(template: str, said: str, hint: str | None) -> None:
    with pytest.raises(SpecError) as caught:
        render(entry(template, "alpha"), (value("alpha", "1"),), {})
    assert said in caught.value.message
    assert caught.value.message.endswith("(MLproject:7)")
    assert hint is None or hint in (caught.value.hint or "")


def test_undeclared_values_are_appended_quoted(folder: Path) -> None:
    values = (value("a", "two words", extra=True), value("b-c", "", extra=True))
    command = render(entry("./dump x\n"), values, {})
    assert command == "./dump x --a 'two words' --b-c ''"
    assert run(folder, command) == ["x", "--a", "two words", "--b-c", ""]


@pytest.mark.parametrize(
    "command",
    [
        "./dump x",
        "./dump x \\\n",
        "./dump x\\\n\\\n\n",
        "./dump x  \n \n",
        "./dump {{}} x ",
        "./dump x\\ \n",
    ],
)
def test_an_appended_value_stays_with_the_command(folder: Path, command: str) -> None:
    rendered = render(entry(command), (value("k", "v w", extra=True),), {})
    assert run(folder, rendered)[-2:] == ["--k", "v w"]


@pytest.mark.parametrize("command", ["echo a # why", "cat <<EOF\na\nEOF\n", "eval echo"])
def test_an_appended_value_is_refused_where_it_would_be_code(command: str) -> None:
    with pytest.raises(ParameterError):
        render(entry(command), (value("k", "\ntouch canary", extra=True),), {})


def test_a_parameter_that_names_a_shell_makes_its_arguments_a_nested_shell() -> None:
    values = (value("x", "bash"), value("y", "-c"), value("z", "touch canary"))
    with pytest.raises(ParameterError):
        render(entry("{x} {y} {z}", "x", "y", "z"), values, {})
    empty = (value("x", "bash"), value("y", ""), value("z", "touch canary"))
    with pytest.raises(ParameterError):
        render(entry("{x}{y} -c {z}", "x", "y", "z"), empty, {})


def test_texts_replace_the_values_own() -> None:
    texts = {"x": "/abs/a b"}
    assert render(entry("t {x}", "x"), (value("x", "a b"),), texts) == "t '/abs/a b'"


def test_a_secrets_mask_stands_where_the_secret_did() -> None:
    secret = value("x", "hunter2", secret=True)
    assert render(entry('bash -c "t {x}"', "x"), (secret,), {"x": "***"}) == 'bash -c "t ***"'


def test_a_plain_command_never_loads_the_grammar() -> None:
    code = (
        "import sys; from tests.planning.making import entry, value;"
        "from mlproj.planning.command import render;"
        "render(entry('t {x}', 'x'), (value('x', '1'),), {}); sys.exit('tree_sitter' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0


@pytest.mark.parametrize("template", ["{a" * 300_000 + "}", "{" * 300_001 + "x}", "{a" * 300_000])
def test_braces_without_end_are_literal_and_take_no_time(template: str) -> None:
    found = "".join(piece for piece in pieces(template, {"a", "x"}, HERE) if isinstance(piece, str))
    assert len(found) >= 300_000 // 2


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{x} " * 250_000, "v" * 1000),
        ("echo {x}", "v" * 131_072),
        ("echo '{x}'", "'" * 40_000),
        ("{x:>999}" * 200, "v"),
    ],
)
def test_a_command_that_the_system_would_not_take_is_refused(template: str, text: str) -> None:
    with pytest.raises(ParameterError, match=r"and the system takes 131071 \(MLproject:7\)"):
        render(entry(template, "x"), (value("x", text),), {})


def test_the_longest_command_is_run(folder: Path) -> None:
    text = "v" * (131_071 - len("./dump "))
    assert run(folder, render(entry("./dump {x}", "x"), (value("x", text),), {})) == [text]


def test_a_stand_in_is_found_in_any_text() -> None:
    words = " ".join(("valuehere" + "q" * 30_000, *(f"valuehere{n}z" for n in range(500))))
    template = "./dump {x} " + words
    assert render(entry(template, "x"), (value("x", "a b"),), {}) == template.format(x="'a b'")
