"""The example's models through MLflow's registry, by its client: registered, moved, aliased, loaded, asked.

Not a module of the tests: it is run by the Python of the example's environment, in the example's folder, with
the server in its variables. What it is given are the runs by their entry points; what it tells is what each
model answers to the same birds.
"""

# ruff: noqa: T201

from __future__ import annotations

import importlib
import importlib.metadata
import json
import pickle
import sys
from typing import Any

mlflow: Any = importlib.import_module("mlflow")
client: Any = mlflow.MlflowClient()
NEEDED = ("mlflow", "pandas", "scikit-learn", "xgboost-cpu")
MEMBERS = ("models:/penguin-linear/Production", "models:/penguin-xgboost@champion")
MOST = 20


class Blend(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """The mean of two models, which it has the registry tell where it is loaded."""

    def load_context(self, context: Any) -> None:
        self.members = [mlflow.pyfunc.load_model(uri) for uri in MEMBERS]

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return sum(member.predict(model_input) for member in self.members) / len(self.members)


def birds(run_id: str) -> Any:
    """Some that were held out, as that run prepared them."""
    file = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="preprocessor/preprocessor.b")
    with open(file, "rb") as opened:
        preprocessor = pickle.load(opened)
    _, test = importlib.import_module("penguins").read("data/penguins.csv")
    return preprocessor.transform(test.head(MOST))


def registered(name: str, uri: str) -> str:
    """The version that the model at an address became, in Production and by an alias."""
    number = str(mlflow.register_model(uri, name).version)
    client.transition_model_version_stage(name, number, "Staging")
    client.transition_model_version_stage(name, number, "Production", archive_existing_versions=True)
    client.set_registered_model_alias(name, "champion", number)
    stages = {
        str(each.version): each.current_stage for each in client.search_model_versions(f"name = '{name}'")
    }
    assert [one for one, stage in stages.items() if stage == "Production"] == [number], stages
    return number


def answers(name: str, number: str, rows: Any) -> list[float]:
    """The same by each address of the version."""
    found = [
        [float(value) for value in mlflow.pyfunc.load_model(f"models:/{name}{which}").predict(rows)]
        for which in (f"/{number}", "@champion", "/Production")
    ]
    assert found[0] == found[1] == found[2]
    return found[0]


def main(runs: dict[str, str]) -> dict[str, Any]:
    rows = birds(runs["linear"])
    numbers = {
        f"penguin-{step}": registered(f"penguin-{step}", f"runs:/{run_id}/model")
        for step, run_id in runs.items()
    }
    with mlflow.start_run(run_name="blend"):
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=Blend(),
            signature=mlflow.models.infer_signature(rows, [1.0]),
            pip_requirements=[f"{each}=={importlib.metadata.version(each)}" for each in NEEDED],
        )
    numbers["penguin-blend"] = registered("penguin-blend", logged.model_uri)
    told = {
        name: {"version": number, "answers": answers(name, number, rows)} for name, number in numbers.items()
    }
    return {"birds": rows.to_dict("split", index=False), "models": told}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
