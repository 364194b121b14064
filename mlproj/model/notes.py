"""Sentences on the record that more than one part of mlproj has to say."""

from __future__ import annotations

from collections.abc import Sequence

from mlproj.model.provenance import InputState

SOURCE_CHANGED = "source files changed while the run went on"
"""How the note of a run begins that ran something else than its snapshot, in part."""

_MOST_NAMED = 5


def unkept(paths: Sequence[str]) -> str:
    """That these paths, of which there is one at least, are not in the store since the disk was full."""
    named = ", ".join(f"`{path}`" for path in paths[:_MOST_NAMED])
    more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
    return f"no space was left to keep {named}{more}"


def undeclared(reads: Sequence[InputState]) -> str:
    """Names data that was read and not declared, of which there is one at least."""
    named = ", ".join(f"`{state.path}`" for state in reads[:_MOST_NAMED])
    return f"{named} and {len(reads) - _MOST_NAMED} more" if len(reads) > _MOST_NAMED else named
