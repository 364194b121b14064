"""The penguins, prepared alike for every model: how heavy is a bird of this species, sex and size?"""

import pickle
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

EXPERIMENT = "penguins"
TARGET = "body_mass_g"
NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]
CLASSES = ["species", "island", "sex"]


@dataclass
class Birds:
    """Features as the models take them, and the weights to predict."""

    X_train: pd.DataFrame
    X_test: pd.DataFrame
    y_train: pd.Series
    y_test: pd.Series


def read(data):
    """The birds that were weighed: those to learn from, and a quarter held out."""
    birds = pd.read_csv(data, usecols=[*NUMBERS, *CLASSES, TARGET]).dropna(subset=[TARGET])
    return train_test_split(birds, test_size=0.25, random_state=42, stratify=birds["species"])


def prepare(data):
    """Splits and encodes the table, and logs it together with the fitted preprocessor."""
    train, test = read(data)
    preprocessor = make_preprocessor().fit(train)
    Path("models").mkdir(exist_ok=True)
    with open("models/preprocessor.b", "wb") as f_out:
        pickle.dump(preprocessor, f_out)
    mlflow.log_artifact("models/preprocessor.b", artifact_path="preprocessor")
    mlflow.log_input(mlflow.data.from_pandas(train, source=str(data), targets=TARGET), context="training")
    return Birds(preprocessor.transform(train), preprocessor.transform(test), train[TARGET], test[TARGET])


def make_preprocessor() -> ColumnTransformer:
    return make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
        (OneHotEncoder(sparse_output=False), CLASSES),
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")


def scores(y_true: pd.Series, y_pred: np.ndarray) -> dict[str, float]:
    return {
        "rmse": root_mean_squared_error(y_true, y_pred),
        "mae": mean_absolute_error(y_true, y_pred),
        "r2": r2_score(y_true, y_pred),
    }
