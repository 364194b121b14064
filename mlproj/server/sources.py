"""What a model version is made from: nothing that lies outside the run or the model that it names."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import unquote, urlsplit

from mlproj.errors import NotFound
from mlproj.model.registry import PROMPT_TAG, Origin
from mlproj.server import places
from mlproj.server.desk import Desk
from mlproj.server.failures import Failure, invalid
from mlproj.server.wire.registry import CreateModelVersion
from mlproj.server.wire.values import pairs

_LOGGED = re.compile(r"models:/(?P<model_id>m-[\w\-]+)(?:/.*)?", re.ASCII | re.DOTALL)
_REGISTERED = re.compile(r"models:/(?P<name>[^/@]+)(?:/(?P<version>\d{1,18})|@(?P<alias>[^/]+))")
_MOST_COPIES = 100
_OF_PROMPTS = ("dummy-source", "prompt-template")
"""What clients name as the source of a prompt's version, which has no files."""


def lineage(desk: Desk, asked: CreateModelVersion) -> Origin:
    """The origin of a version that a client makes, what it left out filled in. Raises Failure."""
    origin = Origin(source=asked.source, run_id=asked.run_id or None, model_id=asked.model_id or None)
    if dict(pairs(asked.tags)).get(PROMPT_TAG, "").lower() == "true":
        return _of_prompt(origin)
    _plain(origin.source)
    if copied := _REGISTERED.fullmatch(origin.source):
        return _of_copy(desk, origin, copied)
    if logged := _LOGGED.fullmatch(origin.source):
        origin = _of_logged(desk, origin, logged["model_id"])
    if _is_local(origin.source):
        _inside(desk, origin)
    elif _scheme(origin.source) == places.SCHEME:
        _named(origin)
    if origin.run_id is None and origin.model_id is not None:
        return _with_run(desk, origin)
    return origin


def storage(desk: Desk, source: str) -> str:
    """Where the files are that `source` stands for, through models and copies of versions."""
    for _ in range(_MOST_COPIES):
        if logged := _LOGGED.fullmatch(source):
            return desk.addressed(desk.tracking.models.get(logged["model_id"])).artifact_uri
        copied = _REGISTERED.fullmatch(source)
        if copied is None or copied["version"] is None:
            return source
        source = desk.tracking.registry.version(copied["name"], int(copied["version"])).source
    return source


def _of_prompt(origin: Origin) -> Origin:
    if origin.source not in _OF_PROMPTS:
        raise invalid(
            f"Invalid prompt source: '{origin.source}'. Prompt sources must use an MLflow placeholder."
        )
    return origin


def _of_copy(desk: Desk, origin: Origin, copied: re.Match[str]) -> Origin:
    """A version that is made from another one: its number is written down, as an alias may move on."""
    registry, name = desk.tracking.registry, copied["name"]
    if copied["alias"] is not None:
        original = registry.aliased(name, copied["alias"])
    else:
        original = registry.version(name, int(copied["version"]))
    for given, known in ((origin.run_id, original.run_id), (origin.model_id, original.model_id)):
        if given is not None and given != known:
            raise invalid(
                f"Invalid model version source: '{origin.source}'. The run_id and model_id request "
                "parameters must match the referenced model version."
            )
    source = f"models:/{name}/{original.version}"
    return Origin(source=source, run_id=original.run_id, model_id=original.model_id)


def _of_logged(desk: Desk, origin: Origin, model_id: str) -> Origin:
    if origin.model_id is not None and origin.model_id != model_id:
        raise _unnamed(origin.source, "model_id")
    return Origin(source=origin.source, run_id=origin.run_id, model_id=origin.model_id or model_id)


def _with_run(desk: Desk, origin: Origin) -> Origin:
    try:
        model = desk.tracking.models.get(origin.model_id or "")
    except NotFound as error:
        raise _unnamed(origin.source, "model_id") from error
    return Origin(source=origin.source, run_id=model.source_run_id, model_id=origin.model_id)


def _plain(source: str) -> None:
    """No way up, in whatever disguise."""
    plain = source
    while (decoded := unquote(plain)) != plain:
        plain = decoded
    if "\0" in plain or ".." in plain.split("/"):
        raise invalid(
            f"Invalid model version source: '{source}'. If supplying a source as an http, https, local file "
            "path, ftp, objectstore, or mlflow-artifacts uri, an absolute path must be provided without "
            "relative path references present. Please provide an absolute path."
        )


def _inside(desk: Desk, origin: Origin) -> None:
    """Refuses a path of this machine that is not in the artifact folder of the run or model."""
    kind = "run_id" if origin.model_id is None else "model_id"
    try:
        if origin.model_id is not None:
            roots = [desk.tracking.models.get(origin.model_id).artifact_uri]
        elif origin.run_id is not None:
            roots = [desk.tracking.runs.get(origin.run_id).artifact_uri]
        else:
            roots = []
    except NotFound:
        roots = []
    path = _path(origin.source)
    if not any(_is_local(root) and f"{path}/".startswith(f"{_path(root)}/") for root in roots):
        raise invalid(
            f"Invalid model version source: '{origin.source}'. To use a local path as a model version "
            f"source, the {kind} request parameter has to be specified and the local path has to be "
            f"contained within the artifact directory of the run specified by the {kind}."
        )


def _named(origin: Origin) -> None:
    """Refuses an address of this server's that is of another run or model than the one that is named."""
    field, kind = ("run_id", "runs") if origin.model_id is None else ("model_id", "models")
    try:
        place = places.place(unquote(urlsplit(origin.source).path).strip("/"))
    except Failure as failure:
        raise _unnamed(origin.source, field) from failure
    if (place.kind, place.name) != (kind, origin.model_id or origin.run_id):
        raise _unnamed(origin.source, field)


def _is_local(uri: str) -> bool:
    scheme = _scheme(uri)
    return scheme in ("", "file")


def _scheme(uri: str) -> str:
    try:
        return urlsplit(uri).scheme
    except ValueError as error:
        raise invalid(f"Invalid model version source: '{uri}'.") from error


def _path(uri: str) -> str:
    path = unquote(urlsplit(uri).path) if _scheme(uri) == "file" else uri
    return posixpath.normpath(path)


def _unnamed(source: str, field: str) -> Failure:
    return invalid(
        f"Invalid model version source: '{source}'. The {field} request parameter must identify the resource "
        "that contains the source."
    )
