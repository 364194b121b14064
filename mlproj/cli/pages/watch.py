"""What a watch says while it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlproj.cli.words import counted
from mlproj.model.digest import plain
from mlproj.model.trigger import Trigger
from mlproj.services.watched import Watch
from mlproj.services.watching import Round
from mlproj.services.watching_models import Delivered


def watch_line(watch: Watch) -> str:
    """What is watched, in a sentence."""
    reasons = [*map(str, watch.schedules)]
    if watch.on_data:
        reasons.insert(0, ", ".join(f"`{name}`" for name in watch.data) or "data")
    if watch.thresholds:
        reasons.append(f"{' and '.join(f'`{each}`' for each in watch.thresholds)} in `{watch.looked_in}`")
    return f"watching as `{watch.name}`: {'; '.join(reasons)}"


def trigger_lines(trigger: Trigger) -> Iterator[str]:
    for cause in trigger.causes:
        yield f"trigger: {cause.told}"


def delivered_lines(delivered: Delivered) -> Iterator[str]:
    named, promotion = f"version {delivered.version} of `{delivered.model}`", delivered.promotion
    if promotion is None:
        yield f"registered: {named}"
    elif promotion.refusal is None:
        held = f", by {counted(len(promotion.checks), 'rule')}" if promotion.checks else ""
        yield f"registered: {named}, in {promotion.stage.value}{held}"
    else:
        yield f"registered: {named}"
        yield f"refused: {promotion.refusal}"


def round_document(watch: Watch, came: Round, run: dict[str, Any] | None) -> dict[str, Any]:
    """A look as `--json` gives it."""
    return {
        "schema": "mlproj/watch/1",
        "watch": watch.name,
        "trigger": None if came.trigger is None else plain(came.trigger),
        "run": run,
        "delivered": None if came.delivered is None else plain(came.delivered),
        "failure": None if came.failure is None else came.failure.message,
    }
