"""What a child's output costs, beside `tee`."""

from __future__ import annotations

from tests.benchmarks.contest import Case

CASES: dict[str, Case] = {}
