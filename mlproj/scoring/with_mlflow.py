"""A model of MLflow's, loaded and asked by the mlflow of its own environment: so each answer is MLflow's."""

from __future__ import annotations

import importlib
import json
import os
from typing import TYPE_CHECKING, Any

from .exchange import PLAIN, Answer, Loaded, refusal

if TYPE_CHECKING:
    from .loading import Facts


def load(place: str, facts: Facts) -> Loaded:
    serving = importlib.import_module("mlflow.pyfunc.scoring_server")
    loading = getattr(serving, "load_model_with_mlflow_config", None) or serving.load_model
    model = loading(place)
    version = importlib.import_module("mlflow.version").VERSION
    if not hasattr(serving, "invocations"):
        return Loaded(_ByFlask(serving.init(model)), version)
    _say_that_it_is_served()
    return Loaded(_Invocations(serving, model), version)


class _Invocations:
    """What MLflow's servers of 2.x and 3.x answer, without their server."""

    def __init__(self, serving: Any, model: Any) -> None:
        self._invocations = serving.invocations
        self._model = model
        self._schema = model.metadata.get_input_schema()
        self._failure: Any = importlib.import_module("mlflow.exceptions").MlflowException

    def __call__(self, body: bytes, kind: str) -> Answer:
        if not kind:
            return Answer(415, b"The request has no content type", PLAIN)
        try:
            told = self._invocations(body, kind, self._model, self._schema)
        except self._failure as error:
            return Answer(error.get_http_status_code(), error.serialize_as_json().encode())
        except (RecursionError, ValueError):
            wrong = _wrong_in(body)
            if wrong is None:
                raise
            told = f"Ensure that input is a valid JSON formatted string. Error: '{wrong!r}'"
            return refusal(400, "BAD_REQUEST", told)
        return Answer(told.status, told.response.encode(), told.mimetype)


def _wrong_in(body: bytes) -> Exception | None:
    """What keeps JSON from being read that is nested too deep, or has a number of thousands of digits: that
    MLflow's own server takes for a fault of its own."""
    try:
        json.loads(body)
    except (RecursionError, ValueError) as error:
        return error
    return None


class _ByFlask:
    """What MLflow's earlier servers answer, which are applications of Flask's."""

    def __init__(self, application: Any) -> None:
        self._application = application

    def __call__(self, body: bytes, kind: str) -> Answer:
        if not kind:
            return refusal(415, "BAD_REQUEST", "The request has no content type")
        client = self._application.test_client()
        told = client.post("/invocations", data=body, headers={"content-type": kind})
        return Answer(told.status_code, told.data, told.mimetype)


def _say_that_it_is_served() -> None:
    """Some models behave otherwise then; early MLflow knows no such variable."""
    variables = importlib.import_module("mlflow.environment_variables")
    serving = getattr(variables, "_MLFLOW_IS_IN_SERVING_ENVIRONMENT", None)
    if serving is not None:
        os.environ[serving.name] = "true"
