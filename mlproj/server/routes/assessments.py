"""Assessments of traces: made, read, changed and removed as MLflow 3's clients do."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import replace

from mlproj.errors import NotFound
from mlproj.model.moment import now
from mlproj.server.desk import Desk
from mlproj.server.failures import invalid
from mlproj.server.route import TRACES, Route, delete, get, patch, post
from mlproj.server.routes.traces import read_info
from mlproj.server.wire.assessments import (
    Assessment,
    AssessmentRequest,
    CreateAssessment,
    OneAssessment,
    UpdateAssessment,
)
from mlproj.server.wire.values import Empty

Assessments = tuple[Assessment, ...]

_CHANGEABLE = ("assessment_name", "expectation", "feedback", "rationale", "metadata")


def create(desk: Desk, asked: CreateAssessment) -> OneAssessment:
    _one_kind(asked.assessment)
    moment = now()
    made = replace(
        _of_its_kind(asked.assessment),
        assessment_id=f"a-{uuid.uuid4().hex}",
        trace_id=asked.trace_id,
        create_time=asked.assessment.create_time or moment,
        last_update_time=asked.assessment.last_update_time or moment,
        valid=asked.assessment.valid is not False,
    )

    def add(known: Assessments) -> Assessments:
        if made.overrides:
            found(known, asked.trace_id, made.overrides)
        return (*_marked(known, made.overrides, valid=False), made)

    _change(desk, asked.trace_id, add)
    return OneAssessment(assessment=made)


def fetch(desk: Desk, asked: AssessmentRequest) -> OneAssessment:
    info = read_info(desk.tracking.traces.get(asked.trace_id)[0])
    return OneAssessment(assessment=found(info.assessments, asked.trace_id, asked.assessment_id))


def update(desk: Desk, asked: UpdateAssessment) -> OneAssessment:
    def change(known: Assessments) -> Assessments:
        changed = _changed(found(known, asked.trace_id, asked.assessment_id), asked)
        return tuple(changed if each.assessment_id == asked.assessment_id else each for each in known)

    known = _change(desk, asked.trace_id, change)
    return OneAssessment(assessment=found(known, asked.trace_id, asked.assessment_id))


def remove(desk: Desk, asked: AssessmentRequest) -> Empty:
    """What it overrode counts again; one that is not there is removed already, as it is for MLflow."""

    def drop(known: Assessments) -> Assessments:
        gone = [each for each in known if each.assessment_id == asked.assessment_id]
        for each in gone:
            known = _marked(known, each.overrides, valid=True)
        return tuple(each for each in known if each.assessment_id != asked.assessment_id)

    _change(desk, asked.trace_id, drop)
    return Empty()


def found(known: Sequence[Assessment], trace_id: str, assessment_id: str) -> Assessment:
    for each in known:
        if each.assessment_id == assessment_id:
            return each
    raise NotFound(f"Assessment with ID '{assessment_id}' not found for trace '{trace_id}'")


def _changed(known: Assessment, asked: UpdateAssessment) -> Assessment:
    """With the fields that the mask names; metadata is added to."""
    fields = set(asked.fields())
    if unknown := fields.difference(_CHANGEABLE):
        raise invalid(f"An assessment's `{min(unknown)}` cannot be changed.")
    for kind in fields.intersection(("expectation", "feedback")):
        if kind not in known.kinds:
            raise invalid(f"Cannot update {kind} value on an assessment of another kind.")
    changes = {name: getattr(asked.assessment, name) for name in fields}
    if "metadata" in changes:
        changes["metadata"] = {**known.metadata, **changes["metadata"]}
    changed = _of_its_kind(replace(known, **changes, last_update_time=now()))
    _one_kind(changed)
    return changed


def _of_its_kind(assessment: Assessment) -> Assessment:
    """An expectation is what somebody wants: it has no reason, and takes no other's place."""
    return replace(assessment, rationale="", overrides="") if assessment.expectation else assessment


def _change(desk: Desk, trace_id: str, change: Callable[[Assessments], Assessments]) -> Assessments:
    desk.write_trace(trace_id)

    def within(document: bytes) -> bytes:
        info = read_info(document)
        return msgspec.json.encode(replace(info, assessments=change(info.assessments)))

    return read_info(desk.tracking.traces.update(trace_id, within)).assessments


def _marked(known: Assessments, assessment_id: str, *, valid: bool) -> Assessments:
    return tuple(
        replace(each, valid=valid) if each.assessment_id == assessment_id != "" else each for each in known
    )


def _one_kind(assessment: Assessment) -> None:
    if not assessment.assessment_name:
        raise invalid("Missing value for required parameter 'assessment.assessment_name'.")
    if len(assessment.kinds) != 1:
        raise invalid("Exactly one of `expectation`, `feedback`, or `issue` should be specified.")


_ALL, _ONE = "traces/{trace_id}/assessments", "traces/{trace_id}/assessments/{assessment_id}"

ROUTES: tuple[Route, ...] = (
    post(_ALL, CreateAssessment, OneAssessment, create, below=TRACES),
    get(_ONE, AssessmentRequest, OneAssessment, fetch, below=TRACES),
    patch(_ONE, UpdateAssessment, OneAssessment, update, below=TRACES),
    delete(_ONE, AssessmentRequest, Empty, remove, below=TRACES),
)
