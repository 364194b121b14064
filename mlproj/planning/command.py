"""The one place where values meet a shell string: each value quoted for the place where it stands."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mlproj.errors import ParameterError, unreachable
from mlproj.model.plan import Value
from mlproj.model.project import EntryPoint, Finding, Location
from mlproj.model.redaction import MASK
from mlproj.planning.quoting import HEREDOC, Place, Quotes
from mlproj.planning.template import Placeholder, formatted, names, pieces

_PLAIN = re.compile(r"[\w@%+=:,./-]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slot:
    """A place for a value in a command, and the value's text."""

    name: str
    text: str
    placeholder: Placeholder
    masked: bool = False
    """Whether the text is for people to read only, in the place of a secret."""

    @property
    def plain(self) -> bool:
        return self.masked or _PLAIN.fullmatch(self.text) is not None

    @property
    def after_dollar(self) -> bool:
        return self.placeholder.after == "$"


_Part = str | _Slot


def render(entry: EntryPoint, values: Sequence[Value], texts: Mapping[str, str]) -> str:
    """The bash command that runs `entry` with `values`; `texts` are spellings that differ from the value's
    own: an absolute path, or the mask of a secret for people to read. Values that are not declared are
    appended as ` --name value`.

    Each value reaches the program byte for byte. Raises SpecError for a name in braces that is not declared,
    ParameterError for a value with shell characters where they could not be kept from the shell.
    """
    location = entry.command_location or entry.location
    parts = _parts(entry, values, texts, location)
    slots = [part for part in parts if isinstance(part, _Slot)]
    if all(slot.plain and not slot.after_dollar for slot in slots):
        return "".join(part if isinstance(part, str) else _as_written(part, location) for part in parts)
    found = iter(_places(parts))
    return "".join(
        part if isinstance(part, str) else _inserted(part, next(found), location) for part in parts
    )


def unsafe_placeholders(entry: EntryPoint) -> tuple[Finding, ...]:
    """A warning for each place of the command where a value with shell characters would be refused."""
    location = entry.command_location or entry.location
    parts: list[_Part] = [
        piece if isinstance(piece, str) else _Slot(name=piece.name, text="", placeholder=piece)
        for piece in pieces(entry.command, names(entry), location)
    ]
    slots = [part for part in parts if isinstance(part, _Slot)]
    if not slots:
        return ()
    reasons = {
        slot.name: reason
        for slot, place in zip(slots, _places(parts), strict=True)
        if (reason := _refusal(slot, place))
    }
    return tuple(
        Finding(
            severity="warning",
            message=f"`{{{name}}}` stands in {reason}: a value with shell characters will be refused there",
            location=location,
            hint="pass it as an argument of the program itself",
        )
        for name, reason in reasons.items()
    )


def _parts(
    entry: EntryPoint, values: Sequence[Value], texts: Mapping[str, str], location: Location
) -> list[_Part]:
    own = {value.name: value for value in values}
    parts: list[_Part] = [
        piece if isinstance(piece, str) else _slot(own[piece.name], texts, piece)
        for piece in pieces(entry.command, names(entry), location)
    ]
    return parts + _extras([value for value in values if value.extra], texts, parts)


def _slot(value: Value, texts: Mapping[str, str], placeholder: Placeholder) -> _Slot:
    text = texts.get(value.name, value.text)
    masked = value.secret and text == MASK
    return _Slot(name=value.name, text=text, placeholder=placeholder, masked=masked)


def _extras(extras: Sequence[Value], texts: Mapping[str, str], parts: list[_Part]) -> list[_Part]:
    """` --name value` for each, on the command's last line even where it ends in a newline."""
    if extras and parts and isinstance(parts[-1], str):
        parts[-1] = _without_end(parts[-1])
    appended: list[_Part] = []
    for value in extras:
        here = Placeholder(name=value.name)
        key = _Slot(name=value.name, text=value.name, placeholder=here)
        appended += [" --", key, " ", _slot(value, texts, here)]
    return appended


def _without_end(text: str) -> str:
    """`text` without newlines at its end, continued ones (an odd number of backslashes before) included."""
    while text.endswith("\n"):
        text = text[:-1]
        if _ends_escaped(text):
            text = text[:-1]
        shorter = text.rstrip(" \t")
        if not _ends_escaped(shorter):
            text = shorter
    return text


def _ends_escaped(text: str) -> bool:
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1


def _places(parts: Sequence[_Part]) -> tuple[Place, ...]:
    """The place of each slot. The grammar's module is named, not imported: most commands never need it."""
    shell = importlib.import_module("mlproj.planning.shell")
    mark: Callable[..., object] = shell.Mark
    word = _unused_word(parts)
    script, marks, size = "", [], 0
    for part in parts:
        text = _stand_in(part, word)
        if isinstance(part, _Slot):
            marks.append(mark(start=size, length=len(text.encode()), known=text != word))
        script += text
        size += len(text.encode("utf-8", "surrogateescape"))
    # The grammar takes a continued line with none after it for an error, and bash does not.
    found: tuple[Place, ...] = shell.places(_without_end(script), marks)
    return found


def _stand_in(part: _Part, word: str) -> str:
    """A plain value stands for itself, so that a command's name is seen where a parameter gives it."""
    if isinstance(part, str):
        return part
    return part.text if part.plain and not part.after_dollar else word


def _unused_word(parts: Sequence[_Part]) -> str:
    taken = "".join(part if isinstance(part, str) else part.text for part in parts)
    word = "valuehere"
    while word in taken:
        word += "q"
    return word


def _inserted(slot: _Slot, place: Place, location: Location) -> str:
    reason = _refusal(slot, place)
    if slot.plain and not slot.after_dollar:
        return _as_written(slot, location)
    if slot.placeholder.formatted:
        reason = reason or "braces with a format"
    if reason is None:
        return _quoted(slot.text, place.quotes)
    if slot.text == "" and not slot.after_dollar and reason != HEREDOC and place.quotes is not Quotes.SINGLE:
        # As MLflow does: an empty value's pair of quotes is right in whatever shell comes to read it.
        return "''"
    raise ParameterError(
        f"the value of `{slot.name}` {_offence(slot)} and stands in {reason}, where it cannot be quoted "
        f"({location})",
        hint="pass a value without shell characters, or have the command give it to the program itself",
    )


def _offence(slot: _Slot) -> str:
    if slot.plain:
        return "would be read by the shell"
    return "holds shell characters" if slot.text else "is empty"


def _refusal(slot: _Slot, place: Place) -> str | None:
    if slot.after_dollar and not place.inert:
        return place.unsafe or "a place right after a `$`"
    return place.unsafe


def _as_written(slot: _Slot, location: Location) -> str:
    return formatted(slot.placeholder, slot.text, location) if slot.placeholder.formatted else slot.text


def _quoted(text: str, quotes: Quotes) -> str:
    match quotes:
        case Quotes.BARE:
            return shlex.quote(text)
        case Quotes.SINGLE:
            return text.replace("'", "'\\''")
        case Quotes.DOUBLE:
            return re.sub(r'[\\"$`]', r"\\\g<0>", text)
        case _:
            unreachable(quotes)
