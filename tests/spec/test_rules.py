from __future__ import annotations

from pathlib import Path

import pytest

from mlproj.errors import SpecError, UsageError
from mlproj.model.rules import MetricRule, Reproduced, Rules
from mlproj.model.tolerance import Tolerance
from mlproj.spec.rules import read_file, read_rules

KEY = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
OTHER = "MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw="
ALL = f"""rules:
  reproduced: {{within: 30d, as: identical}}
  source: clean
  inputs: declared
  attested: {{by: {KEY}}}
  metrics:
    rmse: {{at_most: 0.8, better: lower, tolerance: 1%}}
    r2: {{at_least: 0.2}}
"""


def test_every_rule_is_read(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(ALL)
    assert read_file(tmp_path, "rules.yaml", _no_keys) == Rules(
        reproduced=Reproduced(within=30 * 86400.0, grade="identical"),
        source_clean=True,
        inputs_declared=True,
        attested_by=(KEY,),
        metrics=(
            MetricRule(key="rmse", at_most=0.8, better="lower", tolerance=Tolerance(relative=0.01)),
            MetricRule(key="r2", at_least=0.2),
        ),
        text=ALL,
    )


def _no_keys(name: str) -> tuple[str, ...]:
    raise UsageError(f"the key `{name}` cannot be read")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("by: team.pub.pem", f"by: {KEY}"),
        ("by: [team.pub.pem, 'our keys'] # both", f"by: [{KEY}, {KEY} {OTHER}] # both"),
        (f"by:\n    - keys\n    - {OTHER}", f"by:\n    - {KEY} {OTHER}\n    - {OTHER}"),
    ],
)
def test_the_keys_in_files_are_put_in_their_place(tmp_path: Path, written: str, kept: str) -> None:
    files = {"team.pub.pem": (KEY,), "our keys": (KEY, OTHER), "keys": (KEY, OTHER)}
    form = "rules:\n  metrics: {{keys: {{at_least: 1}}}}\n  attested:\n    {}\n"
    (tmp_path / "rules.yaml").write_text(form.format(written))
    found = read_file(tmp_path, "rules.yaml", lambda name: files[name])
    assert found.text == form.format(kept)
    assert found.attested_by == ((KEY,) if "team" in written and "our" not in written else (KEY, OTHER))


def test_a_file_that_holds_no_key_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("rules:\n  attested:\n    by: team.pem\n")
    with pytest.raises(SpecError) as failed:
        read_file(tmp_path, "rules.yaml", _no_keys)
    assert failed.value.line == 3 and "the key `team.pem` cannot be read" in failed.value.sentence


def test_what_is_not_asked_for_is_no_rule() -> None:
    assert read_rules("rules: {attested: false, reproduced: false, metrics: {}}", "r") == Rules(
        text="rules: {attested: false, reproduced: false, metrics: {}}"
    )
    assert read_rules("rules: {reproduced: true}", "r").reproduced == Reproduced()


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("rules:\n  reproducd: true\n", 2, "`reproducd` is not a key of `rules`"),
        ("rules:\n  source: spotless\n", 2, "`spotless` is not a value of `source`"),
        ("rules:\n  attested: perhaps\n", 2, "`attested` has to name the keys that count"),
        ("rules:\n  attested: true\n", 2, "`attested` has to name the keys that count"),
        ("rules:\n  attested: {from: a}\n", 2, "`attested` has to name the keys that count"),
        ("rules:\n  attested:\n    by: []\n", 3, "`by` names no key"),
        ("rules:\n  attested:\n    by: [[a]]\n", 3, "`by` is a key or a list of keys, not a list"),
        ("rules:\n  attested:\n    by: team.pub.pem\n", 3, "`team.pub.pem` is no public key"),
        (f"rules:\n  attested:\n    by: {KEY[:-4]}\n", 3, "is no public key"),
        ("rules:\n  reproduced:\n    within: soon\n", 3, "`soon` is not a length of time"),
        ("rules:\n  reproduced:\n    as: close\n", 3, "`close` is not a value of `as`"),
        ("rules:\n  metrics:\n    rmse: {}\n", 3, "the metric `rmse` has no rule"),
        ("rules:\n  metrics:\n    rmse: {at_most: low}\n", 3, "`at_most` must be a number, and is `low`"),
        ("rules:\n  metrics:\n    rmse: {at_most: 1, tolerance: 1%}\n", 3, "is for holding a metric against"),
        ("rules:\n  metrics:\n    rmse: {better: lower, tolerance: x}\n", 3, "`x` is not a tolerance"),
        ("rules:\n  metrics: [rmse]\n", 2, "`metrics` must be a mapping, not a list"),
        ("rules: 7\n", 1, "`rules` must be a mapping"),
        ("rule: {}\n", 1, "holds no `rules`"),
        ("rules: {}\nmore: 1\n", 2, "`more` is not a key of the file"),
    ],
)
def test_what_is_misspelt_is_told_with_its_line(text: str, line: int, told: str) -> None:
    with pytest.raises(SpecError) as failed:
        read_rules(text, "rules.yaml")
    assert (failed.value.line, told in failed.value.sentence) == (line, True), failed.value.sentence


def test_an_empty_file_holds_no_rules() -> None:
    with pytest.raises(UsageError, match="holds no rules"):
        read_rules("", "rules.yaml")
