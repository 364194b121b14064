"""Whether a text fits a parameter's type: one answer for the values people give and for declared defaults."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mlproj.errors import unreachable
from mlproj.model.plan import BOOLEANS
from mlproj.model.project import Parameter, ParameterType

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.+", re.DOTALL)
_REMOTE = re.compile(r"(?!(?i:file):)[A-Za-z][A-Za-z0-9+.-]+:/.*", re.DOTALL)


def misfit(parameter: Parameter, text: str) -> str | None:
    """What `text` would have to be to fit the parameter (`a whole number`), or None where it fits.

    A path is not looked up here.
    """
    expected = _expected(parameter.type, text)
    return expected or _not_chosen(parameter.choices, text)


def is_remote(text: str) -> bool:
    """Whether a path is a URI of something elsewhere (`s3://…`, `runs:/…`), which no folder holds."""
    return _REMOTE.fullmatch(text) is not None


def _expected(kind: ParameterType, text: str) -> str | None:
    match kind:
        case ParameterType.INT:
            return None if _reads(int, text) else "a whole number"
        case ParameterType.FLOAT:
            return None if _reads(float, text) else "a number"
        case ParameterType.BOOL:
            return None if text.lower() in BOOLEANS else "true or false"
        case ParameterType.URI:
            return None if _URI.fullmatch(text) else "a URI"
        case ParameterType.STRING | ParameterType.PATH | ParameterType.CHOICE:
            return None
        case _:
            unreachable(kind)


def _reads(convert: type[int] | type[float], text: str) -> bool:
    try:
        convert(text)
    except ValueError:
        return False
    return True


def _not_chosen(choices: Sequence[str], text: str) -> str | None:
    if not choices or text in choices:
        return None
    return "one of " + ", ".join(f"`{choice}`" for choice in choices)
