"""Names the cultivar of each wine in a table by a saved forest; leaves `classified.csv` behind."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import joblib

import wines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="forest that `train.py` saved")
    parser.add_argument("--data", type=Path, required=True, help="table with the same measurements")
    given = parser.parse_args()
    forest, asked = joblib.load(given.model), wines.read(given.data)
    named = forest.predict(asked.measurements)
    with open("classified.csv", "w", encoding="ascii", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("wine", "cultivar"))
        writer.writerows(enumerate(named, start=1))
    right = int((named == asked.cultivars).sum())
    print(f"{right} of {len(named)} wines were made from the cultivar that the forest names")


if __name__ == "__main__":
    main()
