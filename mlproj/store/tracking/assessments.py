"""What was thought of a trace, as its info holds it."""

from __future__ import annotations

import msgspec

_ASSESSMENTS = "assessments"


class _Named(msgspec.Struct, frozen=True):
    assessment_id: str = ""


def with_assessments(info: str, known: str) -> str:
    """The info with those assessments of the known one that it does not have: somebody may have looked at
    the trace's spans before its info came."""
    before = _assessments(known)
    if not before:
        return info
    fields = msgspec.json.decode(info, type=dict[str, msgspec.Raw])
    together = {**before, **_assessments(info)}
    fields[_ASSESSMENTS] = msgspec.Raw(msgspec.json.encode(list(together.values())))
    return msgspec.json.encode(fields).decode()


def _assessments(info: str) -> dict[str, msgspec.Raw]:
    """Each as it came, by its id; by its place where it has none."""
    found = msgspec.json.decode(info, type=dict[str, msgspec.Raw]).get(_ASSESSMENTS, b"[]")
    each = msgspec.json.decode(found, type=list[msgspec.Raw])
    return {_id_of(one) or str(place): one for place, one in enumerate(each)}


def _id_of(assessment: msgspec.Raw) -> str:
    return msgspec.json.decode(assessment, type=_Named).assessment_id
