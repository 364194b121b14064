"""The data of a run: found for `path` parameters, fetched where it is elsewhere, and digested."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from mlproj.model.plan import Value
from mlproj.model.project import EntryPoint, ParameterType
from mlproj.model.redaction import without_credentials
from mlproj.planning.parameters import bind
from mlproj.planning.paths import fill
from mlproj.ports import ObservedInput
from mlproj.services.locate import locate
from mlproj.services.request import Context
from mlproj.services.tracked_data import bring, is_tracked

BY_URI = "uri"
"""The base of a `path` value that names its data by URI; it stays so once the data is downloaded."""


def bound(context: Context, entry: EntryPoint, storage: Path | None) -> tuple[Value, ...]:
    """The parameters' values: paths looked up, and what a `path` names by URI downloaded into `storage`
    (left alone without one). Raises ParameterError or DataError."""
    request, tools, project = context.request, context.tools, context.checkout.directory
    values = bind(
        entry,
        request.parameters,
        lambda text, origin: locate(text, origin, caller=request.caller, project=project),
    )
    bound = []
    for number, value in enumerate(values):
        if storage is not None and value.base == BY_URI:
            brought = storage / f"param_{number}"
            if is_tracked(value.text):
                place = bring(context, value.text, brought)
            else:
                place = tools.download(value.text, brought, context.report)
            value = replace(value, located=place)
        bound.append(replace(value, secret=value.secret or tools.observer.secret(value.text)))
    return tuple(bound)


def observed(context: Context, entry: EntryPoint, values: tuple[Value, ...]) -> tuple[ObservedInput, ...]:
    """Digests of every path parameter, every declared input and every one named by the request; of a URI,
    what the far side tells. Raises DataError."""
    observer, project = context.tools.observer, context.checkout.directory
    places: dict[str, Path] = {}
    states: list[ObservedInput] = []
    for value in values:
        if value.located is not None:
            places[value.name] = value.located
        elif value.type is ParameterType.URI or value.base == BY_URI:
            states.append(observer.remote(value.name, value.text))
    for template in entry.inputs:
        if template.strip("{}") in places:  # a path parameter, which is an input already
            continue
        name = fill(template, values, entry)
        places.setdefault(name, project / name)
    for text in context.request.inputs:
        places.setdefault(text, context.request.brought.get(text) or context.request.caller / text)
    origins = {
        value.name: value.text for value in values if value.base == BY_URI and value.located is not None
    }
    for name, place in places.items():
        seen = observer.data(name, place, project, declared=True, report=context.report)
        if name in origins:
            told = observer.remote(name, origins[name]).state
            path = without_credentials(origins[name])
            seen = replace(seen, state=replace(seen.state, path=path, remote=told.remote))
        states.append(seen)
    return tuple(states)
