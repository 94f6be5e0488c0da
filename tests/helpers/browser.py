"""A real browser for the tests of pages: one Chromium without a window, and what a page says and asks for."""

import contextlib
import shutil
import time
from dataclasses import dataclass, field

import pytest

OPTIONS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
NASTY = "</script><b>case"  # the name of a case
SECONDS = 60  # a loaded machine is slow; conditions end the waiting


def find_chromium():
    """The path of a Chromium or Chrome that is installed; None without."""
    names = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


@contextlib.contextmanager
def browser():
    """A browser with a fresh profile. Skips the test, saying why, where there is none."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium or Chrome is installed")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=OPTIONS, timeout=SECONDS * 1000)
        try:
            yield chromium
        finally:
            chromium.close()


@dataclass
class Tab:
    """An open page. ``said``: errors and all that it wrote into the console; ``asked``: every address it loaded."""

    page: object
    said: list = field(default_factory=list)
    asked: list = field(default_factory=list)

    def wait(self, condition):
        """Until a JavaScript expression is true. (The driver's own waiting runs in the page, whose content policy
        forbids it.)"""
        end = time.monotonic() + SECONDS
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, f"never true: {condition}"
            self.page.wait_for_timeout(20)

    def run(self, script, argument=None):
        return self.page.evaluate(script, argument)


@contextlib.contextmanager
def opened(chromium, path, **options):
    """The file in a tab of its own profile. ``options``: of playwright's ``new_context``, viewport, color_scheme."""
    context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    context.set_default_timeout(SECONDS * 1000)
    tab = Tab(context.new_page())
    tab.page.on("console", lambda message: tab.said.append(f"{message.type}: {message.text}"))
    tab.page.on("pageerror", lambda error: tab.said.append(f"error: {error}"))
    tab.page.on("request", lambda request: tab.asked.append(request.url))
    try:
        tab.page.goto(path.as_uri())
        yield tab
    finally:
        context.close()
