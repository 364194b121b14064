"""Models are registered from the page of the run that left them, renamed, and held back by their rules."""

from __future__ import annotations

import html
import shlex
from urllib.parse import urlencode

from playwright.sync_api import Page, expect

from mlproj.model.registry import Stage
from mlproj.store.folder import FolderStore
from mlproj.tracking_ports import Tracking
from tests.server.calling import Caller
from tests.server.conftest import files_of
from tests.server.pages.scenery import MLMODEL, Scene
from tests.server.pages.test_pages import HTML, opened, post


def test_a_logged_model_is_registered_and_found_again(
    scenery: Scene, page: Page, tracking: Tracking, visitor: Caller
) -> None:
    page.goto(f"/runs/{scenery.sweep[0]}")
    for name, version in (("fresh", 1), ("fresh", 2), ("elastic", 3)):
        page.get_by_label("under the name").fill(name)
        page.get_by_label("Description").fill("of the sweep")
        page.get_by_role("button", name="Register model").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Version {version}")
        expect(page.locator(".note")).to_have_text("of the sweep")
        page.get_by_role("link", name="search", exact=True).click()
        expect(page.get_by_role("link", name=f"{name} version {version}")).to_be_visible()
    made = tracking.registry.version("fresh", 1)
    assert (made.source, made.model_id, made.run_id) == (
        f"models:/{scenery.model_id}",
        scenery.model_id,
        scenery.sweep[0],
    )


def test_a_folder_with_a_model_is_registered(
    scenery: Scene, store: FolderStore, visitor: Caller, tracking: Tracking
) -> None:
    run_id = scenery.logged[0]
    source = f"runs:/{run_id}/tree"
    assert b"/change/register" not in visitor.raw("GET", f"/runs/{run_id}")[1]
    files_of(store).write(f"runs/{run_id}/artifacts/tree/MLmodel", iter([MLMODEL.encode()]))
    token, headers = opened(visitor, f"/runs/{run_id}")
    assert f'<option value="{source}">tree'.encode() in visitor.raw("GET", f"/runs/{run_id}")[1]
    fields = {"token": token, "run_id": run_id, "source": source, "name": "tree's", "description": ""}
    assert post(visitor, "/change/register", fields, headers) == (303, "/models/tree%27s/versions/1")
    assert tracking.registry.version("tree's", 1).source == source
    quoted = shlex.quote("models:/tree's/1")
    told = html.unescape(visitor.raw("GET", "/models/tree%27s/versions/1")[1].decode())
    assert f'href="/runs/{run_id}/files/tree"' in told
    assert f"mlproj models serve {quoted}\n" in told
    assert post(visitor, "/change/register", {**fields, "name": "a/b"}, headers)[0] == 400
    assert post(visitor, "/change/register", {**fields, "source": "../x"}, headers)[0] == 400


def test_a_renamed_model_is_gone_on_with_by_its_new_name(scenery: Scene, visitor: Caller) -> None:
    token, headers = opened(visitor, "/models/elastic")
    fields = {"token": token, "back": "/models/elastic", "name": "elastic", "new_name": "süß & 50%"}
    status, where = post(visitor, "/change/registered-models/rename", fields, headers)
    assert (status, where) == (303, "/models/s%C3%BC%C3%9F%20%26%2050%25")
    assert visitor.raw("GET", where or "")[0] == 200


def test_rules_hold_a_version_back_and_history_tells(
    scenery: Scene, visitor: Caller, tracking: Tracking
) -> None:
    token, headers = opened(visitor, "/models/elastic")
    named = {"token": token, "name": "elastic", "back": "/models/elastic"}
    rules = {**named, "rules": "rules: {reproduced: true}\n", "why": "as <agreed>"}
    assert post(visitor, "/change/models/rules", rules, headers) == (303, "/models/elastic")
    moved = {**named, "version": "1", "stage": "Production"}
    status, content, _ = visitor.whole(
        "POST", "/change/model-versions/transition-stage", urlencode(moved), headers
    )
    assert status == 409 and "1 of 1 rules do not hold" in html.unescape(content.decode())
    assert b'<a href="/models/elastic">back</a>' in content
    _, content, _ = visitor.whole("GET", "/models/elastic/versions/1", headers=HTML)
    assert "<strong>Held back:</strong>" in content.decode()
    _, content, _ = visitor.whole("GET", "/models/elastic", headers=HTML)
    page = content.decode()
    assert "promotion refused" in page and "as &lt;agreed&gt;" in page and "reproduced: true" in page
    assert post(visitor, "/change/models/rules", {**rules, "rules": ""}, headers)[0] == 303
    assert tracking.registry.rules("elastic") is None
    assert post(visitor, "/change/model-versions/transition-stage", moved, headers)[0] == 303
    assert tracking.registry.version("elastic", 1).stage is Stage.PRODUCTION
