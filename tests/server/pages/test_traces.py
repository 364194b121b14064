"""Traces: listed, filtered, opened, and their spans as a tree, whoever wrote them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from playwright.sync_api import Page, expect

from mlproj.server.pages.spans import tree
from tests.server.calling import Caller
from tests.server.pages.scenery import OLD_SPANS, SPANS, Scene


def test_a_trace_is_found_and_its_spans_are_read(scenery: Scene, page: Page) -> None:
    page.goto(f"/experiments/{scenery.sweep_id}")
    page.get_by_role("link", name="Traces", exact=True).click()
    table = page.get_by_role("region", name="traces")
    expect(table.locator("tbody tr")).to_have_count(2)
    page.get_by_label("Filter").fill("status = 'ERROR'")
    page.get_by_role("button", name="Search").click()
    expect(table.locator("tbody tr")).to_have_count(1)
    table.get_by_role("link", name="answer-0").click()
    spans = page.locator(".spans li")
    expect(spans).to_have_count(2)
    expect(spans.nth(1)).to_have_class("level-1")
    expect(spans.nth(1)).to_contain_text("retriever")
    expect(spans.nth(1)).to_contain_text("took 100 ms, after 50 ms")
    # What failed is open already.
    expect(spans.nth(1).get_by_text("nothing was found")).to_be_visible()
    expect(spans.nth(1).locator("pre").first).to_have_text('{\n  "question": "why?",\n  "k": 3\n}')
    page.get_by_role("link", name="search", exact=True).click()
    expect(page.get_by_role("region", name="traces").locator("tbody tr")).to_have_count(2)
    page.get_by_role("link", name="All traces of this run").click()
    expect(table.locator("tbody tr")).to_have_count(2)


def test_spans_are_read_from_a_file_too(scenery: Scene, visitor: Caller) -> None:
    status, content = visitor.raw("GET", f"/traces/{scenery.traces[1]}")
    assert status == 200
    assert content.index(b">ask<") < content.index(b">tokenise<") and b"after 20 ms" in content
    status, content = visitor.raw("GET", "/traces/nothing")
    assert status == 404 and b'role="alert"' in content


def test_a_filter_of_traces_that_cannot_be_meant_is_explained(scenery: Scene, visitor: Caller) -> None:
    for part in ("traces", "models"):
        address = f"/experiments/{scenery.sweep_id}/{part}?filter={quote('name <')}"
        status, content = visitor.raw("GET", address)
        assert status == 400 and b"filter, column" in content


def test_both_ways_of_writing_come_to_the_same() -> None:
    for documents, names in ((SPANS, ["answer", "look_up"]), (OLD_SPANS, ["ask", "tokenise"])):
        branches = tree(documents, 100)
        assert [(each.span.name, each.level) for each in branches] == [(names[0], 0), (names[1], 1)]
        assert branches[0].took == 200.0 and branches[1].after in (50.0, 10.0)
    assert tree(OLD_SPANS, 100)[0].span.inputs == '{\n  "question": "why?"\n}'
    assert tree(OLD_SPANS, 100)[0].span.events[0].after == 20.0


def test_whatever_comes_as_spans_is_laid_out() -> None:
    """Circles, spans without what they are in, without times or ids, nested beyond measure, and no spans."""
    circle = [{"span_id": "a", "parent_span_id": "b"}, {"span_id": "b", "parent_span_id": "a"}]
    deep: Any = "end"
    for _ in range(5000):
        deep = {"array_value": {"values": [deep]}}
    odd: list[dict[str, Any]] = [
        {},
        {"span_id": 3, "name": None, "attributes": [None, 1], "events": {}, "status": "OK"},
        {"span_id": "c", "parent_span_id": "gone", "start_time_unix_nano": "soon", "end_time": -1},
        {"span_id": "d", "attributes": [{"key": "mlflow.spanInputs", "value": deep}]},
        {"span_id": "e", "start_time_unix_nano": 5, "end_time_unix_nano": 2},
    ]
    branches = tree([*circle, *odd], 100)
    assert len(branches) == 7
    assert {each.span.id: each.span.inputs for each in branches}[
        "d"
    ] == "It is nested too deeply to be shown."
    chain = [{"span_id": str(number), "parent_span_id": str(number - 1)} for number in range(3000)]
    assert [each.level for each in tree(chain, 2000)] == list(range(2000))
