"""Conditions on runs as people write them, MLflow's way included: `metrics.rmse < 0.5`."""

from __future__ import annotations

import re

from mlproj.errors import UsageError
from mlproj.model.encoding import is_text
from mlproj.store_ports import Condition

_OPERATOR = re.compile(r"<=|>=|!=|==|=|<|>|~|!")
_PREFIXES = {
    "metric": "metrics",
    "param": "params",
    "parameter": "params",
    "parameters": "params",
    "tag": "tags",
}
_ATTRIBUTE_PREFIXES = ("attribute", "attributes", "attr", "run")
_ATTRIBUTE_NAMES = {"run_name": "name", "user_id": "user", "start_time": "started", "end_time": "ended"}


def parse_condition(text: str) -> Condition:
    """The comparison that `metrics.rmse < 0.5` means. A bare key is an attribute of the run; the key may
    stand in backticks or double quotes, the value in quotes of either kind. MLflow's prefixes and names
    (`attributes.`, `param.`, `run_name`) are understood. Raises UsageError.
    """
    if not is_text(text):
        raise UsageError("a condition holds bytes that are no text in UTF-8, which no record holds")
    match = _OPERATOR.search(text)
    field = "" if match is None else text[: match.start()].strip()
    if match is None or match[0] == "!" or not field:
        raise UsageError(
            f"`{text}` is not a condition", hint="write one such as `metrics.rmse < 0.5` or `status = FAILED`"
        )
    operator = "=" if match[0] == "==" else match[0]
    value = text[match.end() :].strip()
    return Condition(field=_field(field), operator=operator, value=_unquoted(value, "'\""))


def _field(text: str) -> str:
    kind, dot, key = text.partition(".")
    if dot and kind in _ATTRIBUTE_PREFIXES:
        kind, dot, key = key, "", ""
    if dot:
        return f"{_PREFIXES.get(kind, kind)}.{_unquoted(key, '`' + chr(34))}"
    name = _unquoted(kind, "`" + chr(34))
    return _ATTRIBUTE_NAMES.get(name, name)


def _unquoted(text: str, marks: str) -> str:
    quoted = len(text) >= 2 and text[0] in marks and text[-1] == text[0]
    return text[1:-1] if quoted else text
