"""The stress programs on a small scale; `make stress` runs them in full."""

from __future__ import annotations

from pathlib import Path

from tests.stress.crowd import crowd
from tests.stress.kills import stress


def test_a_store_stays_whole_whenever_mlproj_is_killed(tmp_path: Path) -> None:
    tally = stress(tmp_path, count=24, seed=20261124)
    assert tally.faults == []
    assert sum(tally.states.values()) == 24
    assert any("killed" in state for state in tally.states)


def test_eight_runs_at_once_are_all_sealed_in_one_chain(tmp_path: Path) -> None:
    assert crowd(tmp_path, rounds=2) == []
