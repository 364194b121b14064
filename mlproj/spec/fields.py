"""Fields of a YAML mapping taken out with their types checked, and the keys that nobody reads told."""

from __future__ import annotations

from collections.abc import Sequence

from mlproj.errors import SpecError, did_you_mean
from mlproj.model.project import Finding, Location
from mlproj.spec.documents import Listing, Node, Scalar, Table, failure, is_null, printed


def warning(message: str, location: Location, hint: str | None = None) -> Finding:
    return Finding(severity="warning", message=message, location=location, hint=hint)


def finding_of(error: SpecError, file: str) -> Finding:
    """What made a part of a file unreadable, as a finding; `file` is named where the error names none."""
    location = Location(file=error.file or file, line=error.line)
    return Finding(severity="error", message=error.sentence, location=location, hint=error.hint)


def unknown_keys(table: Table, known: Sequence[str], where: str) -> tuple[Finding, ...]:
    """A warning for each key of `table` that is not in `known`, with the one that was probably meant."""
    return tuple(
        warning(
            f"`{entry.key}` is not a key of {where}, and is ignored", entry.location, _meant(entry.key, known)
        )
        for entry in table.entries
        if entry.key not in known
    )


def _meant(key: str, known: Sequence[str]) -> str | None:
    before, colon, after = key.partition(":")
    if colon and before in known:
        return f"write `{before}: {after}`, with a blank after the colon"
    return did_you_mean(key.replace("-", "_"), known)


def text(table: Table, key: str, name: str) -> str | None:
    """The text of a single value, as Python prints it; None where it is missing or null.

    Raises SpecError, calling the field `name`, where it is a list or a mapping.
    """
    entry = table.find(key)
    if entry is None or is_null(entry.value):
        return None
    if not isinstance(entry.value, Scalar):
        raise failure(f"`{name}` must be a text, not {kind(entry.value)}", entry.location)
    return printed(entry.value)


def texts(table: Table, key: str, name: str) -> tuple[str, ...]:
    """The texts of a list of single values, or the one value; none where it is missing or null.

    Raises SpecError where it is a mapping, or holds anything but single values.
    """
    entry = table.find(key)
    if entry is None or is_null(entry.value):
        return ()
    if isinstance(entry.value, Scalar):
        return (printed(entry.value),)
    return tuple(item.text for item in scalars(entry.value, name, entry.location))


def scalars(node: Node, name: str, location: Location) -> tuple[Scalar, ...]:
    """The items of a list whose items are all single values; raises SpecError for anything else."""
    if not isinstance(node, Listing):
        raise failure(f"`{name}` must be a list, not {kind(node)}", location)
    for item in node.items:
        if not isinstance(item, Scalar) or is_null(item):
            raise failure(f"`{name}` must be a list of texts, and holds {kind(item)}", item.location)
    return tuple(item for item in node.items if isinstance(item, Scalar))


def kind(node: Node) -> str:
    """What a value is, in words."""
    if isinstance(node, Table):
        return "a mapping"
    if isinstance(node, Listing):
        return "a list"
    names = {"null": "nothing", "bool": "true or false", "int": "a number", "float": "a number"}
    return names.get(node.kind, "a text")
