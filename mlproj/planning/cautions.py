"""What to know of a command before it has values: where some would be refused, or be part of a program."""

from __future__ import annotations

from collections.abc import Iterator

from mlproj.model.project import EntryPoint, Finding
from mlproj.planning.places import Place
from mlproj.planning.slots import Slot, places, refusal
from mlproj.planning.template import names, pieces


def unsafe_placeholders(entry: EntryPoint) -> tuple[Finding, ...]:
    """A warning for each place of the command where a value with shell characters would be refused.

    Raises SpecError for a name in braces that is not declared.
    """
    reasons = {slot.name: reason for slot, place in _open(entry) if (reason := refusal(slot, place))}
    return tuple(
        _warning(
            entry,
            f"`{{{name}}}` stands in {reason}: a value with shell characters will be refused there",
            "pass it as an argument of the program itself",
        )
        for name, reason in reasons.items()
    )


def placeholders_in_programs(entry: EntryPoint) -> tuple[Finding, ...]:
    """A warning for each value that becomes part of a program in another language (`python -c`, `awk`).

    Raises SpecError for a name in braces that is not declared.
    """
    programs = {slot.name: place.program for slot, place in _open(entry) if place.program}
    return tuple(
        _warning(
            entry,
            f"`{{{name}}}` stands in the program text of `{program}`: the value becomes part of a program "
            "there",
            "pass it as an argument instead",
        )
        for name, program in programs.items()
    )


def _open(entry: EntryPoint) -> Iterator[tuple[Slot, Place]]:
    """The slots of the command, nothing in them, with their places."""
    parts = [
        piece if isinstance(piece, str) else Slot(name=piece.name, text="", placeholder=piece)
        for piece in pieces(entry.command, names(entry), entry.command_location or entry.location)
    ]
    slots = [part for part in parts if isinstance(part, Slot)]
    return zip(slots, places(parts) if slots else (), strict=True)


def _warning(entry: EntryPoint, message: str, hint: str) -> Finding:
    location = entry.command_location or entry.location
    return Finding(severity="warning", message=message, location=location, hint=hint)
