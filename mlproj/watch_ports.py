"""The seam of a watch, beside those of a run in `ports`: the registry that the models of its runs go to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from mlproj.model.registry import RecordedChange, Stage
from mlproj.model.rules import Check


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """How the rules fared of a version that was to come to a stage, and why it did not, if so."""

    stage: Stage
    checks: tuple[Check, ...] = ()
    refusal: str | None = None


class ModelDesk(Protocol):
    """The registry of the store that is watched for. Raises MlprojError."""

    def run_of(self, address: str) -> str:
        """The run of the version that a `models:/…` names. Raises NotFound."""
        ...

    def history(self, name: str) -> Sequence[RecordedChange]:
        """What was done to a registered model; nothing where there is none of that name."""
        ...

    def register(self, name: str, address: str, *, watch: str, why: str) -> int:
        """The number of the version that was made of what a `runs:/…` names."""
        ...

    def promote(
        self, name: str, version: int, stage: Stage, *, archive_existing: bool, why: str
    ) -> Promotion: ...
