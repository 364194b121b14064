"""Whatever is stored, nobody's script runs on a page, and nothing is asked of another host."""

from __future__ import annotations

from urllib.parse import quote

import msgspec
import pytest
from msgspec.structs import replace
from playwright.sync_api import expect

from mlproj.model.registry import By, Stage
from mlproj.model.tracking import PARENT, Batch, Metric, ModelOutput, NewRun
from mlproj.store.folder import FolderStore
from mlproj.tracking_ports import Tracking
from tests.server.calling import Caller
from tests.server.conftest import files_of
from tests.server.pages.scenery import text
from tests.server.pages.walking import addresses, unseen
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
HOSTILE_MODEL = """\
flavors: {"<img src=x onerror=alert(1)>": {a_version: "<script>alert(1)</script>"}}
run_id: "<script>alert(1)</script>"
signature:
  inputs: '[{"type": "<img src=x onerror=alert(1)>", "name": "<script>alert(1)</script>"}]'
"""
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


_FOUND = """() => {
  const odd = ["script", "iframe", "object", "embed", "base", "style", "link", "meta", "img:not(.preview)"]
    .map((name) => `main ${name}`).join();
  const handling = [...document.querySelectorAll("*")].filter((each) =>
    [...each.attributes].some(({ name }) => name.startsWith("on") || name === "srcdoc" || name === "style")
    && !each.closest(".plot, #js-plotly-tester"));
  const led = [...document.querySelectorAll("[href], [src], [action]")]
    .filter((each) => !(each.localName === "a" && each.rel.includes("noopener")))
    .flatMap((each) => ["href", "src", "action"].map((name) => each.getAttribute(name) || "/"))
    .filter((to) => !/^[/?#](?!\\/)/.test(to));
  const linked = [...document.querySelectorAll("a[rel~=noopener]")].map((each) => each.getAttribute("href"))
    .filter((to) => !/^https:\\/\\/(good|evil)\\.example\\//.test(to));
  const elements = [...document.querySelectorAll(odd), ...handling];
  return [...elements.map((each) => each.outerHTML.slice(0, 200)), ...led, ...linked];
}"""
"""What stored text has made of a page that it may not: elements that load or run something, and links to
scripts, or without a note's own mark to other hosts."""


@pytest.fixture
def hostile(store: FolderStore, tracking: Tracking) -> dict[str, str]:
    """Things all of whose texts are attacks, by what addresses name them by: a run that was logged, with one
    below it and with a model and a trace, and one that was recorded."""
    files = files_of(store)
    everything = " ".join(ATTACKS)
    experiment_id = tracking.experiments.create(everything).experiment_id
    tracking.experiments.set_tag(experiment_id, "mlflow.note.content", MARKDOWN)
    new = NewRun(experiment_id=experiment_id, name=everything, user=ATTACKS[1], started=1_764_000_000_000)
    run_id = tracking.runs.create(new).run_id
    below = tracking.runs.create(replace(new, tags=((PARENT, run_id),))).run_id
    tags = (*((attack, attack) for attack in ATTACKS), ("mlflow.note.content", MARKDOWN))
    points = tuple(
        Metric(key=attack, value=float(step), timestamp=step + 1, step=step)
        for attack in ATTACKS
        for step in range(3)
    )
    params = tuple((attack, attack) for attack in ATTACKS)
    tracking.runs.log(run_id, Batch(params=params, tags=tags, metrics=points))
    tracking.runs.log(
        below,
        Batch(metrics=tuple(replace(point, value=point.value + place) for place, point in enumerate(points))),
    )
    for name, content in FILES.items():
        files.write(f"runs/{run_id}/artifacts/{name}", iter([content]))
    tracking.registry.create("hostile", description=MARKDOWN, tags=((ATTACKS[0], ATTACKS[1]),))
    tracking.registry.create_version("hostile", source=ATTACKS[0], run_id=run_id, description=MARKDOWN)
    by = By(who=ATTACKS[1], why=everything)
    tracking.registry.transition("hostile", 1, Stage.STAGING, archive_existing=False, by=by)
    recorded = begun(
        store.blobs,
        name=everything,
        source={ATTACKS[1].encode(): b"one\n", b"train.py": b"</pre><script>alert(1)</script>\n"},
        tags=((ATTACKS[0], ATTACKS[1]),),
    )
    with store.begin(recorded):
        stdout = b"</pre><script>alert(1)</script>\x1b[31mred\x1b[0m\n" + everything.encode()
        store.seal(ended(store.blobs, recorded, stdout=stdout))
    model = tracking.models.create(
        experiment_id, name=ATTACKS[1], model_type=ATTACKS[2], source_run_id=run_id, params=params, tags=tags
    )
    tracking.runs.log_outputs(run_id, (ModelOutput(model_id=model.model_id),))
    files.write(f"models/{model.model_id}/artifacts/MLmodel", iter([HOSTILE_MODEL.encode()]))
    return {
        "experiment_id": experiment_id,
        "run_id": run_id,
        "below": below,
        "recorded": recorded.run_id,
        "model_id": model.model_id,
        "trace_id": _trace(tracking, experiment_id, run_id),
        "name": "hostile",
        "version": "1",
    }


def _trace(tracking: Tracking, experiment_id: str, run_id: str) -> str:
    """The id of a trace, an attack itself, all of whose texts are attacks."""
    trace_id, everything = ATTACKS[1], " ".join(ATTACKS)
    named = {attack: attack for attack in ATTACKS}
    info = {
        "trace_id": trace_id,
        "trace_location": {"mlflow_experiment": {"experiment_id": experiment_id}},
        "request_time": "2026-11-24T06:00:00.000Z",
        "state": ATTACKS[2],
        "request_preview": everything,
        "response_preview": everything,
        "trace_metadata": {**named, "mlflow.sourceRun": run_id},
        "tags": {**named, "mlflow.traceName": everything},
        "assessments": [
            {
                "assessment_name": everything,
                "source": {"source_type": "HUMAN", "source_id": everything},
                "feedback": {"value": everything},
                "rationale": MARKDOWN,
            }
        ],
    }
    attributes = [text(attack, attack) for attack in ATTACKS]
    attributes += [text(f"mlflow.span{part}", everything) for part in ("Inputs", "Outputs", "Type")]
    span = {
        "span_id": ATTACKS[0],
        "name": everything,
        "attributes": attributes,
        "status": {"code": "STATUS_CODE_ERROR", "message": everything},
        "events": [{"name": everything, "attributes": attributes}],
    }
    spans = [{**span, "parent_span_id": ""}, {**span, "span_id": "2", "parent_span_id": ATTACKS[0]}]
    tracking.traces.add(trace_id, experiment_id, msgspec.json.encode(info), msgspec.json.encode(spans))
    return trace_id


def test_nothing_that_is_stored_runs_in_a_page(hostile: dict[str, str], watched: Watched) -> None:
    page, run_id, recorded = watched.page, hostile["run_id"], hostile["recorded"]
    visited = [
        *addresses(hostile),
        *addresses({"run_id": recorded}),
        f"/runs/{recorded}/source/train.py",
        f"/runs/{recorded}/output/model.bin",
        *(f"/runs/{run_id}/files/{quote(name)}" for name in FILES),
        f"/logged-models/{hostile['model_id']}/files/MLmodel",
        f"/compare?run={run_id}&run={recorded}",
        f"/lineage?of=runs:/{recorded}",
        f"/runs/{quote(ATTACKS[1], safe='')}",
        f"/models?name={quote(ATTACKS[0])}",
        f"/runs?filter={quote(ATTACKS[0])}&column={quote('params.' + ATTACKS[1])}",
    ]
    visited = [
        each
        for each in visited
        if each not in ("/compare", "/lineage", f"/runs/{run_id}/source", f"/runs/{run_id}/lock")
    ]
    assert not unseen(visited)
    for address in visited:
        watched.expected = "40"
        page.goto(address)
        watched.settle()
        watched.touch()
        assert page.evaluate(_FOUND) == [], address
    page.goto(f"/runs/{run_id}/files/attack.svg")
    assert page.locator("img.preview").evaluate("image => image.naturalWidth") == 40
    expect(page).to_have_title("attack.svg · " + " ".join(ATTACKS) + " · mlproj")


def test_charts_show_names_as_they_are(hostile: dict[str, str], watched: Watched) -> None:
    """Plotly reads some HTML in texts: none of it is made of what is stored."""
    page = watched.page
    page.goto(f"/compare?run={hostile['run_id']}&run={hostile['below']}")
    watched.settle()
    page.locator("[data-parallel] .scatterlayer").wait_for()
    made = page.evaluate("() => [...document.querySelectorAll('.plot a, .plot b, .plot img')].length")
    shown = page.locator("[data-parallel] .legendtext").first.text_content()
    assert made == 0
    assert shown is not None and shown.startswith("<script>alert(1)</script>")


def test_a_file_never_opens_as_a_page_of_ours(hostile: dict[str, str], visitor: Caller) -> None:
    run_id = hostile["run_id"]
    for name in ("attack.svg", "attack.html", "attack.md", "attack.png"):
        status, _, headers = visitor.whole("GET", f"/runs/{run_id}/raw/{name}")
        assert status == 200
        assert headers["content-disposition"].startswith("attachment")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        assert headers.get_content_type() in ("image/svg+xml", "image/png", "application/octet-stream")


@pytest.mark.parametrize("path", ["../../../store.db", "..%2f..%2f..%2fstore.db", "%2e%2e/%2e%2e/store.db"])
def test_no_path_leads_out_of_a_run(hostile: dict[str, str], visitor: Caller, path: str) -> None:
    run_id, recorded = hostile["run_id"], hostile["recorded"]
    for address in (f"/runs/{run_id}/raw", f"/runs/{run_id}/files", f"/runs/{recorded}/output-raw"):
        status, content = visitor.raw("GET", f"{address}/{path}")
        assert status in (400, 404)
        assert b"SQLite format" not in content
