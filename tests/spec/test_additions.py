"""What mlproj reads beyond MLflow: inputs, outputs, metrics, timeouts, choices, secrets, descriptions."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlproj.errors import SpecError, UsageError
from mlproj.model.project import ParameterType
from mlproj.planning.entry import find_entry_point
from mlproj.planning.paths import fill
from mlproj.services.check import check
from mlproj.spec import read_project
from mlproj.spec.duration import seconds
from tests.spec.making import entry, parameter, refused


def test_an_entry_point_declares_inputs_outputs_and_metrics(tmp_path: Path) -> None:
    main, findings = entry(
        tmp_path,
        "description: fits\ninputs: [data, '{a}.csv']\noutputs: model.bin\nmetrics: [m.json]\n"
        "timeout: 5m\nparameters: {a: string}\ncommand: echo {a}",
    )
    assert main.inputs == ("data", "{a}.csv")
    assert main.outputs == ("model.bin",)
    assert (main.metrics, main.timeout, main.description) == (("m.json",), 300.0, "fits")
    assert findings == ()


@pytest.mark.parametrize(
    ("text", "expected"), [("90", 90), ("30s", 30), ("1.5", 1.5), ("5m", 300), ("2h", 7200), (" 1 d ", 86400)]
)
def test_a_length_of_time_has_a_unit_or_is_seconds(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "0", "-1", "5x", "nan", "inf", "1e3", "9" * 400, "soon"])
def test_what_is_no_length_of_time_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError):
        seconds(text)
    error = refused(
        tmp_path, {"MLproject": f"entry_points:\n  main:\n    timeout: '{text}'\n    command: a\n"}
    )
    assert error.message.endswith("(MLproject:3)")


def test_a_choice_names_its_choices(tmp_path: Path) -> None:
    found, findings = parameter(tmp_path, "a: {choices: [sgd, adam], default: adam}")
    assert (found.type, found.choices, findings) == (ParameterType.CHOICE, ("sgd", "adam"), ())
    text = "entry_points: {main: {parameters: {a: {type: choice}}, command: a}}"
    assert "names no `choices`" in refused(tmp_path, {"MLproject": text}).message


def test_a_secret_is_declared(tmp_path: Path) -> None:
    found, _ = parameter(tmp_path, "token: {secret: true, description: 'for the\n      hub'}")
    assert (found.secret, found.description) == (True, "for the hub")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a: {type: int, defulat: 1}", "did you mean `default`?"),
        ("a: {descripton: x}", "did you mean `description`?"),
        ("a: {'type:int': }", "write `type: int`, with a blank after the colon"),
        ("a: type:int", "write `type: int`, with a blank after the colon"),
    ],
)
def test_misspelt_keys_of_a_parameter_are_told(tmp_path: Path, text: str, hint: str) -> None:
    _, findings = parameter(tmp_path, text)
    assert [finding.hint for finding in findings] == [hint]


def test_a_command_keeps_its_lines(tmp_path: Path) -> None:
    main, _ = entry(tmp_path, 'command: |\n  python a.py \\\n    --b {b}\n  echo "c"\nparameters: {b: int}')
    assert main.command == 'python a.py \\\n  --b {b}\necho "c"\n'
    assert str(main.command_location) == "MLproject:3"


def test_an_entry_point_that_cannot_be_read_stops_only_whoever_wants_it(tmp_path: Path) -> None:
    (tmp_path / "MLproject").write_text(
        "entry_points:\n  main: {command: echo}\n  later: {parameters: {a: 5}, command: x}\n  other:\n"
    )
    project = read_project(tmp_path)
    assert find_entry_point(project, "main", lambda script: (tmp_path / script).is_file()).command == "echo"
    for name, place in (("later", "(MLproject:3)"), ("other", "(MLproject:4)")):
        with pytest.raises(SpecError) as raised:
            find_entry_point(project, name, lambda script: (tmp_path / script).is_file())
        assert raised.value.message.endswith(place)
    errors = [finding for finding in check(tmp_path) if finding.severity == "error"]
    assert [finding.location.line for finding in errors] == [3, 4]


@pytest.mark.parametrize(
    "path", [".git", ".git/config", "./.git", ".mlproj/store.db", "..", "../x", "/x", "."]
)
def test_an_output_lies_in_the_project_and_in_nobody_s_folder(tmp_path: Path, path: str) -> None:
    main, _ = entry(tmp_path, f"outputs: ['{path}']\ncommand: echo")
    with pytest.raises(SpecError, match="below the project's folder"):
        fill(main.outputs[0], (), main)


def test_an_output_may_be_a_model(tmp_path: Path) -> None:
    main, findings = entry(
        tmp_path,
        "outputs:\n- report.html\n- {path: '{name}.joblib', model: true}\n- {path: b, model: false}\n"
        "parameters: {name: string}\ncommand: echo {name}",
    )
    assert main.outputs == ("report.html", "{name}.joblib", "b")
    assert (main.models, findings) == (("{name}.joblib",), ())


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ("{model: true}", "has no `path`"),
        ("{path: a, model: maybe}", "must be true or false"),
        ("{path: [a]}", "must be a text"),
        ("[a]", "must be a path, or a mapping with one"),
        ("null", "must be a path, or a mapping with one"),
    ],
)
def test_an_output_that_names_nothing_is_refused(item: str, told: str, tmp_path: Path) -> None:
    text = f"entry_points:\n  main:\n    outputs: [a, {item}]\n    command: a\n"
    assert told in refused(tmp_path, {"MLproject": text}).message
