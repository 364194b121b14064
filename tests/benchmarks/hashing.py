"""What digests of data and source cost, beside bare loops over hashlib and `stat`."""

from __future__ import annotations

from tests.benchmarks.contest import Case

CASES: dict[str, Case] = {}
