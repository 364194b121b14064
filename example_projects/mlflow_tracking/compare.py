"""Trains every model as a step of its own, registers the best, and tries what was registered."""

import argparse
import pickle

import mlflow
from mlflow import MlflowClient

import penguins

STEPS = ("linear", "xgboost", "ensemble")
MODEL = "penguin-mass"
ALIAS = "champion"


def find_best(parent_run_id):
    """The step with the smallest error."""
    runs = mlflow.search_runs(
        experiment_names=[penguins.EXPERIMENT],
        filter_string=f"tags.`mlflow.parentRunId` = '{parent_run_id}' AND attributes.status = 'FINISHED'",
        order_by=["metrics.rmse ASC"],
    )
    print(runs[["tags.mlflow.project.entryPoint", "metrics.rmse", "metrics.mae", "metrics.r2"]])
    return runs.iloc[0]


def register(run_id):
    """The best model as a new version that goes by the alias."""
    version = mlflow.register_model(f"runs:/{run_id}/model", MODEL)
    MlflowClient().set_registered_model_alias(MODEL, ALIAS, version.version)
    return version


def score(run_id, data):
    """The error of the model that the alias leads to, loaded as whoever uses it would."""
    with open(
        mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="preprocessor/preprocessor.b"), "rb"
    ) as f_in:
        preprocessor = pickle.load(f_in)
    _, test = penguins.read(data)
    model = mlflow.pyfunc.load_model(f"models:/{MODEL}@{ALIAS}")
    return penguins.scores(test[penguins.TARGET], model.predict(preprocessor.transform(test)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="data/penguins.csv")
    args = parser.parse_args()

    with mlflow.start_run() as run:
        for step in STEPS:
            mlflow.projects.run(
                ".",
                step,
                parameters={"data": args.data},
                experiment_name=penguins.EXPERIMENT,
                env_manager="local",
            )
        best = find_best(run.info.run_id)
        version = register(best.run_id)
        mlflow.set_tag("best", best["tags.mlflow.project.entryPoint"])
        mlflow.log_metrics(score(best.run_id, args.data))
    print(f"{best['tags.mlflow.project.entryPoint']} is {MODEL} version {version.version}")


if __name__ == "__main__":
    main()
