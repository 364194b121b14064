"""Requests are read as protobuf's JSON is: numbers may be text, null is absent, and text stays text."""

from __future__ import annotations

import json
import math

import pytest

from mlproj.server.failures import Failure
from mlproj.server.reading import from_body, from_body_and_path, from_query
from mlproj.server.wire.assessments import UpdateAssessment
from mlproj.server.wire.experiments import CreateExperiment
from mlproj.server.wire.models import DeleteLoggedModelTag
from mlproj.server.wire.runs import GetMetricHistories, LogBatch, LogMetric, LogParam, SearchRuns
from mlproj.server.wire.traces import StartTrace


def metric(**fields: object) -> LogMetric:
    content = {"run_id": "r", "key": "k", "value": 1, "timestamp": 2, **fields}
    return from_body(json.dumps(content).encode(), LogMetric)


@pytest.mark.parametrize(
    ("given", "read"),
    [(1, 1.0), (1.5, 1.5), ("1.5", 1.5), ("Infinity", math.inf), ("-Infinity", -math.inf), (1e300, 1e300)],
)
def test_a_number_may_come_as_text(given: object, read: float) -> None:
    assert metric(value=given).value == read


@pytest.mark.parametrize("given", ["NaN", float("nan")])
def test_what_is_no_number_may_come_as_text_or_bare(given: object) -> None:
    assert math.isnan(metric(value=given).value)


@pytest.mark.parametrize("given", [3, "3", 3.0])
def test_an_integer_may_come_as_text(given: object) -> None:
    assert metric(step=given).step == 3


def test_null_is_absent_and_unknown_fields_are_passed_over() -> None:
    read = metric(step=None, model_id=None, unheard_of={"of": [1, None]})
    assert (read.step, read.model_id) == (0, None)


def test_names_of_fields_may_be_in_camel_case() -> None:
    body = {
        "runId": "r",
        "metrics": [{"key": "k", "value": 1, "timestamp": 2, "datasetName": "d", "datasetDigest": "1"}],
        "tags": [{"key": "runId", "value": "datasetName"}],
    }
    read = from_body(json.dumps(body).encode(), LogBatch)
    assert (read.run_id, read.metrics[0].dataset_name, read.metrics[0].dataset_digest) == ("r", "d", "1")
    assert [(tag.key, tag.value) for tag in read.tags] == [("runId", "datasetName")]
    search = from_body(b'{"experimentIds": ["0"], "maxResults": "5", "orderBy": null}', SearchRuns)
    assert (search.experiment_ids, search.max_results, search.order_by) == (("0",), 5, ())
    info = {"traceId": "t", "traceLocation": {"mlflowExperiment": {"experimentId": "0"}}, "tags": {"aB": "c"}}
    started = from_body(json.dumps({"trace": {"traceInfo": info}}).encode(), StartTrace).trace.trace_info
    assert started.trace_location.mlflow_experiment is not None and started.tags == {"aB": "c"}
    change = {"assessment": {"assessmentName": "x", "feedback": {"value": {"aB": 1}}}, "updateMask": "aB,c"}
    update = from_body_and_path(
        json.dumps(change).encode(), {"trace_id": "t", "assessment_id": "a"}, UpdateAssessment
    )
    assert (update.assessment.assessment_name, list(update.fields())) == ("x", ["a_b", "c"])
    assert update.assessment.feedback == {"value": {"aB": 1}}


def test_a_body_that_was_encoded_twice_is_read() -> None:
    inner = json.dumps({"name": "e"})
    assert from_body(json.dumps(inner).encode(), CreateExperiment).name == "e"


def test_an_empty_body_asks_for_nothing() -> None:
    assert from_body(b"", SearchRuns) == SearchRuns()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{}", "Missing value for required parameter 'key'"),
        (b'{"key": ""}', "Missing value for required parameter 'key'"),
        (b'{"key": null}', "Missing value for required parameter 'key'"),
        (b'{"key": 5}', "Invalid value for parameter 'key' supplied"),
        (b'{"key": "p", "value": 5}', "Invalid value for parameter 'value' supplied"),
        (b'{"key": "p", "value": true}', "Invalid value for parameter 'value' supplied"),
        (b"{", "not valid JSON"),
        (b"[1]", "cannot be read"),
        (b'"text"', "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b'{"key": "\\ud800"}', "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"key": ' * 1000 + b"1" + b"}" * 1000, ""),
    ],
)
def test_what_cannot_be_meant_is_refused_in_mlflows_words(body: bytes, told: str) -> None:
    with pytest.raises(Failure) as caught:
        from_body(body, LogParam)
    assert caught.value.code == "INVALID_PARAMETER_VALUE"
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("field", "value"),
    [("step", 2**63), ("step", 1.5), ("timestamp", "x"), ("value", "x"), ("value", True), ("value", [])],
)
def test_numbers_out_of_range_and_other_things_are_refused(field: str, value: object) -> None:
    with pytest.raises(Failure):
        metric(**{field: value})


def test_a_missing_field_inside_a_batch_is_named_with_its_place() -> None:
    with pytest.raises(Failure, match=r"required parameter 'metrics\[0\]\.value'"):
        from_body(b'{"run_id": "r", "metrics": [{"key": "k", "timestamp": 1}]}', LogBatch)


def test_a_query_has_several_values_of_a_field_that_is_a_list() -> None:
    read = from_query([("run_ids", "a"), ("run_ids", "b"), ("metric_key", "m")], GetMetricHistories)
    assert read.run_ids == ("a", "b")
    assert from_query([("run_ids", "a"), ("metric_key", "m"), ("max_results", "7")], GetMetricHistories) == (
        GetMetricHistories(run_ids=("a",), metric_key="m", max_results=7)
    )


def test_the_path_outranks_the_body() -> None:
    read = from_body_and_path(
        b'{"model_id": "other"}', {"model_id": "m", "tag_key": "t"}, DeleteLoggedModelTag
    )
    assert read == DeleteLoggedModelTag(model_id="m", tag_key="t")


def test_more_values_than_a_server_bears_are_refused() -> None:
    crowded = b'{"experimentIds": [' + b"[]," * 2_100_000 + b"[]]}"
    with pytest.raises(Failure, match="more than 2000000 values"):
        from_body(crowded, SearchRuns)
    with pytest.raises(Failure, match="more than 2000000 values"):
        from_body_and_path(crowded, {}, SearchRuns)
    many = from_body(b'{"experiment_ids": [' + b'"1",' * 600_000 + b'"2"]}', SearchRuns)
    assert len(many.experiment_ids) == 600_001
