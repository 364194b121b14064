"""Tells who grew a wine by discriminant analysis, each wine by all others; leaves a model and metrics behind.

The covariance of a class is a mixture of its own and that of all classes (`shared` 1 is linear discriminant
analysis, 0 quadratic) and is shrunk by `shrinkage` towards one without correlations.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import numpy as np

MODEL = Path("model.npz")
PREDICTIONS = Path("predictions.csv")
METRICS = Path("metrics.json")


def read(table: Path) -> tuple[np.ndarray, np.ndarray]:
    """Measurements, standardised, and the cultivator of each wine."""
    values = np.loadtxt(table, delimiter=",", skiprows=1)
    measurements = values[:, :-1]
    return (measurements - measurements.mean(0)) / measurements.std(0), values[:, -1].astype(int)


def fit(wines: np.ndarray, growers: np.ndarray, *, shared: float, shrinkage: float) -> dict[str, np.ndarray]:
    """Mean, covariance and share of each class."""
    classes = np.unique(growers)
    means = np.array([wines[growers == one].mean(0) for one in classes])
    own = np.array([np.cov(wines[growers == one].T) for one in classes])
    counts = np.array([(growers == one).sum() for one in classes])
    pooled = np.tensordot(counts - 1, own, 1) / (counts.sum() - len(classes))
    mixed = shared * pooled + (1 - shared) * own
    diagonal = np.array([np.diag(np.diag(covariance)) for covariance in mixed])
    covariances = (1 - shrinkage) * mixed + shrinkage * diagonal
    return {"classes": classes, "means": means, "covariances": covariances, "shares": counts / counts.sum()}


def predict(model: dict[str, np.ndarray], wine: np.ndarray) -> int:
    """The class under which the wine is likeliest."""
    scores = []
    for mean, covariance, share in zip(model["means"], model["covariances"], model["shares"], strict=True):
        away = wine - mean
        _, volume = np.linalg.slogdet(covariance)
        scores.append(np.log(share) - 0.5 * (volume + away @ np.linalg.solve(covariance, away)))
    return int(model["classes"][np.argmax(scores)])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=float, required=True, help="1 linear, 0 quadratic, or between")
    parser.add_argument("--shrinkage", type=float, required=True, help="0 none, 1 no correlations")
    parser.add_argument("--data", type=Path, required=True, help="table of wines")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    wines, growers = read(given.data)
    settings = {"shared": given.shared, "shrinkage": given.shrinkage}
    others = [np.arange(len(wines)) != number for number in range(len(wines))]
    told = [predict(fit(wines[rest], growers[rest], **settings), wines[~rest][0]) for rest in others]
    right = np.array(told) == growers
    np.savez(MODEL, **fit(wines, growers, **settings))
    with PREDICTIONS.open("w", encoding="ascii", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows((("grown", "told"), *zip(growers, told, strict=True)))
    metrics = {"accuracy": float(right.mean()), "wrong": int((~right).sum())}
    METRICS.write_text(json.dumps(metrics, indent=2) + "\n")
    print(f"{right.sum()} of {len(wines)} wines are told by the others ({right.mean():.1%})")


if __name__ == "__main__":
    main()
