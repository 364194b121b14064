"""YAML by value; and an MLmodel, MLflow's description of a model, without what each saving gives anew."""

from __future__ import annotations

import re
from typing import Any

import yaml

from mlproj.compare.contents.documents import compare_values
from mlproj.compare.judgement import Judgement, Tally
from mlproj.model.tolerance import Tolerance

_ANCHOR = re.compile(rb"(?:^|[\s\[{,:-])[&*][^\s,\]}]")
"""A document that refers to itself may be endlessly large once it is read."""
_LARGEST = 4 * 1024 * 1024
"""Bytes of a document that is read: each takes its time."""
_OF_ONE_SAVING = frozenset(("artifact_path", "model_id", "model_uuid", "run_id", "utc_time_created"))
"""Keys of an MLmodel that say which run saved it, when, and as what."""


def compare_yaml(expected: bytes, found: bytes, tolerance: Tolerance) -> Judgement | None:
    """None where one of the two is no YAML, or one with anchors."""
    pair = _values(expected), _values(found)
    if None in pair:
        return None
    tally = Tally(tolerance=tolerance, unit="value")
    compare_values(*pair, tally)
    return tally.judgement("YAML", "the same values, written differently")


def compare_mlmodel(expected: bytes, found: bytes, tolerance: Tolerance) -> Judgement | None:
    """None where one of the two is no mapping in YAML."""
    before, after = _values(expected), _values(found)
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return None
    tally = Tally(tolerance=tolerance, unit="value")
    compare_values(_lasting(before), _lasting(after), tally)
    return tally.judgement("MLmodel", "it differs only in which run saved it, when and as what")


def _values(content: bytes) -> Any:
    if len(content) > _LARGEST or _ANCHOR.search(content) is not None:
        return None
    try:
        return yaml.load(content, yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def _lasting(document: dict[Any, Any]) -> dict[Any, Any]:
    return {key: value for key, value in document.items() if key not in _OF_ONE_SAVING}
