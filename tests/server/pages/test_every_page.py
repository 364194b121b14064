"""Every page, looked at by a browser: by whom it keeps out, what it asks for, and how it fits."""

from __future__ import annotations

from playwright.sync_api import Browser

from tests.server.pages.scenery import Scene
from tests.server.pages.walking import addresses, page_of, unseen
from tests.server.pages.watching import Watched

DESK, PHONE = {"width": 1200, "height": 900}, {"width": 390, "height": 844}

WRONG = {"/runs?filter=nonsense": "400", "/runs/nothing-like-it": "404"}
OTHERWISE = (*WRONG, "/?state=deleted")
"""Pages that have other things on them than one sees elsewhere at the same path."""


def of_scene(scenery: Scene) -> list[str]:
    """An address of every page, and of those that look otherwise with other things."""
    recorded, logged = scenery.recorded, scenery.logged
    values = {
        "experiment_id": scenery.sweep_id,
        "model_id": scenery.model_id,
        "name": "elastic",
        "version": "1",
        "trace_id": scenery.traces[0],
    }
    found = [
        *addresses(values),
        *addresses({"run_id": recorded[0]}),
        f"/runs/{recorded[0]}/source/train.py",
        f"/runs/{logged[0]}",
        f"/runs/{scenery.sweep[0]}",
        f"/runs/{scenery.sweep[0][:8]}",
        "/runs/oak-0",
        *(f"/runs/{logged[0]}/files/{path}" for path in ("", "table.csv", "picture.png", "notes.md")),
        f"/runs/{recorded[0]}/output/model.bin",
        f"/logged-models/{scenery.model_id}/files/MLmodel",
        f"/compare?run={recorded[0]}&run={recorded[1]}",
        "/compare?" + "&".join(f"run={run_id}" for run_id in logged[:3]),
        f"/lineage?of=runs:/{recorded[0]}",
        f"/traces/{scenery.traces[1]}",
        f"/experiments/{scenery.sweep_id}?filter=metrics.rmse+%3C+5",
        f"/experiments/{scenery.experiment_id}/traces",
        "/experiments/0/models",
        "/?state=deleted",
        *WRONG,
        "/runs?nested=no&sort=metrics.rmse",
    ]
    return [each for each in dict.fromkeys(found) if each not in ("/compare", "/lineage")]


def test_pages_keep_nobody_out(scenery: Scene, browser: Browser, site: str) -> None:
    """In light and in dark, at a desk and on a phone; nothing is asked of another host, no script fails."""
    context = browser.new_context(base_url=site, viewport=DESK)  # type: ignore[arg-type]
    window = Watched(context.new_page(), site)
    page = window.page
    barriers: list[str] = []
    known: set[str] = set()
    visited = of_scene(scenery)
    assert not unseen(visited)
    for address in visited:
        window.expected = WRONG.get(address)
        answer = page.goto(address)
        assert answer is not None
        assert (answer.status != 200) == (address in WRONG), address
        window.settle()
        window.touch()
        is_new = page_of(address) not in known or address in OTHERWISE
        known.add(page_of(address))
        barriers += window.barriers() if is_new else ()
        page.emulate_media(color_scheme="dark")
        barriers += window.barriers("color-contrast") if is_new else ()
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        barriers += window.overflowing()
        page.set_viewport_size(DESK)  # type: ignore[arg-type]
        page.emulate_media(color_scheme="light")
    context.close()
    assert not barriers
    assert not window.faults
