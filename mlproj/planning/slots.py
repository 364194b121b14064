"""Slots: the places for values in a command, and what the shell's grammar says of each."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence

import msgspec

from mlproj.planning.places import Mark, Place
from mlproj.planning.template import Placeholder

_WORD = "valuehere"
_PLAIN = re.compile(r"[\w@%+=:,./-]+", re.ASCII)


class Slot(msgspec.Struct, frozen=True, kw_only=True):
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


Part = str | Slot


def places(parts: Sequence[Part]) -> tuple[Place, ...]:
    """The place of each slot. The grammar's module is named, not imported: most commands never need it."""
    shell = importlib.import_module("mlproj.planning.shell")
    word = _unused_word(parts)
    script: list[str] = []
    marks: list[Mark] = []
    size = 0
    for part in parts:
        text = _stand_in(part, word)
        if isinstance(part, Slot):
            marks.append(Mark(start=size, length=len(text.encode()), known=text != word))
        script.append(text)
        size += len(text.encode("utf-8", "surrogateescape"))
    # The grammar takes a continued line with none after it for an error, and bash does not.
    found: tuple[Place, ...] = shell.places(without_end("".join(script)), marks)
    return found


def _stand_in(part: Part, word: str) -> str:
    """A plain value stands for itself, so that a command's name is seen where a parameter gives it."""
    if isinstance(part, str):
        return part
    return part.text if part.plain and not part.after_dollar else word


def _unused_word(parts: Sequence[Part]) -> str:
    taken = "".join(part if isinstance(part, str) else part.text for part in parts)
    if _WORD not in taken:
        return _WORD
    numbers = {int(number) for number in re.findall(rf"{_WORD}([0-9]{{1,9}})z", taken)}
    free = next(number for number in range(len(numbers) + 1) if number not in numbers)
    return f"{_WORD}{free}z"


def without_end(text: str) -> str:
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


def refusal(slot: Slot, place: Place) -> str | None:
    """Why a value with shell characters may not stand in the slot, or None where it may."""
    if slot.after_dollar and not place.inert:
        return place.unsafe or "a place right after a `$`"
    return place.unsafe
