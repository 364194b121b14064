"""Whatever is stored, nobody's script runs on a page, and nothing is asked of another host."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from mlproj.model.tracking import Batch, Metric, NewRun
from mlproj.store.folder import FolderStore
from mlproj.tracking_ports import Tracking
from tests.server.calling import Caller
from tests.server.conftest import files_of
from tests.server.pages.watching import Watched
from tests.store.runs import begun, ended

ATTACKS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onfocus='alert(1)' autofocus='",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}${7*7}",
    "</title><script>alert(1)</script>",
    "</textarea><script src=https://evil.example/x.js></script>",
    "<b>bold</b><a href='javascript:alert(1)'>x</a>",
)
MARKDOWN = (
    "[a](javascript:alert(1)) [b](data:text/html,<script>alert(1)</script>) ![c](https://evil.example/c.png)\n\n"
    "<img src=x onerror=alert(1)><iframe src=https://evil.example></iframe>\n\n"
    "<https://good.example/page> `code` [d](vbscript:alert(1)) [e]( javascript&colon;alert(1))\n"
)
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40" onload="alert(1)">'
    b'<script>alert(1)</script><image href="https://evil.example/i.png"/><rect width="40" height="40"/></svg>'
)
FILES = {
    "attack.svg": SVG,
    "attack.html": b"<script>alert(1)</script>",
    "attack.md": MARKDOWN.encode(),
    "attack.csv": b"a,<script>alert(1)</script>\n=cmd|' /C calc'!A0,<img src=x onerror=alert(1)>\n",
    "attack.json": b'{"a": "</pre><script>alert(1)</script>"}',
    "<img src=x onerror=alert(1)>.txt": b"a name",
    "attack.png": b"<script>alert(1)</script>",
}


@pytest.fixture
def hostile(store: FolderStore, tracking: Tracking) -> tuple[str, str, str]:
    """An experiment and two runs all of whose texts are attacks: one logged, one recorded."""
    everything = " ".join(ATTACKS)
    experiment_id = tracking.experiments.create(everything).experiment_id
    tracking.experiments.set_tag(experiment_id, "mlflow.note.content", MARKDOWN)
    run_id = tracking.runs.create(
        NewRun(experiment_id=experiment_id, name=everything, user=ATTACKS[1], started=1_764_000_000_000)
    ).run_id
    tags = (*((attack, attack) for attack in ATTACKS), ("mlflow.note.content", MARKDOWN))
    tracking.runs.log(
        run_id,
        Batch(
            params=tuple((attack, attack) for attack in ATTACKS),
            tags=tags,
            metrics=tuple(
                Metric(key=attack, value=float(step), timestamp=step + 1, step=step)
                for attack in ATTACKS
                for step in range(3)
            ),
        ),
    )
    for name, content in FILES.items():
        files_of(store).write(f"runs/{run_id}/artifacts/{name}", iter([content]))
    tracking.registry.create("hostile", description=MARKDOWN, tags=((ATTACKS[0], ATTACKS[1]),))
    tracking.registry.create_version("hostile", source=ATTACKS[0], run_id=run_id, description=MARKDOWN)
    source = {ATTACKS[1].encode(): b"one\n", b"train.py": b"</pre><script>alert(1)</script>\n"}
    recorded = begun(store.blobs, name=everything, source=source, tags=((ATTACKS[0], ATTACKS[1]),))
    with store.begin(recorded):
        stdout = b"</pre><script>alert(1)</script>\x1b[31mred\x1b[0m\n" + everything.encode()
        store.seal(ended(store.blobs, recorded, stdout=stdout))
    return experiment_id, run_id, recorded.run_id


def test_nothing_that_is_stored_runs_in_a_page(hostile: tuple[str, str, str], watched: Watched) -> None:
    experiment_id, run_id, recorded = hostile
    page = watched.page
    addresses = (
        "/",
        f"/experiments/{experiment_id}",
        "/runs",
        f"/runs/{run_id}",
        f"/runs/{recorded}",
        f"/runs/{recorded}/source",
        f"/runs/{recorded}/source/train.py",
        f"/compare?run={run_id}&run={recorded}",
        f"/lineage?of=runs:/{recorded}",
        "/models",
        "/models/hostile",
        "/models/hostile/versions/1",
        "/models?name=%3Cscript%3Ealert(1)%3C/script%3E",
    )
    for address in addresses:
        page.goto(address)
        page.wait_for_load_state("networkidle")
        for element in page.locator("input, a, button, textarea").all()[:60]:
            if element.is_visible():
                element.focus()
        assert (
            page.locator("main script, main iframe, main img:not(.preview), [onerror], [onload]").count() == 0
        )
        for link in page.locator("main a").all():
            reference = link.get_attribute("href") or ""
            assert reference.startswith(("/", "?", "#", "https://good.example/", "http")), reference
    for name in FILES:
        page.goto(f"/runs/{run_id}")
        page.get_by_role("region", name="files").get_by_role("link", name=name, exact=True).click()
        page.wait_for_load_state("networkidle")
        assert page.locator("main script, main iframe, [onerror], [onload]").count() == 0
    page.goto(f"/runs/{run_id}/files/attack.svg")
    assert page.locator("img.preview").evaluate("image => image.naturalWidth") == 40
    expect(page).to_have_title("attack.svg · " + " ".join(ATTACKS) + " · mlproj")


def test_a_file_never_opens_as_a_page_of_ours(hostile: tuple[str, str, str], visitor: Caller) -> None:
    _, run_id, _ = hostile
    for name in ("attack.svg", "attack.html", "attack.md", "attack.png"):
        status, _, headers = visitor.whole("GET", f"/runs/{run_id}/raw/{name}")
        assert status == 200
        assert headers["content-disposition"].startswith("attachment")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        assert headers.get_content_type() in ("image/svg+xml", "image/png", "application/octet-stream")


@pytest.mark.parametrize("path", ["../../../store.db", "..%2f..%2f..%2fstore.db", "%2e%2e/%2e%2e/store.db"])
def test_no_path_leads_out_of_a_run(
    hostile: tuple[str, str, str], visitor: Caller, path: str, tmp_path: Path
) -> None:
    _, run_id, recorded = hostile
    for address in (f"/runs/{run_id}/raw", f"/runs/{run_id}/files", f"/runs/{recorded}/output-raw"):
        status, content = visitor.raw("GET", f"{address}/{path}")
        assert status in (400, 404)
        assert b"SQLite format" not in content
