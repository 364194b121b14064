"""Fits an elastic net on the diabetes table; leaves `model.joblib` and `metrics.json` behind."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import joblib
from sklearn.linear_model import ElasticNet
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import diabetes

MODEL = Path("model.joblib")
METRICS = Path("metrics.json")


def fit(rows: diabetes.Rows, *, alpha: float, l1_ratio: float) -> Pipeline:
    """A model of standardised measurements, fitted to `rows`."""
    model = make_pipeline(StandardScaler(), ElasticNet(alpha=alpha, l1_ratio=l1_ratio))
    return model.fit(rows.measurements, rows.progression)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alpha", type=float, required=True, help="strength of the regularisation")
    parser.add_argument("--l1-ratio", type=float, required=True, help="share of the L1 penalty, 0 to 1")
    parser.add_argument("--data", type=Path, required=True, help="table to learn from")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    learned, held_out = diabetes.read(given.data)
    model = fit(learned, alpha=given.alpha, l1_ratio=given.l1_ratio)
    metrics = diabetes.scores(held_out, model.predict(held_out.measurements))
    joblib.dump(model, MODEL)
    METRICS.write_text(json.dumps(metrics, indent=2) + "\n")
    print(f"elastic net with alpha {given.alpha:g} and l1_ratio {given.l1_ratio:g}")
    for name, value in metrics.items():
        print(f"  {name:<5}{value:9.3f}")


if __name__ == "__main__":
    main()
