"""Templates: text with names in braces. Only declared names are replaced, and nothing is evaluated."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

import msgspec
from msgspec.structs import replace

from mlproj.errors import SpecError, did_you_mean
from mlproj.model.project import EntryPoint, Location

_NAME = re.compile(r"[^\W\d]\w*(?:[-.]\w+)*")
_FORMATTED = re.compile(r"(?P<name>[^{}!:]+)(?:!(?P<conversion>[ras]))?(?::(?P<spec>[^{}\n]*))?")
_REACHING = re.compile(r"(?P<name>[^{}!:.\[]+)[.\[][^{}]*")
_MALFORMED = re.compile(r"(?P<name>[^{}!:]+)[!:].*", re.DOTALL)
_LONG_WIDTH = re.compile(r"\d{4}")
_SIGN = re.compile(r"\{\{|\}\}|\{")
_LONGEST = 1000
"""Characters between braces: more of them are no name, and looking for their end would take very long."""


class Placeholder(msgspec.Struct, frozen=True, kw_only=True):
    """A declared name in braces. `conversion` and `spec` are those of `str.format` (`{a!r:>8}`).

    `after` is the literal character right before it, if there is one.
    """

    name: str
    conversion: str | None = None
    spec: str | None = None
    after: str = ""

    @property
    def formatted(self) -> bool:
        """Whether the braces change the text: `!s` and `:s` do not."""
        return self.conversion in ("r", "a") or self.spec not in (None, "", "s")


Piece = str | Placeholder


def pieces(template: str, declared: Collection[str], location: Location) -> tuple[Piece, ...]:
    """The template as literal texts and placeholders, in order, scanned from left to right.

    `{{` and `}}` are braces, and so is what cannot be a name (`{}`, `{print $1}`, `{1..5}`). Raises SpecError
    for a name that is not in `declared`, and for one that is with more around it (`{a.b}`, `{ a }`, `{a!x}`).
    """
    return _scanned(template, lambda content: _placeholder(content, declared, location))


def undeclared(template: str, declared: Collection[str]) -> tuple[str, ...]:
    """The names in braces that are not declared: what `pieces` would stop at, all of them."""

    def stranger(content: str) -> Placeholder | None:
        named = content in declared or _NAME.fullmatch(content)
        return Placeholder(name=content) if named else None

    found = _scanned(template, stranger)
    names = (piece.name for piece in found if isinstance(piece, Placeholder))
    return tuple(
        dict.fromkeys(name for name in names if name not in declared and not _reaches(name, declared))
    )


def placeholders(template: str, declared: Collection[str]) -> frozenset[str]:
    """The declared names that stand in braces, whatever else does."""
    known = {*declared, *undeclared(template, declared)}
    try:
        found = pieces(template, known, Location(file=""))
    except SpecError:
        return frozenset(name for name in declared if f"{{{name}" in template)
    return frozenset(piece.name for piece in found if isinstance(piece, Placeholder))


def names(entry: EntryPoint) -> frozenset[str]:
    return frozenset(parameter.name for parameter in entry.parameters)


def formatted(placeholder: Placeholder, text: str, location: Location) -> str:
    """`text` as `str.format` would put it at the placeholder; raises SpecError for a format not for texts."""
    converted = {"r": repr, "a": ascii}.get(placeholder.conversion or "", str)(text)
    spec = placeholder.spec or ""
    try:
        if _LONG_WIDTH.search(spec):
            raise ValueError("too wide")
        return format(converted, spec)
    except ValueError as error:
        message = f"`{{{placeholder.name}:{spec}}}` is not a format for a text"
        raise SpecError(message, file=location.file, line=location.line) from error


def _scanned(template: str, recognise: Callable[[str], Placeholder | None]) -> tuple[Piece, ...]:
    found: list[Piece] = []
    pending: list[str] = []
    position = 0
    while sign := _SIGN.search(template, position):
        pending.append(template[position : sign.start()])
        position = sign.end()
        if sign[0] != "{":
            pending.append(sign[0][0])
            continue
        end = template.find("}", position, position + _LONGEST)
        placeholder = recognise(template[position:end]) if end >= 0 else None
        if placeholder is None:
            pending.append("{")
            continue
        literal = "".join(pending)
        found += [literal, replace(placeholder, after=literal[-1:])]
        pending.clear()
        position = end + 1
    literal = "".join((*pending, template[position:]))
    return tuple(piece for piece in (*found, literal) if piece != "")


def _reaches(content: str, declared: Collection[str]) -> bool:
    match = _REACHING.fullmatch(content)
    return match is not None and match["name"] in declared


def _placeholder(content: str, declared: Collection[str], location: Location) -> Placeholder | None:
    if content in declared:
        return Placeholder(name=content)
    match = _FORMATTED.fullmatch(content)
    if match and match["name"] in declared:
        return Placeholder(name=match["name"], conversion=match["conversion"], spec=match["spec"])
    if _reaches(content, declared):
        message = f"`{{{content}}}` reaches into a parameter's value, which is a text without parts"
        raise SpecError(message, hint=_literal(content), file=location.file, line=location.line)
    if content.strip() in declared:
        message = f"`{{{content}}}` has blanks within its braces, and names no parameter"
        raise SpecError(
            message, hint=f"write `{{{content.strip()}}}`", file=location.file, line=location.line
        )
    match = _MALFORMED.fullmatch(content)
    if match and match["name"] in declared:
        message = f"`{{{content}}}` is not a format for a text"
        raise SpecError(message, hint=_literal(content), file=location.file, line=location.line)
    if _NAME.fullmatch(content):
        near = did_you_mean(content, declared)
        hint = f"{near} {_literal(content)}" if near else _literal(content)
        message = f"`{{{content}}}` stands in braces, and no parameter has that name"
        raise SpecError(message, hint=hint, file=location.file, line=location.line)
    return None


def _literal(content: str) -> str:
    return f"write `{{{{{content}}}}}` for braces that are the command's own"
