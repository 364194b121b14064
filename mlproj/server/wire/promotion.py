"""What is ours of the registry on the wire: its history, and rules for what is put into Production."""

from __future__ import annotations

from mlproj.model.registry import RecordedChange
from mlproj.model.rules import Check
from mlproj.server.wire.registry import NamedVersion, ToldVersion
from mlproj.server.wire.values import Answer, Named, Request


class History(Answer, frozen=True, kw_only=True):
    """The oldest first."""

    changes: tuple[RecordedChange, ...] = ()


class KeptRules(Answer, frozen=True, kw_only=True):
    rules: str | None = None


class SetRules(Request, frozen=True, kw_only=True):
    """Without `rules` those that there are are removed."""

    name: Named
    rules: str | None = None
    why: str | None = None


class AskedChecks(NamedVersion, frozen=True, kw_only=True):
    """`rules` are to hold besides those that are kept with the model."""

    rules: str | None = None


class Promote(AskedChecks, frozen=True, kw_only=True):
    archive_existing_versions: bool = False
    why: str | None = None


class Checks(Answer, frozen=True, kw_only=True):
    checks: tuple[Check, ...] = ()


class Promoted(Checks, frozen=True, kw_only=True):
    model_version: ToldVersion
