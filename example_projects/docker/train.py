"""Grows a forest on the wines; leaves `forest.joblib`, `importances.csv` and `metrics.json` behind."""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import joblib
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, log_loss

import wines


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trees", type=int, required=True, help="how many trees vote")
    parser.add_argument("--seed", type=int, required=True, help="of the trees and of the split")
    parser.add_argument("--data", type=Path, required=True, help="table to learn from")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    learned, held_out = wines.split(wines.read(given.data), given.seed)
    forest = RandomForestClassifier(n_estimators=given.trees, random_state=given.seed)
    forest.fit(learned.measurements, learned.cultivars)
    probabilities = forest.predict_proba(held_out.measurements)
    metrics = {
        "accuracy": accuracy_score(held_out.cultivars, forest.classes_[probabilities.argmax(axis=1)]),
        "log_loss": log_loss(held_out.cultivars, probabilities, labels=forest.classes_),
    }
    joblib.dump(forest, "forest.joblib")
    Path("metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    ranked = sorted(zip(forest.feature_importances_, learned.columns, strict=True), reverse=True)
    with open("importances.csv", "w", encoding="ascii", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("measurement", "importance"))
        writer.writerows((name, f"{share:.6f}") for share, name in ranked)
    print(f"a forest of {given.trees} trees, asked about {len(held_out.cultivars)} wines")
    for name, value in metrics.items():
        print(f"  {name:<9}{value:7.3f}")
    print(f"  it goes by {ranked[0][1]} most, then by {ranked[1][1]}")


if __name__ == "__main__":
    main()
