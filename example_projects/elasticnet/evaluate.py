"""Scores a saved model on the rows it learned from and on those held out; leaves `evaluation.json` behind."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import joblib
from sklearn.pipeline import Pipeline

import diabetes

EVALUATION = Path("evaluation.json")


def evaluate(model: Pipeline, table: Path) -> dict[str, float]:
    """The scores of both parts of the table, each named after its part."""
    parts = zip(("training", "held_out"), diabetes.read(table), strict=True)
    return {
        f"{part}_{name}": value
        for part, rows in parts
        for name, value in diabetes.scores(rows, model.predict(rows.measurements)).items()
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model that `train.py` saved")
    parser.add_argument("--data", type=Path, required=True, help="table that the model was trained on")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    evaluation = evaluate(joblib.load(given.model), given.data)
    EVALUATION.write_text(json.dumps(evaluation, indent=2) + "\n")
    for name, value in evaluation.items():
        print(f"  {name:<14}{value:9.3f}")


if __name__ == "__main__":
    main()
