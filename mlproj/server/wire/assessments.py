"""Assessments on the wire: what people, programs and models say of a trace. They are kept with its info."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from mlproj.server.wire.values import Answer, Named, Request

_CAMEL = re.compile(r"(?<=[a-z])([A-Z])")


class Assessment(Request, frozen=True, kw_only=True, omit_defaults=True):
    """One of `feedback`, `expectation` and `issue` is there, with the value. `overrides` names another one,
    which is not `valid` then."""

    assessment_id: str = ""
    assessment_name: str = ""
    trace_id: str = ""
    span_id: str = ""
    source: dict[str, Any] | None = None
    create_time: str | None = None
    last_update_time: str | None = None
    feedback: dict[str, Any] | None = None
    expectation: dict[str, Any] | None = None
    issue: dict[str, Any] | None = None
    rationale: str = ""
    error: dict[str, Any] | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    overrides: str = ""
    valid: bool | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(kind for kind in ("feedback", "expectation", "issue") if getattr(self, kind) is not None)


class FieldMask(Request, frozen=True, kw_only=True):
    paths: tuple[str, ...] = ()


class CreateAssessment(Request, frozen=True, kw_only=True):
    trace_id: Named
    assessment: Assessment


class AssessmentRequest(Request, frozen=True, kw_only=True):
    trace_id: Named
    assessment_id: Named


class UpdateAssessment(AssessmentRequest, frozen=True, kw_only=True):
    """The mask says which fields count: `assessmentName,rationale`, as protobuf spells it in JSON."""

    assessment: Assessment
    update_mask: str | FieldMask

    def fields(self) -> Iterator[str]:
        mask = self.update_mask
        for path in mask.split(",") if isinstance(mask, str) else mask.paths:
            yield _CAMEL.sub(lambda found: f"_{found[1].lower()}", path.strip())


class OneAssessment(Answer, frozen=True, kw_only=True):
    assessment: Assessment
