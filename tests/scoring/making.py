"""Makes a model in the Python that it is started with: a folder, or with `--plain` a file without mlflow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

SIGNED = {"a": [1.0, 2.0, 3.0, 4.0], "b": [1, 2, 3, 5], "c": ["u", "v", "u", "v"]}
TARGET = [1.0, 2.0, 3.0, 5.0]


def fitted() -> tuple[Any, Any]:
    """A pipeline over numbers and words, and what it was fitted on."""
    pandas = __import__("pandas")
    compose = __import__("sklearn.compose", fromlist=("compose",))
    linear = __import__("sklearn.linear_model", fromlist=("linear_model",))
    pipeline = __import__("sklearn.pipeline", fromlist=("pipeline",))
    encoding = __import__("sklearn.preprocessing", fromlist=("preprocessing",))
    frame = pandas.DataFrame(SIGNED)
    columns = compose.make_column_transformer((encoding.OneHotEncoder(), ["c"]), remainder="passthrough")
    model = pipeline.make_pipeline(columns, linear.LinearRegression())
    return model.fit(frame, TARGET), frame


def save(folder: str) -> None:
    """With a signature, an input example, and the requirements that MLflow infers."""
    mlflow = __import__("mlflow.models", fromlist=("models",))
    sklearn = __import__("mlflow.sklearn", fromlist=("sklearn",))
    model, frame = fitted()
    signature = mlflow.infer_signature(frame, model.predict(frame))
    sklearn.save_model(
        model, folder, signature=signature, input_example=frame, serialization_format="cloudpickle"
    )


ODD = """
import sys, time, cloudpickle

class Odd:
    def predict(self, rows):
        {code}
        return [1.0] * len(rows)

with open(sys.argv[1], "wb") as file:
    cloudpickle.dump(Odd(), file)
"""


def make_odd(python: Path, file: Path, code: str) -> None:
    """A model whose `predict` does what the line `code` says."""
    subprocess.run((python, "-c", ODD.format(code=code), file), check=True)


def main() -> None:
    """`making.py [--plain] PLACE`."""
    if sys.argv[1] == "--plain":
        __import__("joblib").dump(fitted()[0], sys.argv[2])
    else:
        save(sys.argv[1])


if __name__ == "__main__":
    main()
