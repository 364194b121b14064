"""How long, how many and of which characters: MLflow's limits, and the sentences that tell of them."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Sequence

from mlproj.model.tracking import Batch, Dataset, Metric, Pairs
from mlproj.server.failures import Failure, invalid

BODY = 32 * 1024 * 1024
"""Bytes of a request that is no upload. MLflow documents 1e6 for a batch and does not hold anyone to it."""

METRICS_AT_ONCE = 1000
PARAMS_AT_ONCE = 100
ALL_AT_ONCE = 1000
KEY = 250
PARAM_VALUE = 6000
RUN_TAG_VALUE = 8000
EXPERIMENT_NAME = 500
EXPERIMENT_TAG_VALUE = 20_000
REGISTRY_TAG_VALUE = 100_000
ALIAS = 255
DATASET_NAME = 500
DATASET_DIGEST = 36
DATASET_SCHEMA = 1_048_575
DATASET_SOURCE = 65_535
DATASET_PROFILE = 16_777_215
INPUT_TAG_KEY = 255
INPUT_TAG_VALUE = 500
TRACE_TAG_VALUE = 8000
MODEL_HISTORY = 1_000_000
"""Of what one tag of a run tells of all its models, which each further one makes longer."""
PARTS_OF_UPLOAD = 10_000

_KEY = re.compile(r"[/\w.\- :]*")
_PLAIN_KEY = re.compile(r"\w[\w.\-]{0,249}")
_RUN_ID = re.compile(r"[a-zA-Z0-9][\w\-]{0,255}")
_ALIAS = re.compile(r"[\w\-]+")
_VERSION_ALIAS = re.compile(r"[vV]\d+")
_KEY_CHARACTERS = (
    "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) "
    "and slashes (/)."
)


def run_id(value: str) -> None:
    if _RUN_ID.fullmatch(value) is None:
        raise _refused("run_id", value)


def key(path: str, value: str, called: str | None = None) -> None:
    """A name of a metric, param or tag: `path` says where it stands in the request, `called` what it is."""
    if _PLAIN_KEY.fullmatch(value):
        return
    if _KEY.fullmatch(value) is None:
        raise _refused(path, value, _KEY_CHARACTERS)
    normal = posixpath.normpath(value)
    if normal != value or normal in (".", "..") or normal.startswith(("/", "../")):
        raise _refused(
            path,
            value,
            "Names may be treated as files in certain cases, and must not resolve to other names when "
            f"treated as such. This name would resolve to {normal!r}",
        )
    length(called or path, value, KEY)


def length(path: str, value: str, most: int) -> None:
    if len(value) > most:
        raise invalid(f"'{path}' exceeds the maximum length of {most} characters")


def batch(asked: Batch) -> Batch:
    """What may be logged at once; of params and tags that are too long the beginning, as MLflow does."""
    _few("metrics", len(asked.metrics), METRICS_AT_ONCE)
    _few("params", len(asked.params), PARAMS_AT_ONCE)
    _few("tags", len(asked.tags), PARAMS_AT_ONCE)
    _few("metrics, params, and tags", len(asked.metrics) + len(asked.params) + len(asked.tags), ALL_AT_ONCE)
    for index, point in enumerate(asked.metrics):
        metric(point, f"metrics[{index}].")
    return Batch(
        metrics=asked.metrics,
        params=cut_pairs("params", asked.params, PARAM_VALUE),
        tags=cut_pairs("tags", asked.tags, RUN_TAG_VALUE),
    )


def metric(point: Metric, path: str = "") -> None:
    key(f"{path}name", point.key, "Metric name")
    if point.timestamp < 0:
        raise _refused(
            f"{path}timestamp",
            point.timestamp,
            f"metric '{point.key}' (value={point.value}). "
            "Timestamp must be a nonnegative long (64-bit integer) ",
        )
    if bool(point.dataset_name) != bool(point.dataset_digest):
        raise invalid("Both dataset_name and dataset_digest must be provided if one is provided")


def cut_pairs(path: str, pairs: Pairs, most: int) -> Pairs:
    for index, (name, _) in enumerate(pairs):
        key(f"{path}[{index}].key", name)
    return tuple((name, value[:most]) for name, value in pairs)


def pairs(asked: Pairs, most: int) -> Pairs:
    """Tags that are refused where they are too long."""
    for name, value in asked:
        key("key", name)
        length("value", value, most)
    return asked


def experiment_id(value: str) -> str:
    if not re.fullmatch(r"[+-]?\d{1,18}", value, re.ASCII):
        raise invalid(f"Invalid experiment ID '{value}'. Experiment ID must be a valid integer.")
    return value


def experiment_name(value: str) -> None:
    length("name", value, EXPERIMENT_NAME)


def artifact_location(value: str | None) -> None:
    if value is not None and value.startswith("runs:"):
        raise invalid(f"Artifact location cannot be a runs:/ URI. Given: '{value}'")


def model_name(value: str) -> None:
    """The name of a registered model."""
    if not value.strip():
        raise invalid("Missing value for required parameter 'name'.")
    if "/" in value or ":" in value:
        raise invalid(f"Invalid model name '{value}'. Names cannot contain '/' or ':'.")
    if posixpath.normpath(value) != value or value in (".", ".."):
        raise _refused("name", value, f"This name would resolve to {posixpath.normpath(value)!r}")


def version(value: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,18}", value, re.ASCII):
        raise invalid(f"Parameter 'version' must be an integer, got '{value}'.")
    return int(value)


def alias(value: str) -> None:
    if _ALIAS.fullmatch(value) is None:
        raise invalid(
            f"Invalid alias name: '{value}'. "
            "Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )
    length("Registered model alias name", value, ALIAS)


def alias_to_set(value: str) -> None:
    alias(value)
    if value.lower() == "latest":
        raise invalid("'latest' alias name (case insensitive) is reserved.")
    if _VERSION_ALIAS.fullmatch(value):
        raise invalid(f"Version alias name '{value}' is reserved.")


def logged_model_name(value: str | None) -> None:
    bad = ("/", ":", ".", "%", '"', "'")
    if value is not None and any(character in value for character in bad):
        raise invalid(
            f"Invalid model name ({value!r}) provided. Model name must be a non-empty string and cannot "
            f"contain the following characters: {bad}"
        )


def dataset(asked: Dataset, tags: Pairs) -> None:
    length("name", asked.name, DATASET_NAME)
    length("digest", asked.digest, DATASET_DIGEST)
    length("source", asked.source, DATASET_SOURCE)
    length("schema", asked.schema or "", DATASET_SCHEMA)
    length("profile", asked.profile or "", DATASET_PROFILE)
    for name, value in tags:
        length("key", name, INPUT_TAG_KEY)
        length("value", value, INPUT_TAG_VALUE)


def results(value: int, most: int) -> int:
    """How much one page of a search may hold."""
    if value <= 0:
        raise invalid(
            f"Invalid value {value} for parameter 'max_results' supplied. It must be a positive integer"
        )
    if value > most:
        raise invalid(
            f"Invalid value {value} for parameter 'max_results' supplied. It must be at most {most}"
        )
    return value


def unique(keys: Sequence[str]) -> None:
    """Params of one request, each named once."""
    if len(set(keys)) != len(keys):
        twice = sorted({name for name in keys if keys.count(name) > 1})
        raise invalid(
            f"Duplicate parameter keys have been submitted: {twice}. Please ensure the request contains only "
            "one param value per param key."
        )


def _few(what: str, count: int, most: int) -> None:
    if count > most:
        raise invalid(
            f"A batch logging request can contain at most {most} {what}. Got {count} {what}. Please split up "
            f"{what} across multiple requests and try again."
        )


def _refused(path: str, value: str | int, why: str = "") -> Failure:
    shown = f"Invalid value {json.dumps(value)} for parameter '{path}' supplied"
    return invalid(f"{shown}: {why}" if why else f"{shown}.")
