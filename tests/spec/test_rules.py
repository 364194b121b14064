from __future__ import annotations

from pathlib import Path

import pytest

from mlproj.errors import SpecError, UsageError
from mlproj.model.rules import MetricRule, Reproduced, Rules
from mlproj.model.tolerance import Tolerance
from mlproj.spec.rules import read_file, read_rules

ALL = """rules:
  reproduced: {within: 30d, as: identical}
  source: clean
  inputs: declared
  attested: true
  metrics:
    rmse: {at_most: 0.8, better: lower, tolerance: 1%}
    r2: {at_least: 0.2}
"""


def test_every_rule_is_read(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(ALL)
    assert read_file(tmp_path, "rules.yaml") == Rules(
        reproduced=Reproduced(within=30 * 86400.0, grade="identical"),
        source_clean=True,
        inputs_declared=True,
        attested=True,
        metrics=(
            MetricRule(key="rmse", at_most=0.8, better="lower", tolerance=Tolerance(relative=0.01)),
            MetricRule(key="r2", at_least=0.2),
        ),
        text=ALL,
    )


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
        ("rules:\n  attested: perhaps\n", 2, "`attested` is true or false"),
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
