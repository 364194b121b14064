"""`mlproj models serve` and `predict`: a model asked in its own environment, by the program in `scoring`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import msgspec

from mlproj import scoring
from mlproj.errors import DataError, EnvironmentFailed, Interrupted, UsageError
from mlproj.model.digest import plain
from mlproj.model.events import Ended, Started
from mlproj.process import attend
from mlproj.services.found_models import FoundModel, ModelSearch, found_model
from mlproj.services.interrupts import interruptible
from mlproj.services.model_environments import Entered, entered
from mlproj.services.tracked_data import is_tracked
from mlproj.version import __version__

PROGRAM = Path(scoring.__file__).parent
"""The folder that the model's Python is started with."""

_UNUSABLE, _NO_PORT, _REFUSED = 3, 4, 5
"""Exit codes of that program: see `scoring/program.py`, which no module of ours imports."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is served: `timeout` in seconds is how long an answer may take, `most` bytes are taken."""

    host: str = "127.0.0.1"
    port: int = 5000
    workers: int = 1
    timeout: float = 60.0
    most: int = 256 * 1024 * 1024


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """A file to score, and where to write to; None is standard input or output. `kind` is a content type."""

    source: Path | None
    target: Path | None
    kind: str


def serve(search: ModelSearch, terms: Terms) -> None:
    """Answers for the model until somebody asks for the end. Raises DataError, EnvironmentFailed, and
    UsageError for a port that is not to be had."""
    arguments = (
        *("--host", terms.host, "--port", str(terms.port), "--workers", str(terms.workers)),
        *("--timeout", str(terms.timeout), "--most", str(terms.most), "--attended"),
    )
    with interruptible(), found_model(search) as found, entered(found, search) as environment:
        search.report(Started(stage="serve", detail=found.uri))
        try:
            code, reason = _call(("serve", *arguments), found, environment, is_fed=False)
        except Interrupted:
            # This is how serving ends, in good order.
            return
        finally:
            search.report(Ended(stage="serve"))
    if code == _NO_PORT:
        raise UsageError(
            f"`{terms.host}:{terms.port}` cannot be listened at: {reason}", hint="name another with `--port`"
        )
    if code:
        raise _failed(code, reason, found)


def predict(search: ModelSearch, prediction: Prediction) -> None:
    """Scores a file. Raises DataError for input that the model does not take, and EnvironmentFailed."""
    arguments: tuple[str, ...] = ("--kind", prediction.kind)
    for option, path in (("--input", prediction.source), ("--output", prediction.target)):
        arguments += () if path is None else (option, str(path))
    with interruptible(), found_model(search) as found, entered(found, search) as environment:
        code, reason = _call(("predict", *arguments), found, environment, is_fed=True)
    if code == _REFUSED:
        raise DataError(f"the model does not take the input: {reason}")
    if code:
        raise _failed(code, reason, found)


def facts(found: FoundModel) -> dict[str, object]:
    """What the program is told of the model, for where there is no mlflow to read its description."""
    described = found.description
    inputs = None if described is None else described.signature.inputs
    return {
        "file": None if described is None else described.file,
        "columns": None if inputs is None else [plain(column.document) for column in inputs],
        "version": f"mlproj {__version__}",
        "served": served(found),
    }


def served(found: FoundModel) -> dict[str, str | None]:
    """Which model it is, for whoever has an answer of it and wants to know where that is from: `model` is
    what `mlproj lineage` takes, and stays the same when an alias or a stage comes to stand for another."""
    run, described = found.run, found.description
    is_here = "://" not in found.address and not is_tracked(found.address)
    return {
        "schema": "mlproj/served-model/1",
        "model": found.place.name if is_here else found.address,
        "digest": found.digest,
        "run_id": run.run_id if run is not None else None if described is None else described.run_id,
        "record": None if run is None else run.record,
    }


def _call(
    arguments: tuple[str, ...], found: FoundModel, environment: Entered, *, is_fed: bool
) -> tuple[int, str]:
    """The program's exit code, and the reason that it gives where it failed."""
    with tempfile.TemporaryDirectory(prefix="mlproj-scoring-") as folder:
        told, failure = Path(folder, "facts.json"), Path(folder, "failure")
        told.write_text(json.dumps(facts(found)))
        files = ("--model", str(found.place), "--facts", str(told), "--failure", str(failure))
        code = attend(
            (str(environment.python), str(PROGRAM), *arguments, *files),
            directory=found.folder,
            environ=environment.environ,
            descriptors=environment.descriptors,
            is_fed=is_fed,
        )
        reason = failure.read_text(errors="replace") if failure.exists() else ""
    return code, reason


def _failed(code: int, reason: str, found: FoundModel) -> EnvironmentFailed:
    if code == _UNUSABLE:
        hint = None if "No module named" not in reason else "its environment lacks what it was made with"
        return EnvironmentFailed(f"`{found.uri}` cannot be used: {reason}", hint=hint)
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    return EnvironmentFailed(f"the process of the model `{found.uri}` ended {how}")
