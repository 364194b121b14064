"""The data of a run: found for `path` parameters, fetched where it is elsewhere, and digested."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mlproj.model.events import Report
from mlproj.model.plan import Value
from mlproj.model.project import EntryPoint, ParameterType
from mlproj.model.provenance import InputState
from mlproj.model.redaction import without_credentials
from mlproj.model.source import Checkout
from mlproj.planning.parameters import bind
from mlproj.planning.paths import fill
from mlproj.services.locate import locate
from mlproj.services.request import RunRequest, Tools

BY_URI = "uri"
"""The base of a `path` value that names its data by URI; it stays so once the data is downloaded."""


def bound(
    request: RunRequest,
    entry: EntryPoint,
    checkout: Checkout,
    tools: Tools,
    storage: Path | None,
    report: Report,
) -> tuple[Value, ...]:
    """The parameters' values: paths looked up, and what a `path` names by URI downloaded into `storage`
    (left alone without one). Raises ParameterError or DataError."""
    values = bind(
        entry,
        request.parameters,
        lambda text, origin: locate(text, origin, caller=request.caller, project=checkout.directory),
    )
    bound = []
    for number, value in enumerate(values):
        if storage is not None and value.base == BY_URI:
            place = tools.download(value.text, storage / f"param_{number}", report)
            value = replace(value, located=place)
        bound.append(replace(value, secret=value.secret or tools.observer.secret(value.text)))
    return tuple(bound)


def observed(
    request: RunRequest,
    entry: EntryPoint,
    values: tuple[Value, ...],
    checkout: Checkout,
    tools: Tools,
    report: Report,
) -> tuple[InputState, ...]:
    """Digests of every path parameter, every declared input and every one named by the request; of a URI,
    what the far side tells. Raises DataError."""
    places: dict[str, Path] = {}
    states: list[InputState] = []
    for value in values:
        if value.located is not None:
            places[value.name] = value.located
        elif value.type is ParameterType.URI or value.base == BY_URI:
            states.append(tools.observer.remote(value.name, value.text).state)
    for template in entry.inputs:
        if template.strip("{}") in places:  # a path parameter, which is an input already
            continue
        name = fill(template, values, entry)
        places.setdefault(name, checkout.directory / name)
    for text in request.inputs:
        places.setdefault(text, request.caller / text)
    origins = {
        value.name: value.text for value in values if value.base == BY_URI and value.located is not None
    }
    for name, place in places.items():
        state = tools.observer.data(name, place, checkout.directory, declared=True, report=report).state
        if name in origins:
            told = tools.observer.remote(name, origins[name]).state
            state = replace(state, path=without_credentials(origins[name]), remote=told.remote)
        states.append(state)
    return tuple(states)
