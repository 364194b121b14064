"""Makes `wine.csv` out of the file that scikit-learn bundles, values as they are written there."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

COLUMNS = (
    "alcohol,malic_acid,ash,alcalinity_of_ash,magnesium,total_phenols,flavanoids,nonflavanoid_phenols,"
    "proanthocyanins,color_intensity,hue,od280_od315,proline,cultivar"
)


def main() -> None:
    bundled = (files("sklearn.datasets") / "data" / "wine_data.csv").read_text(encoding="ascii")
    _, *rows = bundled.splitlines()
    table = "\n".join((COLUMNS, *rows, ""))
    Path(__file__).with_name("wine.csv").write_text(table, encoding="ascii", newline="\n")


if __name__ == "__main__":
    main()
