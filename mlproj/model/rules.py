"""What a team asks of a version of a model before it may be put into Production."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from mlproj.model.tolerance import EXACT, Tolerance


class Reproduced(msgspec.Struct, frozen=True, kw_only=True):
    """That the run was done again, at most `within` seconds ago, as `identical` or at least `equivalent`."""

    within: float | None = None
    grade: str = "equivalent"


class MetricRule(msgspec.Struct, frozen=True, kw_only=True):
    """What a metric has to be. `better` is `higher` or `lower` where it is also held against that of the
    version that is in Production now: it may be worse by `tolerance` at most."""

    key: str
    at_least: float | None = None
    at_most: float | None = None
    better: str | None = None
    tolerance: Tolerance = EXACT


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Every rule that is set has to hold. `attested_by` are public keys, each in base64, of which one has to
    have signed the run. `text` is the file that they were read from, with the keys in it, else verbatim."""

    reproduced: Reproduced | None = None
    source_clean: bool = False
    inputs_declared: bool = False
    attested_by: tuple[str, ...] = ()
    metrics: tuple[MetricRule, ...] = ()
    text: str = ""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """How a rule fared: `rule` is what it asks, `told` what was found."""

    rule: str
    holds: bool
    told: str


Sees = Callable[[str], bool]
"""Whether somebody may read the run of an id: what nobody may tell them of it must not follow from a rule."""


def sees_all(run_id: str) -> bool:
    return True
