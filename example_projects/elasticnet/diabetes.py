"""The diabetes table, the one way it is split, and the scores that both scripts report."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from sklearn.model_selection import train_test_split

TARGET = "target"
HELD_OUT = 0.25
SPLIT_SEED = 42


@dataclass(frozen=True)
class Rows:
    """Measurements of some patients, and how their disease progressed."""

    measurements: pd.DataFrame
    progression: pd.Series


def read(table: Path) -> tuple[Rows, Rows]:
    """The rows to learn from and those held out: the same ones for the same table, always."""
    frame = pd.read_csv(table)
    learned, held_out = train_test_split(frame, test_size=HELD_OUT, random_state=SPLIT_SEED)
    return _rows(learned), _rows(held_out)


def scores(rows: Rows, predicted: np.ndarray) -> dict[str, float]:
    """Root mean squared error, mean absolute error and the coefficient of determination."""
    return {
        "rmse": math.sqrt(mean_squared_error(rows.progression, predicted)),
        "mae": float(mean_absolute_error(rows.progression, predicted)),
        "r2": float(r2_score(rows.progression, predicted)),
    }


def _rows(frame: pd.DataFrame) -> Rows:
    return Rows(frame.drop(columns=TARGET), frame[TARGET])
