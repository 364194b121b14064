"""Whether the rules that are kept with a registered model let a version of it into Production.

Looking takes its time, and nobody should wait for it: what was looked at is compared with what is there when
the version is moved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection

from mlproj.errors import Busy, MlprojError, NotPromoted, StoreError
from mlproj.model.registry import Case, ModelVersion, Stage
from mlproj.model.rules import Check, Sees
from mlproj.store.tracking.version_rows import VERSIONS, model_row, one_version, read_versions, rules_of
from mlproj.store.tracking_tables import model_versions

Judge = Callable[[str, Case], Sequence[Check]]
"""How each of the rules in a text fares for a version."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A version that is to be put into Production, the rules that have to hold, and how they fare."""

    version: ModelVersion
    current: ModelVersion | None
    rules: tuple[str, ...]
    checks: tuple[Check, ...] = ()

    def by(self, judge: Judge | None, sees: Sees, *, thorough: bool) -> Judged:
        """With the checks. Raises StoreError where there are rules, and nobody to hold them."""
        if self.rules and judge is None:
            raise StoreError(f"the rules of the model `{self.version.name}` cannot be looked at here")
        case = Case(version=self.version, current=self.current, sees=sees, thorough=thorough)
        found: list[Check] = []
        for text in self.rules:
            assert judge is not None
            found += [check for check in judge(text, case) if check not in found]
        return replace(self, checks=tuple(found))

    @property
    def broken(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.holds)

    @property
    def refusal(self) -> MlprojError:
        failed = "; ".join(f"{check.rule}: {check.told}" for check in self.broken)
        return NotPromoted(
            f"version {self.version.version} of `{self.version.name}` may not be put into Production, "
            f"as {len(self.broken)} of {len(self.checks)} rules do not hold: {failed}"
        )

    @property
    def basis(self) -> tuple[object, ...]:
        """What the checks depend on of all that stands in the registry."""
        current = self.current
        seen = None if current is None else (current.version, current.run_id)
        version = self.version
        return (self.rules, seen, version.source, version.run_id, version.model_id)


def judged(connection: Connection, name: str, version: int, further: str | None) -> Judged:
    """What is to be looked at; nothing is yet. Raises NotFound."""
    candidate = one_version(connection, name, version)
    model = model_row(connection, name).id
    kept = rules_of(connection, model)
    return Judged(
        version=candidate,
        current=_current(connection, model, version),
        rules=tuple(dict.fromkeys(text for text in (kept, further) if text is not None)),
    )


def refuse_changed(connection: Connection, verdict: Judged, further: str | None) -> None:
    """Raises Busy where something else would have been looked at by now."""
    now = judged(connection, verdict.version.name, verdict.version.version, further)
    if now.basis != verdict.basis:
        raise Busy(
            f"the model `{verdict.version.name}` was changed while its rules were looked at",
            hint="try again",
        )


def _current(connection: Connection, model: int, version: int) -> ModelVersion | None:
    """The newest other version that is in Production."""
    versions = model_versions.c
    statement = (
        VERSIONS.where(versions.model == model, versions.version != version)
        .where(versions.stage == Stage.PRODUCTION.value)
        .order_by(versions.version.desc())
        .limit(1)
    )
    rows = connection.execute(statement).all()
    return next(iter(read_versions(connection, rows)), None)
