"""A random forest and a ridge regression that vote; the model is registered as it is logged."""

import argparse

import mlflow
from mlflow.models import infer_signature
from sklearn.ensemble import RandomForestRegressor, VotingRegressor
from sklearn.linear_model import Ridge

import penguins


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--data", default="data/penguins.csv")
    args = parser.parse_args()

    with mlflow.start_run():
        mlflow.log_param("members", "forest, ridge")
        birds = penguins.prepare(args.data)
        forest = RandomForestRegressor(n_estimators=args.trees, random_state=42)
        model = VotingRegressor([("forest", forest), ("ridge", Ridge())])
        model.fit(birds.X_train, birds.y_train)
        predicted = model.predict(birds.X_test)
        metrics = penguins.scores(birds.y_test, predicted)
        mlflow.log_metrics(metrics)
        importances = model.named_estimators_["forest"].feature_importances_
        mlflow.log_dict(
            dict(zip(birds.X_train.columns, map(float, importances), strict=True)), "importances.json"
        )
        mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(birds.X_test, predicted),
            input_example=birds.X_test.head(3),
            serialization_format="cloudpickle",
            registered_model_name="penguin-ensemble",
        )
    print(f"ensemble: rmse {metrics['rmse']:.1f} g")


if __name__ == "__main__":
    main()
