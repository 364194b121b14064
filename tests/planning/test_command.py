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
from tests.planning.making import entry, value

NASTY = (
    "",
    " ",
    "two words",
    "it's",
    'say "hi"',
    "$HOME",
    "${HOME}",
    "$(touch canary)",
    "`touch canary`",
    "; touch canary",
    "\ntouch canary\n",
    "'; touch canary; '",
    '"; touch canary; "',
    "' \"; touch canary; \" '",
    "'\"'\"'; touch canary #",
    ") ; touch canary; (",
    "$(touch canary)'$(touch canary)\"$(touch canary)",
    "a[$(touch canary)]",
    "a[$(touch canary)]=1",
    "\\",
    "\\\\",
    "ends in \\",
    "\\'",
    '\\"',
    "\\$(touch canary)",
    "\\`touch canary\\`",
    "a\nb\n",
    "tab\there",
    "ünïcödé 漢字 🚀",
    "{x}",
    "{{x}}",
    "{}",
    "-rf",
    "--flag=a b",
    "~",
    "~root",
    "*",
    "?[a-z]*",
    "!",
    "!!",
    "#not a comment",
    "a & touch canary",
    "a | touch canary",
    "> canary",
    "<(touch canary)",
    "%s%n",
    "=",
    "touch canary",
    "EOF\ntouch canary",
    "a b; }; touch canary; {",
    ";; esac; touch canary; case a in a",
    "\x01\x7f",
    "\r",
)

PLAIN = ("", "-rf", "=", "%s%n")
"""Those of them without shell characters."""

SAFE = (
    "./dump {x}",
    "./dump '{x}'",
    './dump "{x}"',
    "./dump    {x}  ",
    "./dump \\\n  {x}\n",
    "./dump \\\n  {x} \\\n",
    "./dump \\\n  '{x}' \\\n\\\n\n",
    "./dump {x!s}",
    './dump "{x:s}"',
    'true && ./dump "{x}" || exit 3',
    "true; ./dump {x}; true",
    "if true; then ./dump '{x}'; fi",
    'for i in {x}; do ./dump "$i"; done',
    "while true; do ./dump {x}; break; done",
    "(./dump {x})",
    "{{ ./dump {x}; }}",
    'f() {{ ./dump "{x}"; }}; f',
    "case a in a) ./dump {x};; esac",
    "VAR={x} bash ./show",
    'VAR="{x}" bash ./show',
    "export VAR='{x}' && bash ./show",
    'VAR={x}; ./dump "$VAR"',
    "true $(./dump {x})",
    "true $(./dump '{x}')",
    'true $(./dump "{x}")',
    'true "$(./dump {x})"',
    "true \"$(./dump '{x}')\"",
    'true "$(./dump "{x}")"',
    'true "a $(true "$(./dump "{x}")" b) c"',
    "true \"$(true '.' $(true \"$(./dump '{x}')\"))\"",
    'true "$(case a in a) ./dump "{x}";; esac)"',
    "./dump {x} | cat",
    "./dump {x} > /dev/null 2>&1",
    "! ./dump {x}",
    "./dump {x} # isn't this \"nice",
    'echo "it\'s"; ./dump {x}',
    "echo '\"'; ./dump '{x}'",
    "timeout 5 ./dump {x}",
    "env A=1 ./dump {x}",
    "bash ./dump {x}",
    "set -eu; ./dump {x}",
    "time ./dump {x}",
    "exec ./dump {x}",
    "[ a = a ] && ./dump {x}",
    '"${{SHELL:-bash}}" ./dump {x}',
    "echo `true`; ./dump {x}",
    "cd . && ./dump '{x}'",
)

UNSAFE = (
    'bash -c "./dump {x}"',
    "bash -c './dump {x}'",
    "bash -c \"./dump '{x}'\"",
    "bash -c './dump \"{x}\"'",
    "bash -c {x}",
    "bash -ec {x}",
    "bash -o pipefail -c {x}",
    "/bin/sh -c \"./dump '{x}'\"",
    "\"bash\" -c './dump {x}'",
    "b\\ash -c './dump {x}'",
    'sh -lc "{x}"',
    'env bash -c "./dump {x}"',
    'env A=1 bash -c "{x}"',
    'env -S "bash -c {x}"',
    "env {x}",
    "env -i {x}",
    'timeout 5 sh -c "./dump {x}"',
    'nohup sh -c "./dump {x}"',
    "echo a | xargs -I% sh -c './dump {x}'",
    'find dump -exec sh -c "./dump {x}" \\;',
    'command eval "./dump {x}"',
    "builtin eval {x}",
    "exec bash -c {x}",
    "./dump {x} | bash",
    "echo {x} | bash",
    "echo {x} | sh -s",
    "echo {x} | cat | bash -",
    "echo {x} | env bash",
    "echo {x} |& bash",
    "echo {x} | (bash)",
    "echo {x} | {{ bash; }}",
    'echo {x} | while read -r l; do eval "$l"; done',
    "echo {x} | source /dev/stdin",
    "echo {x} | . /dev/stdin",
    "echo {x} | bash /dev/stdin",
    "echo {x} | xargs env",
    "echo {x} | $BASH",
    'echo {x} | "$BASH"',
    "bash <<< {x}",
    'bash <<< "{x}"',
    "bash -s <<< '{x}'",
    "source /dev/stdin <<< {x}",
    "bash <(echo {x})",
    "source <(echo {x})",
    "echo {x} > >(bash)",
    "echo {x} | tee >(bash)",
    "cat <<EOF\n{x}\nEOF",
    "cat <<'EOF'\n{x}\nEOF",
    "bash <<EOF\n./dump '{x}'\nEOF",
    "cat <<EOF\n$(./dump {x})\nEOF",
    "true `./dump {x}`",
    "true `./dump '{x}'`",
    'true "`./dump {x}`"',
    "eval ./dump {x}",
    'eval "./dump {x}"',
    "eval './dump {x}'",
    "let a={x}",
    "trap {x} EXIT",
    "trap '{x}' EXIT",
    "alias a={x}",
    'V={x}; read "$V" <<< a',
    'V={x}; declare "$V"',
    'V={x}; mapfile -C "$V" -c 1 a < dump',
    "echo {x} | mapfile -C eval -c 1 a",
    "V={x}; read 'a[V]' <<< 1",
    "V={x}; ((V))",
    "V={x}; a=([$V]=1)",
    'V={x}; PS4="$V"; set -x; true',
    "for PS4 in {x}; do set -x; true; done",
    "read PS4 <<< {x}; set -x; true",
    "echo {x} | {{ read PS4; set -x; true; }}",
    "V={x}; : ${{PS4:=$V}}; set -x; true",
    "V={x}; /usr/bin/env $V",
    "V={x}; setarch x86_64 $V",
    '(( "{x}" ))',
    "(( '{x}' ))",
    'if (( 1 && "{x}" )); then true; fi',
    "./dump >& {x}",
    "./dump <& '{x}'",
    "[[ {x} == a ]]",
    "[[ {x} -eq 1 ]]",
    "[[ -v {x} ]]",
    "[ -v {x} ]",
    "test -v {x}",
    "printf -v {x} a",
    "read {x} <<< a",
    "unset {x}",
    "declare {x}",
    "declare -i a={x}",
    "export {x}",
    "mapfile -C {x} -c 1 a < dump",
    "(( {x} ))",
    "(( a = {x} ))",
    "echo $(( {x} ))",
    "echo $((1 + {x}))",
    "a[{x}]=1",
    "a=([{x}]=1)",
    "echo ${{a[{x}]}}",
    "echo ${{a:-{x}}}",
    'echo "${{a:-{x}}}"',
    "echo $'{x}'",
    'echo $"{x}"',
    "echo ${x}",
    'echo "${x}"',
    "echo $${x}",
    "./dump \\{x}",
    './dump "\\{x}"',
    "# {x}",
    "./dump a # {x}",
    "$(echo {x})",
    "$(echo {x}) a",
    "`echo {x}`",
    "env $(echo {x})",
    "V={x}; $V",
    "V={x}; eval $V",
    'V={x}; eval "$V"',
    'V={x}; bash -c "$V"',
    'V={x}; bash -c "echo $V"',
    'export V={x}; sh -c "echo $V"',
    "V={x}; echo $((V))",
    "V={x}; [[ $V -eq 1 ]]",
    "V={x}; echo ${{V@P}}",
    "V={x}; env $V",
    "V={x}; declare -i N; N=$V",
    "declare -i N; N={x}",
    "for c in {x}; do $c; done",
    'for c in {x}; do eval "$c"; done',
    'f() {{ eval "$1"; }}; f {x}',
    'set -- {x}; eval "$1"',
    'true {x}; eval "$_"',
    "echo {x} > made.sh; bash made.sh",
    "echo {x} > made.sh; . ./made.sh",
    "echo {x} | tee made.sh > /dev/null; sh ./made.sh",
    "echo {x} > made; chmod +x made; ./made",
    "echo {x} > made; mv made other; bash other",
    "exec > made.sh; echo {x}; bash made.sh",
    "f() {{ echo {x}; }} > made.sh; f; bash made.sh",
    "f() {{ echo {x}; }}; f > made.sh; bash made.sh",
    "f() {{ echo {x}; }}; f | tee made.sh; bash made.sh",
    'B="bash -c"; $B {x}',
    'B=(bash -c); "${{B[@]}}" {x}',
    "B=bash; C=-c; $B $C {x}",
    'e() {{ [ -v "$1" ]; }}; e {x}',
    "dd of=made.sh <<< {x}; bash made.sh",
    "{{ dd of=made.sh; }} <<< {x}; bash made.sh",
    "install -m 755 /dev/stdin made <<< {x}; ./made",
    "cp dump made.sh; sed -i 's/seen/{x}/' made.sh; bash made.sh",
    "make -f made X={x}",
    "coproc {x}",
    "PS4={x}; set -x; true",
    "PS4={x} bash -x ./dump a",
    "BASH_ENV={x} bash ./dump a",
    "PROMPT_COMMAND={x}; true",
    "case a in {x}) ./dump a;; esac",
    "echo '{x}",
    'echo "{x}',
    "echo $(echo {x}",
    "if {x}",
    "su -c {x}",
    "script -c {x} /dev/null",
    "watch {x}",
    "ssh nowhere {x}",
    "sudo -s {x}",
    "flock made -c {x}",
    "diff <(echo {x}) dump",
    "./dump {x!r}",
    "./dump {x:>30}",
)


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
