"""Bounds and decoding of the author's files, and the promise that nothing but an error of ours comes out."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mlproj.errors import MlprojError, SpecError
from mlproj.model.project import Finding, Project
from mlproj.spec import environment_for, read_project
from mlproj.spec.documents import Table, parse, printed
from tests.spec.making import MAIN, project, refused

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

NESTED = "a0: &a0 1\n" + "".join(f"a{n}: &a{n} {'[' * 20}*a{n - 1}{']' * 20}\n" for n in range(1, 60))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (LAUGHS, "too large with its aliases written out"),
        ("[" * 100 + "]" * 100, "more than 64 levels deep"),
        ("[" * 100_000, "levels deep"),
        ("a: [" + "b," * 60_000 + "]", "too large"),
        ("a" * 1024 * 1024 + "a", "larger than 1024 KiB"),
        ("a: &a b\nc: [" + "*a," * 2000 + "]", "more than 1000 aliases"),
        (NESTED, "more than 64 levels deep"),
        ("".join(f"%TAG !a{n}! x\n" for n in range(50_000)) + "--- a\n", "lines that begin with `%`"),
        ("name: 0x" + "f" * 5000, "is too long for a number (MLproject:1)"),
        ("name: 1" + ":1" * 300_000, "is too long for a number (MLproject:1)"),
        ("name: !!timestamp today", "`today` is not a valid timestamp in YAML (MLproject:1)"),
        ('name: !!int ""', "`` is not a valid int in YAML (MLproject:1)"),
        ("name: !!bool maybe", "`maybe` is not a valid bool in YAML (MLproject:1)"),
        ("# c\n" * 250_000 + "a: [@]", "is not valid YAML"),
        (f"a: &a '{'x' * 500_000}'\nb: [{','.join(['*a'] * 900)}]", "too large"),
        (b"name: \xff\n", "`MLproject` is not UTF-8 text (MLproject:1)"),
        (b"a: 1\nname: x\0y\n", "is not valid YAML"),
        ('name: "a\\0b"\n', "a character that no file name or argument can hold"),
    ],
)
def test_what_goes_over_the_bounds_is_refused(tmp_path: Path, content: str | bytes, said: str) -> None:
    assert said in refused(tmp_path, {"MLproject": content}).message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_marks_and_line_ends_of_other_systems_are_understood(tmp_path: Path, encoding: str) -> None:
    text = "name: Größe 漢\r\n" + MAIN.replace("\n", "\r\n")
    found = project(tmp_path, {"MLproject": text.encode(encoding)})
    assert found.name == "Größe 漢"
    assert found.entry_points[0].location.line == 3
    assert found.findings == ()


def test_utf_32_of_other_machines_is_understood(tmp_path: Path) -> None:
    text = f"\ufeffname: é\n{MAIN}"
    assert project(tmp_path, {"MLproject": text.encode("utf-32-be")}).name == "é"


def test_a_key_given_twice_is_told_and_the_last_one_counts(tmp_path: Path) -> None:
    found = project(tmp_path, {"MLproject": "name: a\nname: b\n" + MAIN})
    assert found.name == "b"
    assert (str(found.findings[0].location), "twice" in found.findings[0].message) == ("MLproject:2", True)


def test_merged_mappings_give_way_to_the_keys_beside_them() -> None:
    root = parse("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n", "f", [])
    assert isinstance(root, Table)
    merged = root.find("b")
    assert merged is not None and isinstance(merged.value, Table)
    assert {entry.key: printed(entry.value) for entry in merged.value.entries} == {"x": "1", "y": "3"}


@pytest.mark.parametrize(("text", "value"), [("<<: [{a: 1}, {a: 2}]", "1"), ("<<: {a: 1}\n<<: {a: 2}", "2")])
def test_among_merged_mappings_a_lists_first_and_the_last_key_count(text: str, value: str) -> None:
    root = parse(text, "f", [])
    assert isinstance(root, Table)
    assert [(entry.key, printed(entry.value)) for entry in root.entries] == [("a", value)]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a:\n\tb: c\n", "indent with blanks, not with tabs"),
        ("a: {b: @c}\n", "quote a text that begins with `@`"),
        ("é: `b`\n", "quote a text that begins with ```"),
        ("a: b: c\n", "quote a text that holds a colon and a blank"),
        ("a: [\n", None),
    ],
)
def test_what_is_not_yaml_comes_with_what_to_do(text: str, hint: str | None) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text, "f", [])
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("{type:int, default:[1]}", {"type:int": "None", "default": "[1]"}),
        ("{type: string, default:}", {"type": "string", "default": "None"}),
        ("{type: int, default:'x'}", {"type": "int", "default:'x'": "None"}),
        ("{a: 1, a: 2, b:}", {"a": "2", "b": "None"}),
    ],
)
def test_what_libyaml_refuses_and_mlflow_reads_is_read(text: str, read: dict[str, str]) -> None:
    findings: list[Finding] = []
    root = parse(text, "f", findings)
    assert isinstance(root, Table)
    assert {entry.key: printed(entry.value) for entry in root.entries} == read
    assert len(findings) == text.count("a: 2")


def test_a_folder_or_a_pipe_in_the_files_place_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "MLproject")
    assert "is not a regular file" in refused(tmp_path, {}).message
    (tmp_path / "MLproject").unlink()
    (tmp_path / "MLproject").mkdir()
    assert "is not a regular file" in refused(tmp_path, {}).message


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.dates(),
    st.binary(max_size=4),
)
NAMED = (
    *("name", "python_env", "conda_env", "docker_env", "parameters", "command", "type", "default", "inputs"),
    *("timeout", "choices", "secret", "python", "dependencies", "build_dependencies", "channels", "pip"),
    *("image", "volumes", "environment", "description", "outputs", "metrics"),
    *("dockerfile", "context", "build", "args"),
)
KEYS = st.one_of(
    st.sampled_from((*NAMED, "entry_points", "main")),
    st.text(max_size=4),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=20,
)
NAMES = st.sampled_from(["MLproject", "python_env.yaml", "conda.yaml", "requirements.txt", "pyproject.toml"])
CONTENT = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")),
    TREES.map(lambda tree: yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass")),
    st.lists(st.sampled_from(["-r ", "-c", "a.txt", "\\\n", "#", "\n", " ", "==", "${A}", "http://h/"])).map(
        lambda parts: "".join(parts).encode()
    ),
)


@settings(max_examples=300, deadline=None)
@given(files=st.dictionaries(NAMES, CONTENT, max_size=3), manager=st.sampled_from([None, "uv", "conda"]))
def test_whatever_the_files_hold_it_is_a_project_or_an_error_of_ours(
    files: dict[str, bytes], manager: str | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in {"uv.lock": b"", **files}.items():
            Path(folder, name).write_bytes(content)
        try:
            found = read_project(Path(folder))
            assert isinstance(found, Project)
            environment_for(found, Path(folder), manager)
        except MlprojError as error:
            assert error.message


@settings(max_examples=300, deadline=None)
@given(tree=TREES)
def test_values_are_printed_as_mlflow_prints_them(tree: object) -> None:
    text = yaml.safe_dump(tree, allow_unicode=True)
    try:
        root = parse(text, "f", [])
    except MlprojError:
        return
    if root is not None and not isinstance(tree, dict):
        assert printed(root) == str(_with_text_keys(yaml.safe_load(text)))


def _with_text_keys(tree: object) -> object:
    if isinstance(tree, dict):
        return {str(key): _with_text_keys(value) for key, value in tree.items()}
    return [_with_text_keys(item) for item in tree] if isinstance(tree, list) else tree
