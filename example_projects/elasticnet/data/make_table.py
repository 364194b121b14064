"""Makes `diabetes.csv` out of the two files that scikit-learn bundles, values as they are written there."""

from __future__ import annotations

import csv
import gzip
from importlib.resources import files
from pathlib import Path

BUNDLE = files("sklearn.datasets") / "data"
COLUMNS = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")


def lines(name: str) -> list[str]:
    """The lines of a compressed text file of the bundle."""
    return gzip.decompress((BUNDLE / name).read_bytes()).decode("ascii").splitlines()


def main() -> None:
    measurements = [line.split() for line in lines("diabetes_data_raw.csv.gz")]
    targets = [f"{float(line):g}" for line in lines("diabetes_target.csv.gz")]
    table = Path(__file__).with_name("diabetes.csv")
    with table.open("w", encoding="ascii", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*COLUMNS, "target"))
        writer.writerows((*row, target) for row, target in zip(measurements, targets, strict=True))


if __name__ == "__main__":
    main()
