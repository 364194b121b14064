"""What people do on the pages, done by a real browser."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from mlproj.store.folder import FolderStore
from mlproj.tracking_ports import Tracking
from tests.server.conftest import files_of
from tests.server.pages.scenery import MLMODEL, Scene
from tests.server.pages.watching import Watched


def test_runs_are_found_filtered_sorted_and_opened(scenery: Scene, page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="trees").click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(6)
    page.get_by_label("Filter").fill("metrics.rmse < 0.65 AND params.kind = 'oak'")
    page.get_by_role("button", name="Search").click()
    expect(rows).to_have_count(3)
    page.get_by_role("link", name="rmse").click()
    expect(page.locator("thead th[aria-sort=descending]")).to_contain_text("rmse")
    expect(rows.first).to_contain_text("oak-3")
    page.get_by_role("link", name="rmse").click()
    expect(rows.first).to_contain_text("oak-5")
    page.get_by_text("Columns", exact=True).click()
    page.get_by_label("params.kind").uncheck()
    page.get_by_role("button", name="Search").click()
    expect(page.locator("thead")).not_to_contain_text("kind")
    expect(rows).to_have_count(3)
    page.get_by_role("link", name="oak-4").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("oak-4")
    expect(page.locator("figure[data-curve=loss] .scatterlayer path.js-line")).to_have_count(1)


def test_a_filter_that_cannot_be_meant_is_explained(scenery: Scene, watched: Watched) -> None:
    page, watched.expected = watched.page, "400"
    page.goto(f"/experiments/{scenery.experiment_id}")
    page.get_by_label("Filter").fill("metric.rmse <")
    with page.expect_response(lambda response: "filter" in response.url) as answered:
        page.get_by_role("button", name="Search").click()
    assert answered.value.status == 400
    expect(page.get_by_role("alert")).to_contain_text("column")
    expect(page.get_by_label("Filter")).to_have_value("metric.rmse <")


def test_three_runs_are_compared(scenery: Scene, page: Page) -> None:
    page.goto(f"/experiments/{scenery.experiment_id}")
    for name in ("oak-1", "oak-2", "oak-3"):
        page.get_by_label(f"Tick {name}").check()
    page.get_by_role("button", name="Compare ticked runs").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("3 runs compared")
    differing = page.locator("tr.differs th")
    expect(differing.filter(has_text="depth")).to_have_count(1)
    expect(page.locator("tr:not(.differs) th", has_text="kind")).to_have_count(1)
    expect(page.locator("figure[data-curve=loss] .scatterlayer path.js-line")).to_have_count(3)
    expect(page.locator("[data-scatter] .scatterlayer .points path")).to_have_count(3)
    expect(page.locator("[data-parallel] .scatterlayer path.js-line")).to_have_count(3)
    page.get_by_label("Across").select_option("metrics.rmse")
    expect(page.locator("[data-scatter] .xtitle")).to_have_text("metrics.rmse")
    page.get_by_role("link", name="Show only what differs").click()
    expect(page.locator("th", has_text="kind")).to_have_count(0)


def test_two_records_are_compared_down_to_a_line_of_source(scenery: Scene, page: Page) -> None:
    page.goto(f"/compare?run={scenery.recorded[0]}&run={scenery.recorded[2]}")
    expect(page.locator("pre.patch .removed", has_text="-print(0)")).to_have_count(1)
    expect(page.locator("pre.patch .added", has_text="+print(2)")).to_have_count(1)


def test_smoothing_draws_another_line(scenery: Scene, page: Page) -> None:
    page.goto(f"/runs/{scenery.logged[0]}")
    line = page.locator("figure[data-curve=loss] .scatterlayer path.js-line")
    before = line.get_attribute("d")
    page.get_by_label("Smoothing").fill("0.9")
    expect(line).not_to_have_attribute("d", before or "")
    page.get_by_label("logarithmic").check()
    page.get_by_label("Along").select_option("time")
    expect(line).to_have_count(1)


def test_pictures_tables_notes_and_other_files_are_looked_at(scenery: Scene, page: Page) -> None:
    page.goto(f"/runs/{scenery.logged[0]}")
    page.get_by_role("link", name="picture.png").click()
    picture = page.get_by_role("img", name="picture.png")
    page.wait_for_load_state("load")
    assert picture.evaluate("image => image.naturalWidth") == 40
    page.go_back()
    page.get_by_role("link", name="table.csv").click()
    expect(page.locator("table.data tbody tr")).to_have_count(2)
    expect(page.locator("table.data thead")).to_contain_text("rmse")
    page.go_back()
    page.get_by_role("link", name="notes.md").click()
    expect(page.locator(".note strong")).to_have_text("bold")
    page.go_back()
    page.get_by_role("link", name="deep/").click()
    page.get_by_role("link", name="er/").click()
    page.get_by_role("link", name="page.html").click()
    expect(page.locator("pre")).to_have_text("<h1>not a page</h1>")
    with page.expect_download() as taken:
        page.get_by_role("link", name="Download").click()
    assert taken.value.suggested_filename == "page.html"


def test_lineage_is_walked_from_a_run_to_its_data_and_on(scenery: Scene, page: Page) -> None:
    page.goto(f"/runs/{scenery.recorded[0]}")
    page.get_by_role("link", name="Lineage", exact=True).click()
    graph = page.get_by_role("region", name="graph")
    graph.get_by_role("link", name="file data.csv").click()
    expect(page).to_have_url(re.compile("sha256"))
    # Three runs read the same data.
    expect(graph.get_by_role("link", name=re.compile("^run calm-heron"))).to_have_count(3)
    graph.get_by_role("link", name="run calm-heron-2").click()
    page.get_by_role("link", name="open the run").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("calm-heron")


def test_source_and_lock_are_read_as_they_were(scenery: Scene, page: Page) -> None:
    page.goto(f"/runs/{scenery.recorded[1]}")
    page.get_by_role("link", name="2 source files as they ran").click()
    page.get_by_role("link", name="train.py").click()
    expect(page.locator("pre")).to_contain_text("print(1)")
    page.goto(f"/runs/{scenery.recorded[1]}/lock")
    expect(page.get_by_role("region", name="packages")).to_contain_text("numpy")


def test_a_model_is_moved_named_and_described(scenery: Scene, page: Page, tracking: Tracking) -> None:
    page.goto("/models")
    page.get_by_role("link", name="elastic").click()
    page.get_by_role("link", name="Version 2").click()
    page.get_by_label("Move to").select_option("Staging")
    page.get_by_role("button", name="Move").click()
    expect(page.locator("p.line strong")).to_have_text("Staging")
    page.get_by_role("textbox", name="Alias").fill("champion")
    page.get_by_role("button", name="Set alias").click()
    expect(page.locator(".alias").first).to_have_text("@champion")
    page.get_by_text("Change this version").click()
    page.get_by_label("Description, in Markdown").fill("the *best*")
    page.get_by_role("button", name="Save description").click()
    expect(page.locator(".note em")).to_have_text("best")
    version = tracking.registry.version("elastic", 2)
    assert (version.stage.value, version.aliases, version.description) == (
        "Staging",
        ("champion",),
        "the *best*",
    )
    page.get_by_text("Change this version").click()
    page.get_by_text("Delete this version").click()
    page.get_by_role("button", name="Delete it, for good").click()
    expect(page.get_by_role("link", name="Version 2")).to_have_count(0)


def test_everything_is_reached_by_keyboard(scenery: Scene, page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to content")
    page.keyboard.press("Enter")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.locator(":focus").text_content() == "trees":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("trees")
    page.get_by_label("Tick oak-0").focus()
    page.keyboard.press("Space")
    expect(page.get_by_label("Tick oak-0")).to_be_checked()


def test_a_logged_model_is_looked_at(scenery: Scene, store: FolderStore, page: Page) -> None:
    page.goto(f"/runs/{scenery.sweep[0]}")
    page.get_by_role("link", name="forest").click()
    expect(page.get_by_role("region", name="signature")).to_contain_text("tensor float64 [-1]")
    expect(page.locator(".alias").last).to_have_text("sklearn 1.7.2")
    files_of(store).write(f"runs/{scenery.logged[0]}/artifacts/model/MLmodel", iter([MLMODEL.encode()]))
    page.goto(f"/runs/{scenery.logged[0]}/files/model")
    expect(page.get_by_role("region", name="signature")).to_contain_text("age")
    page.get_by_role("link", name="MLmodel").click()
    expect(page.locator("pre")).to_contain_text("mlflow.sklearn")
