"""Runs below runs, as the table and a run's page show them, and runs that are meant by less than an id."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from mlproj.model.tracking import PARENT, Batch, Lifecycle, NewRun
from mlproj.tracking_ports import Tracking
from tests.server.calling import Caller
from tests.server.pages.scenery import Scene

_ROW = re.compile(r'<th scope="row" class="level-(\d)">.*?<a href="/runs/\w+">([^<]+)</a>')


def rows(visitor: Caller, path: str) -> list[tuple[int, str]]:
    """How deep each run of a table lies, and what it is called."""
    status, content = visitor.raw("GET", path)
    assert status == 200
    return [(int(level), name) for level, name in _ROW.findall(content.decode())]


def test_runs_stand_below_the_one_that_began_them(scenery: Scene, page: Page) -> None:
    page.goto(f"/experiments/{scenery.sweep_id}?sort=metrics.rmse")
    names = page.locator("#table tbody th a:first-of-type")
    # Of twelve the first ten, in the order that was asked for, with what lies below them.
    expect(page.locator("#table tbody tr")).to_have_count(13)
    expect(names.nth(0)).to_have_text("search")
    expect(page.locator("#table .level-2")).to_contain_text("fold-of-1")
    expect(page.locator("#table tbody th").nth(2)).to_have_class("level-2")
    page.get_by_role("link", name="and 2 more of search").click()
    below = page.get_by_role("region", name="runs below it")
    expect(below.locator("tbody tr")).to_have_count(13)
    below.get_by_role("link", name="fold-of-1").click()
    trail = page.locator("p.path")
    expect(trail.get_by_role("link")).to_have_text(["Experiments", "sweep", "search", "trial-1"])
    trail.get_by_role("link", name="sweep").click()
    page.get_by_label("Nested runs").select_option("each by itself")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#table tbody tr")).to_have_count(15)
    expect(page.locator("#table tbody tr", has_text="fold-of-1").locator(".quiet")).to_have_text("of trial-1")


def test_what_a_filter_finds_stands_by_itself(scenery: Scene, visitor: Caller) -> None:
    path = f"/experiments/{scenery.sweep_id}?filter=metrics.rmse+%3E%3D+12&sort=metrics.rmse"
    assert rows(visitor, path) == [(0, "trial-12"), (0, "fold-of-1"), (0, "lonely")]


def test_whatever_is_above_it_each_run_is_found(scenery: Scene, visitor: Caller, tracking: Tracking) -> None:
    """Where what began it is deleted, in another experiment, not there, or leads in a circle."""
    tracking.runs.set_lifecycle(scenery.sweep[0], Lifecycle.DELETED)
    found = rows(visitor, f"/experiments/{scenery.sweep_id}?limit=100")
    assert len(found) == 14 and (0, "trial-1") in found and (1, "fold-of-1") in found
    for name, parent in (("elsewhere", scenery.logged[0]), ("nowhere", "0" * 32), ("odd", "x' OR 1=1")):
        new = NewRun(experiment_id="0", name=name, user="ada", started=2, tags=((PARENT, parent),))
        run_id = tracking.runs.create(new).run_id
        tracking.runs.log(run_id, Batch(tags=((PARENT, run_id),)) if name == "odd" else Batch())
    found = rows(visitor, "/experiments/0")
    assert {(0, "elsewhere"), (0, "nowhere"), (0, "odd")} <= set(found)
    assert (
        b'of <a href="/runs/%s">oak-0</a>' % scenery.logged[0].encode()
        in visitor.raw("GET", "/experiments/0")[1]
    )
    first, second = (
        tracking.runs.create(NewRun(experiment_id="0", name=name, user="ada", started=3)).run_id
        for name in ("hen", "egg")
    )
    tracking.runs.log(first, Batch(tags=((PARENT, second),)))
    tracking.runs.log(second, Batch(tags=((PARENT, first),)))
    for run_id in (first, second):
        assert visitor.raw("GET", f"/runs/{run_id}")[0] == 200
    assert {"hen", "egg"} <= {name for _, name in rows(visitor, "/experiments/0?nested=no")}


def test_pages_of_nested_runs_turn(scenery: Scene, visitor: Caller) -> None:
    """The runs on top are counted, whatever is below them."""
    _, content = visitor.raw("GET", "/runs?limit=25")
    assert b'rel="next"' not in content
    assert {name for level, name in rows(visitor, "/runs") if level} >= {"trial-12", "trial-3"}


def test_a_run_is_opened_by_what_its_id_begins_with_or_by_its_name(scenery: Scene, visitor: Caller) -> None:
    run_id = scenery.logged[0]
    for reference in (run_id[:8], run_id[:12], "oak-0"):
        status, _, headers = visitor.whole("GET", f"/runs/{reference}")
        assert (status, headers["location"]) == (303, f"/runs/{run_id}")


def test_a_run_that_is_not_told_apart_is_asked_for(
    scenery: Scene, visitor: Caller, tracking: Tracking
) -> None:
    ids = [
        tracking.runs.create(NewRun(experiment_id="0", name="twin <b>", user="ada", started=1)).run_id
        for _ in range(2)
    ]
    status, content = visitor.raw("GET", "/runs/twin%20%3Cb%3E")
    assert status == 404 and all(f'href="/runs/{run_id}"'.encode() in content for run_id in ids)
    for reference in ("0" * 32, "abcd" * 4, "%25", "a" * 3):
        status, content = visitor.raw("GET", f"/runs/{reference}")
        assert status == 404 and b"There is no run" in content and b"begins with" in content
