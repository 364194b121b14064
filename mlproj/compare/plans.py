"""What differs between two plans, by everything that their identities are made of: pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mlproj.compare.runs import Change
from mlproj.model.plan import Plan

SNAPSHOT, LOCK = "source", "lock"
"""The names of the changes that are themselves of many things."""

MOST_NAMED = 5
"""So many of several things are named in a sentence."""


class Likeness(msgspec.Struct, frozen=True, kw_only=True):
    """The nearest run, and a line for each thing in which the plan differs from its own."""

    run_id: str
    name: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        more = f", and {len(self.lines) - MOST_NAMED} more" if len(self.lines) > MOST_NAMED else ""
        return "; ".join(self.lines[:MOST_NAMED]) + more


def plan_changes(before: Plan, after: Plan) -> tuple[Change, ...]:
    """Where `after` is not as `before`; nothing just where the two are the same experiment."""
    old, new = _parts(before), _parts(after)
    return tuple(
        Change(name=name, before=old.get(name), after=new.get(name))
        for name in dict.fromkeys((*new, *old))
        if old.get(name) != new.get(name)
    )


def _parts(plan: Plan) -> Mapping[str, str | None]:
    """What counts for the identity, a text for each thing that a person would name."""
    return {
        **{f"parameter {item.name}": item.text or "" for item in plan.parameters},
        **{f"input {item.name}": item.digest for item in plan.inputs},
        SNAPSHOT: plan.snapshot,
        "subfolder": plan.subfolder,
        "entry point": plan.entry_point,
        "command": plan.command,
        "outputs": ", ".join(plan.outputs),
        "metrics": ", ".join(plan.metrics),
        "timeout": None if plan.timeout is None else str(plan.timeout),
        "environment": plan.environment,
        LOCK: plan.lock,
        "Python": plan.python,
        "platform": plan.platform,
        **{f"variable {name}": value for name, value in plan.variables},
        "kinds of parameters": ", ".join(f"{item.name} {item.type.value}" for item in plan.parameters),
    }
