"""Boosted trees; everything is logged by hand, the error of each round with its step."""

import argparse

import mlflow
import xgboost as xgb
from mlflow.models import infer_signature

import penguins


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--max-depth", type=int, default=3)
    parser.add_argument("--data", default="data/penguins.csv")
    args = parser.parse_args()

    mlflow.set_experiment(penguins.EXPERIMENT)
    with mlflow.start_run():
        mlflow.set_tag("model", "xgboost")
        birds = penguins.prepare(args.data)
        train = xgb.DMatrix(birds.X_train, label=birds.y_train)
        valid = xgb.DMatrix(birds.X_test, label=birds.y_test)
        params = {
            "objective": "reg:squarederror",
            "learning_rate": args.learning_rate,
            "max_depth": args.max_depth,
            "seed": 42,
        }
        mlflow.log_params(params)
        history = {}
        booster = xgb.train(
            params,
            train,
            num_boost_round=args.rounds,
            evals=[(train, "train"), (valid, "validation")],
            evals_result=history,
            verbose_eval=False,
        )
        for part, errors in history.items():
            for step, error in enumerate(errors["rmse"]):
                mlflow.log_metric(f"{part}_rmse", error, step=step)
        predicted = booster.predict(valid)
        metrics = penguins.scores(birds.y_test, predicted)
        mlflow.log_metrics(metrics)
        mlflow.xgboost.log_model(
            booster,
            name="model",
            signature=infer_signature(birds.X_test, predicted),
            input_example=birds.X_test.head(3),
        )
    print(f"xgboost: rmse {metrics['rmse']:.1f} g")


if __name__ == "__main__":
    main()
