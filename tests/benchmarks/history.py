"""What a long history costs, beside an empty store; and what a run takes on the disk."""

from __future__ import annotations

from tests.benchmarks.contest import Case

CASES: dict[str, Case] = {}
