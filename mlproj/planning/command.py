"""The one place where values meet a shell string: each value quoted for the place where it stands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from mlproj.errors import ParameterError, unreachable
from mlproj.model.plan import Value
from mlproj.model.project import EntryPoint, Location
from mlproj.model.redaction import MASK
from mlproj.planning.places import HEREDOC, TOO_LARGE, Place, Quotes
from mlproj.planning.slots import Part, Slot, places, refusal, without_end
from mlproj.planning.template import Placeholder, formatted, names, pieces

LONGEST = 128 * 1024 - 1
"""Bytes of a command: Linux takes no argument of more."""


def render(entry: EntryPoint, values: Sequence[Value], texts: Mapping[str, str]) -> str:
    """The bash command that runs `entry` with `values`; `texts` are spellings that differ from the value's
    own: an absolute path, or the mask of a secret for people to read. Values that are not declared are
    appended as ` --name value`.

    Each value reaches the program byte for byte. Raises SpecError for a name in braces that is not declared,
    ParameterError for a value with shell characters where they could not be kept from the shell, and for
    values that make the command too long.
    """
    location = entry.command_location or entry.location
    parts = _parts(entry, values, texts, location)
    # Before anything is joined: many places for a long value make more than memory holds.
    _measure(sum(len(part if isinstance(part, str) else part.text) for part in parts), entry, location)
    command = _joined(parts, location)
    _measure(len(command.encode("utf-8", "surrogatepass")), entry, location)
    return command


def _joined(parts: Sequence[Part], location: Location) -> str:
    slots = [part for part in parts if isinstance(part, Slot)]
    if all(slot.plain and not slot.after_dollar for slot in slots):
        return "".join(part if isinstance(part, str) else _as_written(part, location) for part in parts)
    found = iter(places(parts))
    return "".join(
        part if isinstance(part, str) else _inserted(part, next(found), location) for part in parts
    )


def _measure(size: int, entry: EntryPoint, location: Location) -> None:
    if size > LONGEST:
        raise ParameterError(
            f"the command of entry point `{entry.name}` and its values have {size} bytes, and the system "
            f"takes {LONGEST} ({location})",
            hint="put long values into a file, and pass its path",
        )


def _parts(
    entry: EntryPoint, values: Sequence[Value], texts: Mapping[str, str], location: Location
) -> list[Part]:
    own = {value.name: value for value in values}
    parts: list[Part] = [
        piece if isinstance(piece, str) else _slot(own[piece.name], texts, piece)
        for piece in pieces(entry.command, names(entry), location)
    ]
    return parts + _extras([value for value in values if value.extra], texts, parts)


def _slot(value: Value, texts: Mapping[str, str], placeholder: Placeholder) -> Slot:
    text = texts.get(value.name, value.text)
    masked = value.secret and text == MASK
    return Slot(name=value.name, text=text, placeholder=placeholder, masked=masked)


def _extras(extras: Sequence[Value], texts: Mapping[str, str], parts: list[Part]) -> list[Part]:
    """` --name value` for each, on the command's last line even where it ends in a newline."""
    if extras and parts and isinstance(parts[-1], str):
        parts[-1] = without_end(parts[-1])
    appended: list[Part] = []
    for value in extras:
        here = Placeholder(name=value.name)
        key = Slot(name=value.name, text=value.name, placeholder=here)
        appended += [" --", key, " ", _slot(value, texts, here)]
    return appended


def _inserted(slot: Slot, place: Place, location: Location) -> str:
    reason = refusal(slot, place)
    if slot.plain and not slot.after_dollar:
        return _as_written(slot, location)
    if slot.placeholder.formatted:
        reason = reason or "braces with a format"
    if reason is None:
        return _quoted(slot.text, place.quotes)
    if slot.text == "" and not slot.after_dollar and _takes_quotes(place):
        # As MLflow does: an empty value's pair of quotes is right in whatever shell comes to read it.
        return "''"
    raise ParameterError(
        f"the value of `{slot.name}` {_offence(slot)} and stands in {reason}, where it cannot be quoted "
        f"({location})",
        hint="pass a value without shell characters, or have the command give it to the program itself",
    )


def _takes_quotes(place: Place) -> bool:
    return place.unsafe not in (HEREDOC, TOO_LARGE) and place.quotes is not Quotes.SINGLE


def _offence(slot: Slot) -> str:
    if slot.plain:
        return "would be read by the shell"
    return "holds shell characters" if slot.text else "is empty"


def _as_written(slot: Slot, location: Location) -> str:
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
