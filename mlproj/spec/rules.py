"""`rules:` in a YAML file: what has to hold of a version of a model that is put into Production.

rules:
  reproduced: {within: 30d, as: equivalent}
  source: clean
  inputs: declared
  attested: {by: team.pub.pem}
  metrics:
    rmse: {at_most: 0.8, better: lower, tolerance: 1%}
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mlproj.errors import UsageError, did_you_mean
from mlproj.model.project import Finding
from mlproj.model.rules import MetricRule, Reproduced, Rules
from mlproj.model.tolerance import EXACT, read_tolerance
from mlproj.spec import text as files
from mlproj.spec.documents import Entry, Node, Scalar, Table, failure, is_null, parse
from mlproj.spec.duration import seconds
from mlproj.spec.fields import kind
from mlproj.spec.rule_keys import KeysOf, attesting, with_keys

Value = TypeVar("Value")

KEYS = ("reproduced", "source", "inputs", "attested", "metrics")
_REPRODUCED = ("within", "as")
_GRADES = ("identical", "equivalent")
_METRIC = ("at_least", "at_most", "better", "tolerance")
_BETTER = ("higher", "lower")


def read_file(directory: Path, file: str, keys_of: KeysOf) -> Rules:
    """The rules in `file`, relative to `directory`, with the keys themselves for the files of keys that it
    names. Raises SpecError with the line."""
    text = files.read(directory, file)
    return read_rules(with_keys(text, _rules(text, file).find("attested"), keys_of), file)


def read_rules(text: str, file: str) -> Rules:
    """The rules in a text; `file` is what it is called in an error. Raises SpecError."""
    table = _rules(text, file)
    return Rules(
        reproduced=_reproduced(table.find("reproduced")),
        source_clean=_word(table, "source", "clean"),
        inputs_declared=_word(table, "inputs", "declared"),
        attested_by=attesting(table.find("attested")),
        metrics=_metrics(table.find("metrics")),
        text=text,
    )


def _rules(text: str, file: str) -> Table:
    findings: list[Finding] = []
    root = parse(text, file, findings)
    entry = root.find("rules") if isinstance(root, Table) else None
    if not isinstance(root, Table) or entry is None:
        location = None if root is None else root.location
        hint = "begin with `rules:`, and a rule such as `source: clean` below it"
        if location is None:
            raise UsageError(f"`{file}` holds no rules", hint=hint)
        raise failure(f"`{file}` holds no `rules`", location, hint)
    _known(root, ("rules",), "the file")
    table = _table(entry, "rules")
    _known(table, KEYS, "`rules`")
    return table


def _reproduced(entry: Entry | None) -> Reproduced | None:
    if entry is None or is_null(entry.value):
        return None
    if isinstance(entry.value, Scalar):
        return Reproduced() if _truth(entry, "reproduced") else None
    table = _table(entry, "reproduced")
    _known(table, _REPRODUCED, "`reproduced`")
    grade = _choice(table, "as", _GRADES)
    within = _scalar(table, "within")
    return Reproduced(
        within=None if within is None else _read(seconds, within),
        grade=grade or Reproduced().grade,
    )


def _metrics(entry: Entry | None) -> tuple[MetricRule, ...]:
    if entry is None or is_null(entry.value):
        return ()
    return tuple(_metric(each) for each in _table(entry, "metrics").entries)


def _metric(entry: Entry) -> MetricRule:
    table = _table(entry, f"metrics.{entry.key}")
    _known(table, _METRIC, f"the metric `{entry.key}`")
    tolerance = _scalar(table, "tolerance")
    rule = MetricRule(
        key=entry.key,
        at_least=_number(table, "at_least"),
        at_most=_number(table, "at_most"),
        better=_choice(table, "better", _BETTER),
        tolerance=EXACT if tolerance is None else _read(read_tolerance, tolerance),
    )
    if (rule.at_least, rule.at_most, rule.better) == (None, None, None):
        hint = "`at_least: 0.9`, `at_most: 0.2`, or `better: lower` to hold it against the one in Production"
        raise failure(f"the metric `{entry.key}` has no rule", entry.location, hint)
    if rule.better is None and tolerance is not None:
        hint = "say which is better: `better: lower` or `better: higher`"
        raise failure(
            "`tolerance` is for holding a metric against the one in Production", entry.location, hint
        )
    return rule


def _table(entry: Entry, name: str) -> Table:
    if not isinstance(entry.value, Table):
        raise failure(f"`{name}` must be a mapping, not {kind(entry.value)}", entry.location)
    return entry.value


def _known(table: Table, keys: tuple[str, ...], where: str) -> None:
    """A rule that is misspelt must not be taken for none."""
    for entry in table.entries:
        if entry.key not in keys:
            hint = did_you_mean(entry.key, keys) or f"its keys are {', '.join(f'`{key}`' for key in keys)}"
            raise failure(f"`{entry.key}` is not a key of {where}", entry.location, hint)


def _scalar(table: Table, key: str) -> Scalar | None:
    entry = table.find(key)
    if entry is None or is_null(entry.value):
        return None
    if not isinstance(entry.value, Scalar):
        raise failure(f"`{key}` must be a single value, not {kind(entry.value)}", entry.location)
    return entry.value


def _choice(table: Table, key: str, choices: tuple[str, ...]) -> str | None:
    value = _scalar(table, key)
    if value is not None and value.text not in choices:
        hint = f"write {' or '.join(f'`{choice}`' for choice in choices)}"
        raise failure(f"`{value.text}` is not a value of `{key}`", value.location, hint)
    return None if value is None else value.text


def _word(table: Table, key: str, word: str) -> bool:
    return _choice(table, key, (word,)) is not None


def _truth(entry: Entry | None, name: str) -> bool:
    node: Node | None = None if entry is None else entry.value
    if entry is None or is_null(node):
        return False
    if not isinstance(node, Scalar) or node.kind != "bool":
        raise failure(f"`{name}` is true or false", entry.location)
    return node.text.lower() in ("true", "yes", "on")


def _number(table: Table, key: str) -> float | None:
    value = _scalar(table, key)
    try:
        return None if value is None else float(value.text)
    except ValueError as error:
        assert value is not None
        raise failure(f"`{key}` must be a number, and is `{value.text}`", value.location) from error


def _read(reader: Callable[[str], Value], value: Scalar) -> Value:
    try:
        return reader(value.text)
    except UsageError as error:
        raise failure(error.message, value.location, error.hint) from error
