"""The host's 'Generate forever': each picture follows what has been rated until then."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect

# As the host's javascript/contextMenus.js does for that entry of the button's menu.
FOREVER = """() => {
    const generate = document.getElementById('txt2img_generate');
    const interrupt = document.getElementById('txt2img_interrupt');
    const press = () => { if (!interrupt.offsetParent) generate.click(); };
    press();
    window.forever = setInterval(press, 500);
}"""


def test_each_picture_follows_what_was_rated_until_then(standin_page, picture_files):
    standin_page.generate(1)
    standin_page.open_accordion()
    standin_page.page.evaluate(FOREVER)
    try:
        standin_page.press("like")
        standin_page.expect_lists(1, 0)
        liked = standin_page.list_text("liked")[:16]
        # Nobody presses Generate.
        expect(standin_page.infotext).to_contain_text(f"FABRIC liked: {liked}", timeout=180_000)
        standin_page.choose_files("disliked", picture_files[:2])
        standin_page.expect_lists(1, 2)
        disliked = [each[:16] for each in standin_page.list_text("disliked").split()]
        expect(standin_page.infotext).to_contain_text(disliked[0], timeout=180_000)
        expect(standin_page.infotext).to_contain_text(disliked[1], timeout=180_000)
        standin_page.clear("liked")
        standin_page.expect_lists(0, 2)
        expect(standin_page.infotext).not_to_contain_text("FABRIC liked", timeout=180_000)
    finally:
        standin_page.page.evaluate("() => clearInterval(window.forever)")
