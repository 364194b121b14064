"""Entry points and values for the tests of planning, made from plain texts."""

from __future__ import annotations

from mlproj.model.plan import Origin, Value
from mlproj.model.project import EntryPoint, Location, Parameter, ParameterType

HERE = Location(file="MLproject", line=7)


def parameter(
    name: str, type: str = "string", default: str | None = None, choices: tuple[str, ...] = ()
) -> Parameter:
    return Parameter(
        name=name,
        type=ParameterType(type),
        declared_type=type,
        default=default,
        choices=choices,
        location=HERE,
    )


def entry(command: str, *parameters: Parameter | str) -> EntryPoint:
    declared = tuple(parameter(item) if isinstance(item, str) else item for item in parameters)
    return EntryPoint(name="main", command=command, parameters=declared, location=HERE)


def value(name: str, text: str, *, extra: bool = False, secret: bool = False) -> Value:
    return Value(
        name=name,
        type=ParameterType.STRING,
        text=text,
        origin=Origin.GIVEN,
        extra=extra,
        secret=secret,
    )
