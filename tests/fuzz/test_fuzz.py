"""A short run of what `make fuzz` does for long: the same demands, and the same inputs every time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.bench import MOST_MIB, Bench
from tests.fuzz.bombs import inputs
from tests.fuzz.strategies import INPUTS, seeds
from tests.fuzz.targets import TARGETS

PATIENCE = 60.0
"""A watchdog for what hangs, and no measure of what is quick."""

EXAMPLES = {"arrival": 25}
MOST = 120
SIZE = 30_000

BOMBS = list(inputs(SIZE))


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    made = Bench(patience=PATIENCE)
    yield made
    made.close()


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_real_files_are_read(bench: Bench, target: str) -> None:
    for data in seeds(target):
        assert bench.judge(target, data) is None


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_strange_files_and_values_are_read_or_refused_in_a_sentence(bench: Bench, target: str) -> None:
    @settings(
        max_examples=EXAMPLES.get(target, MOST),
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(INPUTS[target])
    def judge(data: bytes) -> None:
        assert bench.judge(target, data) is None

    judge()


@pytest.mark.parametrize("target", sorted({target for target, _, _ in BOMBS}))
def test_nothing_small_becomes_large_or_slow(bench: Bench, target: str) -> None:
    for own, name, data in BOMBS:
        if own == target:
            assert bench.judge(target, data) is None, name


def test_no_parser_takes_much_memory(bench: Bench) -> None:
    for target, name, data in inputs(1_000_000):
        if name in ("laughs", "commas", "values", "wide values, plain", "lines", "json: numbers"):
            assert bench.judge(target, data) is None, (target, name)
    assert 0 < bench.peak < MOST_MIB


def test_the_bench_tells_what_breaks() -> None:
    """The watchers themselves: a traceback, and a process that hangs."""
    watched = Bench(patience=PATIENCE)
    assert "KeyError" in str(watched.judge("no-such-target", b""))
    watched.close()
    impatient = Bench(patience=0.0)
    assert "took more than" in str(impatient.judge("timeout", b"5m"))
    impatient.close()
