"""How the files of javascript/ find each other."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.slow]

pytest.importorskip("playwright.sync_api")


def test_their_order_does_not_matter(new_page, browser_context):
    """The host sorts them by name, which says nothing of what they need."""
    files = sorted((ROOT / "javascript").glob("*.js"))
    texts = dict(zip((each.name for each in files), reversed(files), strict=True))
    served = []

    def serve_another(route):
        name = re.search(r"fabric\w*\.js", route.request.url)[0]
        served.append(name)
        route.fulfill(body=texts[name].read_text("utf-8"), content_type="text/javascript")

    address = re.compile(r"/javascript/fabric\w*\.js")
    browser_context.route(address, serve_another)
    try:
        page = new_page()
    finally:
        browser_context.unroute(address)
    assert sorted(served) == sorted(texts)
    page.generate(1)
    page.press("like")
    page.expect_lists(1, 0)


def test_what_is_global_is_what_gradio_calls(standin_page):
    called, offered = standin_page.page.evaluate("""() => {
        const texts = gradio_config.dependencies.map(each => each.js).join();
        return [texts.match(/fabricUi\\.\\w+/g), Object.keys(fabricUi)];
    }""")
    assert {each.removeprefix("fabricUi.") for each in called} == set(offered)
