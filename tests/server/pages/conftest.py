"""A server with pages over a store that has something of everything, and a browser that looks at them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from mlproj import server_wiring, wiring
from mlproj.server.access import Grant, Guard
from mlproj.server.app import create_app
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from mlproj.tracking_ports import Tracking
from tests.conftest import need
from tests.server.calling import Caller, calling, served
from tests.server.conftest import files_of
from tests.server.pages.scenery import Scene, scene
from tests.server.pages.watching import Watched


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Scene]:
    """A store with the scenery, to be copied: that takes a twentieth of the time."""
    root = tmp_path_factory.mktemp("scenery") / "store"
    store = open_store(root, create=True)
    tracking = wiring.tracking_of(store)
    made = scene(store, tracking, files_of(store))
    tracking.close()
    store.close()
    return root, made


@pytest.fixture
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[FolderStore]:
    """A store of one's own: one with the scenery where the test asks for that."""
    root = tmp_path / "store"
    if "scenery" in request.fixturenames:
        shutil.copytree(request.getfixturevalue("built")[0], root)
    store = open_store(root, create=True)
    yield store
    store.close()


@pytest.fixture
def scenery(store: FolderStore, built: tuple[Path, Scene]) -> Scene:
    """What is in the store."""
    return built[1]


@pytest.fixture
def site(store: FolderStore, tracking: Tracking) -> Iterator[str]:
    """The address of a server with pages."""
    bugs: list[Exception] = []
    app = create_app(tracking, files_of(store), proxied=True, store=store, unexpected=bugs.append)
    server_wiring.add_pages(app, os.environ)
    with served(Guard(app, Grant(), token=None)) as uri:
        yield uri
    assert not bugs


@pytest.fixture
def visitor(site: str) -> Iterator[Caller]:
    with calling(site) as caller:
        yield caller


# Not for the session: as long as it is there, its event loop is the thread's, in which others have none.
@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium, the machine's own."""
    found = shutil.which("chromium")
    need("chromium", found is not None)
    # Without root's rights it could have a sandbox of its own.
    arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
    own: dict[str, str | float | bool] = {**os.environ, "HOME": str(tmp_path_factory.mktemp("browser"))}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=arguments, env=own)
        yield browser
        browser.close()


@pytest.fixture
def watched(browser: Browser, site: str) -> Iterator[Watched]:
    """A window on the site; what went wrong in it by the end of the test fails the test."""
    context = browser.new_context(base_url=site, viewport={"width": 1200, "height": 900})
    watched = Watched(context.new_page(), site)
    yield watched
    context.close()
    assert not watched.faults


@pytest.fixture
def page(watched: Watched) -> Page:
    return watched.page
