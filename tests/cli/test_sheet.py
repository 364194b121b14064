"""Rows are aligned, but for a cell so long that the others would lie a screen away."""

from __future__ import annotations

from mlproj.cli.sheet import WIDEST, Section, plain_sheet


def test_columns_are_as_wide_as_their_cells() -> None:
    rows = (("a", "1", "x"), ("bcd", "22", "y"))
    assert plain_sheet([Section(rows=rows)]) == "a    1   x\nbcd  22  y\n"


def test_a_cell_beyond_measure_takes_its_room_alone() -> None:
    long = "k" * (WIDEST + 1)
    rows = (("a", "1", "x"), (long, "22", "y"), ("bcd", "3", "z"))
    assert plain_sheet([Section(rows=rows)]) == f"a    1   x\n{long}  22  y\nbcd  3   z\n"
