"""The model registry: a registered model, its versions, stages and aliases. Times are as in `tracking`."""

from __future__ import annotations

from enum import Enum

import msgspec

from mlproj.model.tracking import LoggedModel, Pairs

PROMPT_TAG = "mlflow.prompt.is_prompt"
"""Of the registered models that are prompts, and of their versions, the tag that says so (`true`)."""


class Stage(str, Enum):
    """Where a version stands, in MLflow's terms."""

    NONE = "None"
    STAGING = "Staging"
    PRODUCTION = "Production"
    ARCHIVED = "Archived"


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a registered model, numbered from 1."""

    name: str
    version: int
    created: int
    updated: int
    description: str = ""
    user: str = ""
    stage: Stage = Stage.NONE
    source: str = ""
    run_id: str | None = None
    run_link: str | None = None
    model_id: str | None = None
    status: str = "READY"
    status_message: str | None = None
    tags: Pairs = ()
    aliases: tuple[str, ...] = ()


class RegisteredModel(msgspec.Struct, frozen=True, kw_only=True):
    """A name with versions. `latest` holds the newest version of each stage that has one."""

    name: str
    created: int
    updated: int
    description: str = ""
    tags: Pairs = ()
    aliases: tuple[tuple[str, int], ...] = ()
    latest: tuple[ModelVersion, ...] = ()


class UsedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A logged model that a run made (`output`, at a step) or read (`input`)."""

    model: LoggedModel
    direction: str
    step: int = 0


class RunModels(msgspec.Struct, frozen=True, kw_only=True):
    """The logged models of a run, and the versions of registered models that were made of what it logged."""

    used: tuple[UsedModel, ...] = ()
    versions: tuple[ModelVersion, ...] = ()
