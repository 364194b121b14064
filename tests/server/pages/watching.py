"""A window of a browser that notes whatever no page may do, and how accessible each is."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Dialog, Page, Request

_AXE = Axe().axe_script
_OVERFLOWING = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const wider = [...document.querySelectorAll("body *")]
    .filter((each) => each.getBoundingClientRect().right > width && !each.closest(".scroll"))
    .map((each) => each.outerHTML.slice(0, 150));
  return wider.length ? wider : ["something"];
}"""
_PATIENCE = 30
_GRAVE = ("serious", "critical")
_DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
_OPENED = """() => {
  for (const each of document.querySelectorAll("details")) each.open = true;
  const taking = "a, button, input, select, summary, textarea, [tabindex]";
  for (const each of document.querySelectorAll(taking)) each.focus();
  document.activeElement.blur();
}"""


class Watched:
    """`faults` are errors on the console, of scripts, requests to other hosts, dialogs that scripts open.

    The browser says there that an answer was an error, too; `expected` is the status of one that was to be.
    """

    def __init__(self, page: Page, site: str) -> None:
        self.page = page
        self.faults: list[str] = []
        self.expected: str | None = None
        self._site = site
        self._asking: set[Request] = set()
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("request", self._asked)
        page.on("requestfinished", lambda request: self._asking.discard(request))
        page.on("requestfailed", lambda request: self._asking.discard(request))
        page.on("dialog", self._dialog)

    def settle(self) -> None:
        """Waits until the page has all that it asks for, and is drawn."""
        self.page.wait_for_load_state("load")
        self.page.evaluate(_DRAWN)
        while self._asking:
            self.page.wait_for_timeout(10)
        self.page.evaluate(_DRAWN)

    def touch(self) -> None:
        """Opens whatever can be opened, and puts the focus on each thing that takes it."""
        self.page.evaluate(_OPENED)
        self.settle()

    def barriers(self, *rules: str) -> list[str]:
        """What axe-core finds that keeps somebody out, of serious degree or worse; by these rules alone where
        any are named."""
        options: dict[str, Any] = {"resultTypes": ["violations"]}
        if rules:
            options["runOnly"] = {"type": "rule", "values": list(rules)}
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(_AXE)
        found: dict[str, Any] = self.page.evaluate("(options) => axe.run(options)", options)
        return [
            f"{self.page.url}: {each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]}"
            for each in found["violations"]
            if each["impact"] in _GRAVE
        ]

    def overflowing(self) -> list[str]:
        """What is wider than the window and does not scroll by itself, where the page is."""
        found: list[str] = self.page.evaluate(_OVERFLOWING)
        for _ in range(_PATIENCE if found else 0):
            # Charts take some time to follow the window.
            self.page.wait_for_timeout(100)
            found = self.page.evaluate(_OVERFLOWING)
            if not found:
                break
        return [f"{self.page.url}: {element}" for element in found]

    def _said(self, message: ConsoleMessage) -> None:
        told = self.expected is not None and f"status of {self.expected}" in message.text
        if message.type in ("error", "warning") and not told:
            self.faults.append(f"console on {self.page.url}: {message.text}")

    def _asked(self, request: Request) -> None:
        self._asking.add(request)
        if not request.url.startswith((f"{self._site}/", "data:", "blob:")):
            self.faults.append(f"a request to {request.url}")

    def _dialog(self, dialog: Dialog) -> None:
        self.faults.append(f"a dialog: {dialog.message}")
        dialog.dismiss()
