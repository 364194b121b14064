"""Whether a metric is what a rule asks for: within bounds, and not worse than the one in use."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from mlproj.model.rules import Check, MetricRule


def judge_metric(
    rule: MetricRule, metrics: Mapping[str, float], current: Mapping[str, float]
) -> Iterator[Check]:
    """A check for each bound of `rule` on the `metrics` of a run; `current` are those of the run whose model
    is in use. NaN is within no bound, and worse than every number."""
    found = metrics.get(rule.key, math.nan)
    told = f"it is {found:g}" if rule.key in metrics else "the run has none"
    if rule.at_least is not None:
        asked = f"`{rule.key}` is at least {rule.at_least:g}"
        yield Check(rule=asked, holds=found >= rule.at_least, told=told)
    if rule.at_most is not None:
        asked = f"`{rule.key}` is at most {rule.at_most:g}"
        yield Check(rule=asked, holds=found <= rule.at_most, told=told)
    if rule.better is not None:
        now = current.get(rule.key, math.nan)
        asked = f"`{rule.key}` is not worse than in Production"
        asked += "" if math.isnan(now) else f" ({now:g})"
        yield Check(rule=asked, holds=_not_worse(rule, found, now), told=told)


def _not_worse(rule: MetricRule, found: float, now: float) -> bool:
    """Where nothing is in use, or nothing is known of it, nothing can be worse."""
    if math.isnan(found) or math.isnan(now):
        return not math.isnan(found)
    better = found >= now if rule.better == "higher" else found <= now
    return better or rule.tolerance.accepts(now, found)
