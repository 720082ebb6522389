"""A headless Chromium and a WebUI's page for it: the stand-in, or a real WebUI by address.

FABRIC_WEBUI_URL=http://127.0.0.1:7860 tests a running WebUI that has the extension;
FABRIC_CHROMIUM names a browser that is not on the PATH.
"""

from __future__ import annotations

import os
import shutil

import pytest
from PIL import Image

REAL_URL = os.environ.get("FABRIC_WEBUI_URL")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
VIEWPORT = {"width": 1400, "height": 1600}


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium; skips where there is none."""
    names = [os.environ.get("FABRIC_CHROMIUM", ""), *BROWSERS]
    path = next((found for name in names if name and (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium found: install it, or set FABRIC_CHROMIUM to its path")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        # Containers run as root, where Chromium's own sandbox does not start.
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def webui_url(browser, request):
    """The address of the WebUI under test. Asks for the browser first: no browser, no WebUI."""
    return REAL_URL or request.getfixturevalue("standin").url


@pytest.fixture(scope="session")
def browser_context(browser):
    """One for all tests: the page's files load once. `new_page` forgets what a test has kept."""
    with browser.new_context() as context:
        yield context


@pytest.fixture
def new_page(browser_context, webui_url):
    """Opens pages of the WebUI; fails on errors in fabric.js."""
    from tests.browser.fabric_page import FabricPage

    pages, errors = [], []

    def open_page(tab="txt2img", viewport=VIEWPORT):
        page = browser_context.new_page()
        pages.append(page)
        page.set_viewport_size(viewport)
        page.on("pageerror", lambda error: errors.append(error.stack or str(error)))
        opened = FabricPage(page, tab)
        opened.open(webui_url)
        return opened

    yield open_page
    browser_context.set_offline(False)
    for page in pages:
        # Else the next test's page would begin with this one's lists, as a user's would.
        page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        page.close()
    # The host has errors of its own; only ours count.
    assert not [each for each in errors if "fabric" in each.lower()]


@pytest.fixture
def standin_page(new_page):
    """The txt2img tab of a fresh page."""
    return new_page()


@pytest.fixture
def picture_files(tmp_path):
    """Three picture files that a user might have."""
    files = []
    for name, colour, size in (
        ("red.png", "red", (96, 64)),
        ("green.jpg", "green", (64, 96)),
        ("blue.webp", "blue", (80, 80)),
    ):
        files.append(tmp_path / name)
        Image.new("RGB", size, colour).save(files[-1])
    return files
