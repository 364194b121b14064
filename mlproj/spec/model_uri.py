"""`models:/…`, as MLflow writes it: a version of a registered model, or a logged model by its id."""

from __future__ import annotations

import re

import msgspec

from mlproj.errors import UsageError
from mlproj.model.registry import Stage

SCHEME = "models:"

_URI = re.compile(r"models:/+(?P<name>[^/@]+)(?:/(?P<which>[^/@]+)|@(?P<alias>[^/@]+))?/?")
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)
_STAGES = {stage.value.lower(): stage for stage in Stage}


class ModelUri(msgspec.Struct, frozen=True, kw_only=True):
    """One of `version`, `stage` and `alias` says which version of `name`; none of them means the latest.
    A logged model has an id, and no name."""

    name: str = ""
    version: int | None = None
    stage: Stage | None = None
    alias: str | None = None
    model_id: str | None = None

    def __str__(self) -> str:
        if self.model_id is not None:
            return f"{SCHEME}/{self.model_id}"
        return f"{SCHEME}/{self.name}{'' if self.alias else '/'}{self.which}"

    @property
    def which(self) -> str:
        """The version as the seam of lineage has it: a number, `latest`, a stage, or `@` and an alias."""
        if self.alias is not None:
            return f"@{self.alias}"
        if self.stage is not None:
            return self.stage.value
        return "latest" if self.version is None else str(self.version)


def read_model_uri(uri: str) -> ModelUri:
    """Raises UsageError for what names no model."""
    found = _URI.fullmatch(uri)
    if found is None:
        raise UsageError(
            f"`{uri}` names no model", hint="`models:/NAME/VERSION`, `models:/NAME@ALIAS` or `models:/m-…`"
        )
    name, which, alias = found["name"], found["which"], found["alias"]
    if which is None and alias is None:
        return ModelUri(model_id=name) if name.startswith("m-") else ModelUri(name=name)
    if which is None or which.lower() == "latest":
        return ModelUri(name=name, alias=alias)
    if _NUMBER.fullmatch(which):
        return ModelUri(name=name, version=int(which))
    stage = _STAGES.get(which.lower())
    if stage is None:
        raise UsageError(
            f"`{which}` in `{uri}` is neither a version nor a stage",
            hint=f"a number, `latest`, or one of {', '.join(f'`{each.value}`' for each in Stage)}",
        )
    return ModelUri(name=name, stage=stage)
