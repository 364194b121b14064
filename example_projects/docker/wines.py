"""The table of wines, its split, and how probable each cultivar is: for training and for classifying."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LABEL = "cultivar"


@dataclass(frozen=True)
class Wines:
    """Measurements, a row per wine, and the cultivar that each was made from."""

    columns: tuple[str, ...]
    measurements: np.ndarray
    cultivars: np.ndarray

    def take(self, rows: np.ndarray) -> Wines:
        return Wines(self.columns, self.measurements[rows], self.cultivars[rows])


def read(table: Path) -> Wines:
    with table.open(encoding="ascii", newline="") as file:
        header, *rows = csv.reader(file)
    values = np.array(rows, dtype=float)
    label = header.index(LABEL)
    return Wines(
        columns=tuple(name for name in header if name != LABEL),
        measurements=np.delete(values, label, axis=1),
        cultivars=values[:, label].astype(int),
    )


def split(wines: Wines, seed: int) -> tuple[Wines, Wines]:
    """Two thirds to learn from and a third to be asked about, both with every cultivar in them."""
    generator = np.random.default_rng(seed)
    learned: list[int] = []
    for cultivar in np.unique(wines.cultivars):
        rows = generator.permutation(np.flatnonzero(wines.cultivars == cultivar))
        learned.extend(rows[: len(rows) * 2 // 3].tolist())
    mask = np.zeros(len(wines.cultivars), dtype=bool)
    mask[learned] = True
    return wines.take(np.flatnonzero(mask)), wines.take(np.flatnonzero(~mask))
