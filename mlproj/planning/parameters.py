"""Parameters: what a person gave and what the entry point declares become values, checked, in one order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from mlproj.errors import DataError, ParameterError, did_you_mean
from mlproj.model.encoding import is_text
from mlproj.model.fitting import is_remote, misfit
from mlproj.model.plan import Origin, Value
from mlproj.model.project import EntryPoint, Parameter, ParameterType

Locate = Callable[[str, Origin], "tuple[Path, str] | None"]
"""Looks a path up on the disk: where it is and relative to which folder, or None where it is nowhere."""


def parse_assignments(assignments: Iterable[str], *, option: str = "-P") -> dict[str, str]:
    """The values in texts like `alpha=0.5`, given to `option`. Raises ParameterError for one without `=` and
    for a name given twice.
    """
    given: dict[str, str] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name:
            hint = f"write `{option} {name or 'NAME'}=VALUE`"
            raise ParameterError(f"`{option} {assignment}` is not of the form `NAME=VALUE`", hint=hint)
        if name in given:
            hint = f"give `{option} {name}=VALUE` once"
            raise ParameterError(f"`{option} {name}` is given more than once", hint=hint)
        given[name] = text
    return given


def bind(entry: EntryPoint, given: Mapping[str, str], locate: Locate) -> tuple[Value, ...]:
    """A value for each declared parameter, in the order of declaration, then those that are not declared.

    Raises ParameterError where values are missing (all of them named) or one that was given does not fit its
    type, DataError where a path is not there. A default that does not fit its type is taken as written.
    """
    _refuse_unreadable(given)
    _require(entry, given)
    declared = tuple(_bound(parameter, given, locate) for parameter in entry.parameters)
    extras = tuple(
        Value(name=name, type=ParameterType.STRING, text=text, origin=Origin.GIVEN, extra=True)
        for name, text in given.items()
        if entry.parameter(name) is None
    )
    return declared + extras


def _refuse_unreadable(given: Mapping[str, str]) -> None:
    for name, text in given.items():
        if "\0" in name or "\0" in text:
            raise ParameterError(f"the value of `{name!a}` holds a NUL, which no argument can")
        if not (is_text(name) and is_text(text)):
            raise ParameterError(
                f"the value of `{name}` is no text in UTF-8, and a record holds nothing else",
                hint="pass the name of a file that holds it",
            )


def _require(entry: EntryPoint, given: Mapping[str, str]) -> None:
    missing = [
        parameter
        for parameter in entry.parameters
        if parameter.default is None and parameter.name not in given
    ]
    if not missing:
        return
    named = ", ".join(_described(parameter) for parameter in missing)
    word = "a value" if len(missing) == 1 else "values"
    raise ParameterError(
        f"entry point `{entry.name}` needs {word} for {named} ({entry.location})",
        hint=_misspelt(missing, entry, given) or _pass(missing),
    )


def _described(parameter: Parameter) -> str:
    if not parameter.description:
        return f"`{parameter.name}`"
    return f"`{parameter.name}` ({' '.join(parameter.description.split())})"


def _pass(missing: Sequence[Parameter]) -> str:
    return "pass " + " ".join(f"`-P {parameter.name}=VALUE`" for parameter in missing)


def _misspelt(missing: Sequence[Parameter], entry: EntryPoint, given: Mapping[str, str]) -> str | None:
    for name in given:
        near = did_you_mean(name, [parameter.name for parameter in missing])
        if near is not None and entry.parameter(name) is None:
            return f"`{name}` was given: {near}"
    return None


def _bound(parameter: Parameter, given: Mapping[str, str], locate: Locate) -> Value:
    origin = Origin.GIVEN if parameter.name in given else Origin.DEFAULT
    text = given.get(parameter.name, parameter.default or "")
    located = base = None
    if origin is Origin.GIVEN and text != parameter.default:
        _check(parameter, text)
    if parameter.type is ParameterType.PATH:
        located, base = _located(parameter, text, origin, locate)
    return Value(
        name=parameter.name,
        type=parameter.type,
        text=text,
        origin=origin,
        secret=parameter.secret,
        located=located,
        base=base,
    )


def _check(parameter: Parameter, text: str) -> None:
    expected = misfit(parameter, text)
    if expected is None:
        return
    shown = "the given value" if parameter.secret else f"`{text}`"
    hint = _closest(parameter, text)
    raise ParameterError(
        f"parameter `{parameter.name}` must be {expected}, and {shown} is not ({parameter.location})",
        hint=hint,
    )


def _closest(parameter: Parameter, text: str) -> str | None:
    return None if parameter.secret else did_you_mean(text, parameter.choices)


def _located(
    parameter: Parameter, text: str, origin: Origin, locate: Locate
) -> tuple[Path | None, str | None]:
    if text == "" and origin is Origin.DEFAULT:
        return None, None
    found = locate(text, origin)
    if found is not None:
        return found
    if is_remote(text):
        return None, "uri"
    anchored = text.startswith("/") or ":/" in text
    raise DataError(
        f"parameter `{parameter.name}` is a path, and there is no file or folder `{text}` "
        f"({parameter.location})",
        hint=None if anchored else "looked in the project's folder and the current one",
    )
