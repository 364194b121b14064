"""The history of registered models, and what has to hold of a version that is put into Production."""

from __future__ import annotations

from mlproj.model.registry import Act, Stage
from mlproj.server import limits
from mlproj.server.desk import Desk
from mlproj.server.failures import invalid
from mlproj.server.route import Route, get, post
from mlproj.server.wire.promotion import (
    AskedChecks,
    Checks,
    History,
    KeptRules,
    Promote,
    Promoted,
    SetRules,
)
from mlproj.server.wire.registry import NamedModel, told_version
from mlproj.server.wire.values import Empty
from mlproj.spec.rules import read_rules

OURS = "2.0/mlproj"
_LONGEST = 64 * 1024


def history(desk: Desk, asked: NamedModel) -> History:
    return History(changes=tuple(desk.tracking.registry.history(asked.name)))


def rules(desk: Desk, asked: NamedModel) -> KeptRules:
    return KeptRules(rules=desk.tracking.registry.rules(asked.name))


def set_rules(desk: Desk, asked: SetRules) -> Empty:
    text = _readable(asked.rules)
    desk.tracking.registry.set_rules(asked.name, text, by=desk.by(asked.why))
    return Empty()


def checks(desk: Desk, asked: AskedChecks) -> Checks:
    version, further = limits.version(asked.version), _readable(asked.rules)
    return Checks(checks=tuple(desk.tracking.registry.checks(asked.name, version, further=further)))


def promote(desk: Desk, asked: Promote) -> Promoted:
    registry, number = desk.tracking.registry, limits.version(asked.version)
    moved = registry.transition(
        asked.name,
        number,
        Stage.PRODUCTION,
        archive_existing=asked.archive_existing_versions,
        further=_readable(asked.rules),
        by=desk.by(asked.why),
    )
    recorded = (
        each.change
        for each in reversed(registry.history(asked.name))
        if (each.change.act, each.change.version) == (Act.STAGE, number)
    )
    return Promoted(model_version=told_version(moved), checks=next(recorded).checks)


def _readable(text: str | None) -> str | None:
    """The text, where it holds rules. Raises SpecError with the line, and Failure."""
    if text is None:
        return None
    if len(text) > _LONGEST:
        raise invalid(f"rules have {_LONGEST} characters at most")
    return read_rules(text, "rules").text


ROUTES: tuple[Route, ...] = (
    get("models/history", NamedModel, History, history, OURS),
    get("models/rules", NamedModel, KeptRules, rules, OURS),
    post("models/rules", SetRules, Empty, set_rules, OURS),
    # By POST, as rules may be longer than an address.
    post("models/checks", AskedChecks, Checks, checks, OURS),
    post("models/promote", Promote, Promoted, promote, OURS),
)
