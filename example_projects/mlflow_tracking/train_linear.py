"""A ridge regression; MLflow's autologging keeps its parameters, training metrics and model."""

import argparse

import mlflow
from sklearn.linear_model import Ridge

import penguins


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alpha", type=float, default=1.0)
    parser.add_argument("--data", default="data/penguins.csv")
    args = parser.parse_args()

    with mlflow.start_run():
        birds = penguins.prepare(args.data)
        mlflow.sklearn.autolog()
        model = Ridge(alpha=args.alpha)
        model.fit(birds.X_train, birds.y_train)
        metrics = penguins.scores(birds.y_test, model.predict(birds.X_test))
        mlflow.log_metrics(metrics)
    print(f"linear: rmse {metrics['rmse']:.1f} g")


if __name__ == "__main__":
    main()
