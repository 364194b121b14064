"""A model of MLflow's, loaded and asked by the mlflow of its own environment: so each answer is MLflow's."""

from __future__ import annotations

import importlib
import json
import os
from typing import TYPE_CHECKING, Any

from .exchange import PLAIN, Answer, Loaded, Refused, Scorer, refusal, unreadable
from .extent import refuse_sparse_body
from .rows import CSV_TYPE, JSON_TYPE

if TYPE_CHECKING:
    from .loading import Facts


def load(place: str, facts: Facts) -> Loaded:
    serving = importlib.import_module("mlflow.pyfunc.scoring_server")
    loading = getattr(serving, "load_model_with_mlflow_config", None) or serving.load_model
    model = loading(place)
    version = importlib.import_module("mlflow.version").VERSION
    if not hasattr(serving, "invocations"):
        return Loaded(_bounded(_ByFlask(serving.init(model))), version)
    _say_that_it_is_served()
    return Loaded(_bounded(_Invocations(serving, model)), version)


def _bounded(scorer: Scorer) -> Scorer:
    """It refuses what takes far more room as a table than it has as it is sent."""

    def bounded(body: bytes, kind: str) -> Answer:
        try:
            refuse_sparse_body(body, is_csv=kind.lower().startswith(CSV_TYPE))
        except Refused as refused:
            return refused.answer
        return scorer(body, kind)

    return bounded


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
        except (OverflowError, RecursionError) as error:
            return _no_json(body) or unreadable(error)
        except ValueError:
            refused = _no_json(body)
            if refused is None:
                raise
            return refused
        return Answer(told.status, told.response.encode(), told.mimetype)


def _no_json(body: bytes) -> Answer | None:
    """The answer to JSON that is nested too deep, or has a number of thousands of digits: that MLflow's own
    server takes for a fault of its own. None where it can be read."""
    try:
        json.loads(body)
    except (RecursionError, ValueError) as error:
        # What stands in the representation of a UnicodeError is all of the body.
        wrong = str(error) if isinstance(error, UnicodeError) else repr(error)
        told = f"Ensure that input is a valid JSON formatted string. Error: '{wrong}'"
        return refusal(400, "BAD_REQUEST", told)
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
        if told.status_code == 500 and kind.startswith(JSON_TYPE):
            refused = _no_json(body)
            if refused is not None:
                return refused
        return Answer(told.status_code, told.data, told.mimetype)


def _say_that_it_is_served() -> None:
    """Some models behave otherwise then; early MLflow knows no such variable."""
    variables = importlib.import_module("mlflow.environment_variables")
    serving = getattr(variables, "_MLFLOW_IS_IN_SERVING_ENVIRONMENT", None)
    if serving is not None:
        os.environ[serving.name] = "true"
