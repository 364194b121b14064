"""The model registry: a registered model, its versions, stages and aliases. Times are as in `tracking`."""

from __future__ import annotations

from enum import Enum

import msgspec

from mlproj.model.rules import Check, Sees
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


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a version's files are, and the run and the model that they came from."""

    source: str
    run_id: str | None = None
    model_id: str | None = None


class By(msgspec.Struct, frozen=True, kw_only=True):
    """Who changes something, and why, as far as they say."""

    who: str = ""
    why: str = ""


NOBODY = By()


class Act(str, Enum):
    """What was done to a registered model or to a version of it."""

    CREATED = "created"
    RENAMED = "renamed"
    DELETED = "deleted"
    VERSION_CREATED = "version created"
    VERSION_DELETED = "version deleted"
    STAGE = "stage"
    ALIAS_SET = "alias set"
    ALIAS_REMOVED = "alias removed"
    RULES_SET = "rules set"
    RULES_REMOVED = "rules removed"
    REFUSED = "promotion refused"


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was done: to the model of that name, which is the old one where it was renamed.

    `before` and `after` are what was changed: a name, a stage, the number of the version that an alias stood
    for, or the text of rules. `with_version` is the version whose arrival in its stage made this one leave
    it. `checks` are those of the rules that held for a promotion, or did not.
    """

    model: str
    act: Act
    who: str = ""
    why: str = ""
    version: int | None = None
    before: str | None = None
    after: str | None = None
    alias: str | None = None
    with_version: int | None = None
    source: str | None = None
    run_id: str | None = None
    model_id: str | None = None
    checks: tuple[Check, ...] = ()


class RecordedChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change, and where it stands in the chain since when."""

    sequence: int
    time: str
    change: Change


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a registered model stands: the stage of each version, what its aliases stand for, and its rules."""

    name: str
    stages: dict[int, str]
    aliases: dict[str, int]
    rules: str | None = None


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A version that is to be put into Production, and the one that is there now, for somebody who `sees`
    some runs. With `thorough`, the content of its files is read."""

    version: ModelVersion
    current: ModelVersion | None
    sees: Sees
    thorough: bool
