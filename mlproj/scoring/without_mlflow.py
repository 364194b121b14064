"""An estimator in a file of joblib's or pickle's: the same protocol, where there is no mlflow to speak it."""

from __future__ import annotations

import importlib
import importlib.util
import os
import pickle
import traceback
from typing import TYPE_CHECKING, Any

from .columns import Columns
from .exchange import PLAIN, Answer, Loaded, Refused, Unusable, document, unreadable
from .rows import JSON_TYPE, KINDS, read_rows

if TYPE_CHECKING:
    from .loading import Facts


def load(place: str, facts: Facts) -> Loaded:
    """Raises Unusable for a file that holds nothing with a `predict`, and whatever unpickling raises."""
    if os.path.isdir(place):
        raise Unusable(
            "it is a folder of files, and nothing of its environment knows which of them holds the model: "
            "mlflow is not there, or the model has no flavour `python_function`"
        )
    if place.endswith(".skops"):
        raise Unusable(
            "the model is in a file of skops, which mlflow loads, and its environment has no mlflow"
        )
    estimator = _unpickled(place)
    if not callable(getattr(estimator, "predict", None)):
        raise Unusable(
            f"`{os.path.basename(place)}` holds a {type(estimator).__name__}, which predicts nothing"
        )
    if importlib.util.find_spec("pandas"):
        # The first client does not wait for what takes a second to import.
        importlib.import_module("pandas")
    return Loaded(_Estimator(estimator, facts), facts.version)


def _unpickled(place: str) -> Any:
    if importlib.util.find_spec("joblib"):
        return importlib.import_module("joblib").load(place)
    with open(place, "rb") as file:
        return pickle.load(file)


class _Estimator:
    def __init__(self, estimator: Any, facts: Facts) -> None:
        self._estimator = estimator
        self._columns = Columns.of(estimator, facts.columns)

    def __call__(self, body: bytes, kind: str) -> Answer:
        mime = kind.partition(";")[0].strip()
        if mime not in KINDS:
            told = f"This predictor only supports the following content types: Types: {list(KINDS)}."
            return Answer(415, f"{told} Got '{kind}'.".encode(), PLAIN)
        try:
            rows = self._columns.fitted(read_rows(body, is_json=mime == JSON_TYPE))
            return self._predicted(rows)
        except Refused as wrong:
            return wrong.answer
        except (OverflowError, RecursionError) as error:
            # A table takes such cells, and so does a model that passes them on.
            return unreadable(error)

    def _predicted(self, rows: Any) -> Answer:
        try:
            predictions = self._estimator.predict(rows)
        except Exception as error:
            message = f"the model cannot be evaluated on this input: {type(error).__name__}: {error}"
            return document(
                400, {"error_code": "BAD_REQUEST", "message": message, "stack_trace": _trace(error)}
            )
        return document(200, {"predictions": _plain(predictions)})


def _trace(error: Exception) -> str:
    """Where it was raised, without where on this machine that lies."""
    told = traceback.TracebackException.from_exception(error)
    _shorten(told, set())
    return "".join(told.format())


def _shorten(told: traceback.TracebackException, seen: set[int]) -> None:
    seen.add(id(told))
    for frame in told.stack:
        _, packages, inside = frame.filename.rpartition(f"{os.sep}site-packages{os.sep}")
        frame.filename = inside if packages else os.path.basename(frame.filename)
    for earlier in (told.__cause__, told.__context__):
        if earlier is not None and id(earlier) not in seen:
            _shorten(earlier, seen)


def _plain(predictions: Any) -> Any:
    """Numbers and texts, in lists; of a table, a mapping for each row."""
    if hasattr(predictions, "to_dict") and hasattr(predictions, "columns"):
        return [
            {str(key): _plain(cell) for key, cell in row.items()} for row in predictions.to_dict("records")
        ]
    if hasattr(predictions, "tolist"):
        return _plain(predictions.tolist())
    if isinstance(predictions, (list, tuple)):
        return [_plain(item) for item in predictions]
    if predictions is None or isinstance(predictions, (str, int, float, bool)):
        return predictions
    return str(predictions)
