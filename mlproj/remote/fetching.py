"""Brings data here that is named by where a server tracks it: `runs:/`, `models:/`, `mlflow-artifacts:/`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from mlproj.errors import DataError, MlprojError, NotFound
from mlproj.remote.answers import Files, ModelInfo, OneModel, read_answer, run_of
from mlproj.remote.connection import Connection
from mlproj.remote.registered import DownloadUri, OneVersion, Versions
from mlproj.spec.model_uri import SCHEME, ModelUri, read_model_uri

_PROXY = "/api/2.0/mlflow-artifacts/artifacts"
_DEEPEST = 50
_MOST_STEPS = 100
"""A version may be made of another one, and that of a third."""


def address_of(connection: Connection, uri: str) -> str:
    """Where the artifact is that `uri` names: a run's, or a model's. Raises UsageError for one that names no
    model, NotFound."""
    for _ in range(_MOST_STEPS):
        if uri.startswith(SCHEME):
            uri = _model_address(connection, read_model_uri(uri))
        elif uri.startswith("runs:"):
            return _run_address(connection, uri)
        else:
            return uri
    raise DataError(f"`{uri}` leads from one version of a model to another, and to no files")


def _run_address(connection: Connection, uri: str) -> str:
    """Below the artifacts of the run; else, from MLflow 3 on, of a model that it logged under that name."""
    run_id, _, path = urlsplit(uri).path.strip("/").partition("/")
    run = run_of(connection.get("runs/get", run_id=run_id, run_uuid=run_id))
    first, _, below = path.partition("/")
    if run.model_outputs and not lists(connection, run_id, first):
        for output in reversed(run.model_outputs):
            model = _logged(connection, output.model_id)
            if model.name == first:
                return f"{model.artifact_uri.rstrip('/')}/{below}".rstrip("/")
    return f"{run.artifact_uri.rstrip('/')}/{path}".rstrip("/")


def lists(connection: Connection, run_id: str, path: str) -> bool:
    """Whether a file or folder is among the artifacts of a run."""
    folder = path.rstrip("/").rpartition("/")[0]
    within = {"path": folder} if folder else {}
    listed = read_answer(connection.get("artifacts/list", run_id=run_id, **within), Files)
    return any(file.path == path.rstrip("/") for file in listed.files)


def _model_address(connection: Connection, asked: ModelUri) -> str:
    """One step on the way to a model's files."""
    if asked.model_id is not None:
        return _logged(connection, asked.model_id).artifact_uri
    version = pinned(connection, asked).version
    answer = connection.get("model-versions/get-download-uri", name=asked.name, version=str(version))
    return read_answer(answer, DownloadUri).artifact_uri


def pinned(connection: Connection, asked: ModelUri) -> ModelUri:
    """The same by the number of its version, where it is of a registered model. Raises NotFound."""
    if asked.model_id is not None or asked.version is not None:
        return asked
    return ModelUri(name=asked.name, version=int(_newest(connection, asked)))


def _newest(connection: Connection, asked: ModelUri) -> str:
    """The number of the version that an alias or a stage stands for, or of the latest."""
    if asked.alias is not None:
        answer = connection.get("registered-models/alias", name=asked.name, alias=asked.alias)
        return read_answer(answer, OneVersion).model_version.version
    stages = {} if asked.stage is None else {"stages": [asked.stage.value]}
    answer = connection.post("registered-models/get-latest-versions", name=asked.name, **stages)
    found = read_answer(answer, Versions).model_versions
    if not found:
        told = "no version" if asked.stage is None else f"no version in the stage {asked.stage.value}"
        raise NotFound(f"the registered model `{asked.name}` has {told}")
    return max((each.version for each in found), key=int)


def _logged(connection: Connection, model_id: str) -> ModelInfo:
    return read_answer(connection.get(f"logged-models/{model_id}"), OneModel).model.info


def fetch(connection: Connection, address: str, folder: Path) -> Path:
    """Brings the file or folder at an `mlflow-artifacts:` address into `folder`; returns where it is.

    Raises DataError for what the server does not hold, StoreError where it does not answer.
    """
    place = unquote(urlsplit(address).path).strip("/")
    target = folder / (PurePosixPath(place).name or "artifacts")
    files = tuple(_files(connection, place, "", 0))
    for path in files or ("",):
        inside = PurePosixPath(path)
        if inside.is_absolute() or ".." in inside.parts:
            raise DataError(f"the tracking server names a file that leads out of its folder: `{path}`")
        file = target / inside if path else target
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with (
                connection.pieces(f"{_PROXY}/{place}/{path}".rstrip("/")) as pieces,
                file.open("wb") as written,
            ):
                written.writelines(pieces)
        except MlprojError as error:
            raise DataError(f"could not download `{address}`: {error.message}", hint=error.hint) from error
        except OSError as error:
            raise DataError(f"`{file}` cannot be written: {error.strerror}") from error
    return target


def _files(connection: Connection, place: str, folder: str, depth: int) -> Iterator[str]:
    """The paths of all files in a folder, relative to `place`; none for a file."""
    listed = read_answer(connection.get(_PROXY, path=f"{place}/{folder}".rstrip("/")), Files)
    for file in listed.files:
        path = f"{folder}/{PurePosixPath(file.path).name}".lstrip("/")
        if not file.is_dir:
            yield path
        elif depth < _DEEPEST:
            yield from _files(connection, place, path, depth + 1)
