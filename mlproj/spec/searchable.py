"""What each kind of thing is searched and sorted by: MLflow's names, and the other names that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import msgspec

from mlproj.errors import UsageError, did_you_mean
from mlproj.model.search import Key, Kind


class Subject(str, Enum):
    """What is searched for."""

    RUNS = "runs"
    EXPERIMENTS = "experiments"
    REGISTERED_MODELS = "registered models"
    MODEL_VERSIONS = "model versions"
    LOGGED_MODELS = "logged models"
    TRACES = "traces"


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of one subject: attributes that are text and numbers, their other names, and further kinds."""

    subject: Subject
    texts: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    aliases: Mapping[str, Key] = {}
    kinds: frozenset[Kind] = frozenset()

    def is_number(self, key: Key) -> bool:
        return key.kind is Kind.METRIC or (key.kind is Kind.ATTRIBUTE and key.name in self.numbers)

    def key(self, prefix: str | None, name: str) -> Key:
        """The key that `prefix.name` stands for. Raises UsageError for one that this subject has not."""
        kind = Kind.ATTRIBUTE if prefix is None else _PREFIXES.get(prefix.lower())
        if kind is None or (kind not in self.kinds and kind is not Kind.ATTRIBUTE):
            raise UsageError(
                f"{self.subject.value} have no `{prefix}`",
                hint=did_you_mean(prefix or "", self._prefixes()) or self._all(),
            )
        if kind is Kind.ATTRIBUTE:
            return self._attribute(name)
        if kind is Kind.DATASET and name not in _OF_DATASETS:
            raise UsageError(
                f"datasets have no `{name}`",
                hint=did_you_mean(name, _OF_DATASETS) or f"they have {_listed(_OF_DATASETS)}",
            )
        return Key(kind=kind, name=name)

    def _attribute(self, name: str) -> Key:
        if name in self.aliases:
            return self.aliases[name]
        if name not in (*self.texts, *self.numbers):
            known = (*self.texts, *self.numbers, *self.aliases)
            raise UsageError(
                f"{self.subject.value} have no attribute `{name}`",
                hint=did_you_mean(name, known) or self._all(),
            )
        return Key(kind=Kind.ATTRIBUTE, name=name)

    def _prefixes(self) -> tuple[str, ...]:
        return tuple(p for p, kind in _PREFIXES.items() if kind is Kind.ATTRIBUTE or kind in self.kinds)

    def _all(self) -> str:
        plurals = (prefix for prefix in self._prefixes() if prefix in _PLURALS)
        return f"keys are {_listed((*self.texts, *self.numbers, *(f'{p}.<key>' for p in plurals)))}"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _also(**names: str) -> dict[str, Key]:
    return {other: Key(kind=Kind.ATTRIBUTE, name=name) for other, name in names.items()}


_PREFIXES = {
    **dict.fromkeys(("metrics", "metric"), Kind.METRIC),
    **dict.fromkeys(("params", "param", "parameters", "parameter"), Kind.PARAM),
    **dict.fromkeys(("tags", "tag"), Kind.TAG),
    **dict.fromkeys(("datasets", "dataset"), Kind.DATASET),
    **dict.fromkeys(("metadata", "request_metadata"), Kind.METADATA),
    **dict.fromkeys(("attributes", "attribute", "attr", "run", "trace"), Kind.ATTRIBUTE),
}
_PLURALS = ("metrics", "params", "tags", "datasets", "metadata")
_OF_DATASETS = ("name", "digest", "context")

_UPDATED = _also(timestamp="last_updated_timestamp")
_RUN_NAMES = dict.fromkeys(("run name", "Run name", "Run Name"), Key(kind=Kind.ATTRIBUTE, name="run_name"))

VOCABULARIES = {
    vocabulary.subject: vocabulary
    for vocabulary in (
        Vocabulary(
            subject=Subject.RUNS,
            texts=("run_id", "run_name", "status", "user_id", "artifact_uri"),
            numbers=("start_time", "end_time"),
            aliases={**_also(created="start_time", Created="start_time", run_uuid="run_id"), **_RUN_NAMES},
            kinds=frozenset((Kind.METRIC, Kind.PARAM, Kind.TAG, Kind.DATASET)),
        ),
        Vocabulary(
            subject=Subject.EXPERIMENTS,
            texts=("name", "experiment_id"),
            numbers=("creation_time", "last_update_time"),
            kinds=frozenset((Kind.TAG,)),
        ),
        Vocabulary(
            subject=Subject.REGISTERED_MODELS,
            texts=("name",),
            numbers=("creation_timestamp", "last_updated_timestamp"),
            aliases=_UPDATED,
            kinds=frozenset((Kind.TAG,)),
        ),
        Vocabulary(
            subject=Subject.MODEL_VERSIONS,
            texts=("name", "run_id", "source_path", "current_stage", "model_id"),
            numbers=("version_number", "creation_timestamp", "last_updated_timestamp"),
            aliases={
                **_also(version="version_number", source="source_path", stage="current_stage"),
                **_UPDATED,
            },
            kinds=frozenset((Kind.TAG,)),
        ),
        Vocabulary(
            subject=Subject.LOGGED_MODELS,
            texts=("name", "model_id", "model_type", "status", "source_run_id"),
            numbers=("creation_timestamp", "last_updated_timestamp"),
            aliases=_also(
                creation_time="creation_timestamp",
                creation_timestamp_ms="creation_timestamp",
                last_updated_time="last_updated_timestamp",
                last_updated_timestamp_ms="last_updated_timestamp",
            ),
            kinds=frozenset((Kind.METRIC, Kind.PARAM, Kind.TAG)),
        ),
        Vocabulary(
            subject=Subject.TRACES,
            texts=("request_id", "experiment_id", "status"),
            numbers=("timestamp_ms", "execution_time_ms", "end_time_ms"),
            aliases={
                **_also(
                    trace_id="request_id",
                    state="status",
                    timestamp="timestamp_ms",
                    execution_time="execution_time_ms",
                    end_time="end_time_ms",
                ),
                "name": Key(kind=Kind.TAG, name="mlflow.traceName"),
                "prompt": Key(kind=Kind.TAG, name="mlflow.linkedPrompts"),
                "run_id": Key(kind=Kind.METADATA, name="mlflow.sourceRun"),
                "client_request_id": Key(kind=Kind.METADATA, name="client_request_id"),
            },
            kinds=frozenset((Kind.TAG, Kind.METADATA)),
        ),
    )
}
