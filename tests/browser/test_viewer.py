"""Rating in the host's full-size viewer."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture
def viewed(standin_page):
    """A page with a grid and four pictures, the second of them in the viewer."""
    standin_page.generate(4)
    standin_page.select(2)
    standin_page.open_viewer()
    return standin_page


def walk(page, key):
    """Presses an arrow key; the host gives the focus back to the viewer a moment later."""
    page.page.keyboard.press(key)
    page.page.wait_for_timeout(50)
    expect(page.viewer).to_be_focused()


def pressed(page):
    """The list of the thumb that is shown as pressed, if any."""
    return page.viewer_thumbs.locator("[aria-pressed=true]")


def test_a_rating_leaves_the_viewer_open(viewed):
    viewed.press_in_viewer("liked")
    viewed.expect_mark(2, "liked")
    expect(pressed(viewed)).to_have_attribute("data-to", "liked")
    expect(viewed.viewer).to_be_visible()
    viewed.press_in_viewer("disliked")
    viewed.expect_mark(2, "disliked")
    viewed.press_in_viewer("disliked")
    viewed.expect_mark(2, "")
    expect(pressed(viewed)).to_have_count(0)
    expect(viewed.viewer).to_be_visible()


def test_pictures_are_rated_while_walking(viewed):
    viewed.press_in_viewer("liked")
    walk(viewed, "ArrowRight")
    viewed.page.keyboard.press("d")
    walk(viewed, "ArrowRight")
    viewed.page.keyboard.press("l")
    viewed.expect_mark(4, "liked")
    assert viewed.marks() == ["", "", "liked", "disliked", "liked"]
    expect(pressed(viewed)).to_have_attribute("data-to", "liked")
    walk(viewed, "ArrowLeft")
    expect(pressed(viewed)).to_have_attribute("data-to", "disliked")


def test_a_rating_flashes_over_the_picture(viewed):
    viewed.page.evaluate("""() => {
        window.flashes = [];
        new MutationObserver(records => records.forEach(each => each.addedNodes.forEach(node => {
            if (node.dataset?.fabricFlash) window.flashes.push(node.dataset.fabricFlash);
        }))).observe(document.getElementById('lightboxModal'), {childList: true});
    }""")
    viewed.page.keyboard.press("d")
    viewed.expect_mark(2, "disliked")
    walk(viewed, "ArrowRight")
    walk(viewed, "ArrowLeft")
    viewed.page.keyboard.press("d")
    viewed.expect_mark(2, "")
    assert viewed.page.evaluate("flashes") == ["disliked", "none"]
    expect(viewed.viewer.locator("[data-fabric-flash]")).to_have_count(0)


def test_no_thumbs_on_the_grid(viewed):
    expect(viewed.viewer_thumbs).to_be_visible()
    walk(viewed, "ArrowLeft")
    walk(viewed, "ArrowLeft")
    expect(viewed.viewer_thumbs).to_be_hidden()


def test_another_picture_in_the_viewer_is_not_taken_for_a_result(viewed):
    """A live preview, or a picture of another gallery."""
    viewed.page.evaluate("() => { modalImage.src = 'data:image/gif;base64,R0lGODlhAQABAAAAACw='; }")
    expect(viewed.viewer_thumbs).to_be_hidden()
    viewed.page.keyboard.press("l")
    viewed.expect_settled()
    viewed.expect_lists(0, 0)
    viewed.page.keyboard.press("Escape")
    expect(viewed.viewer).to_be_hidden()
    viewed.page.keyboard.press("d")
    viewed.expect_mark(2, "disliked")
    viewed.expect_lists(0, 1)


def test_the_thumbs_are_reached_by_tab(viewed):
    viewed.page.keyboard.press("Tab")
    viewed.page.keyboard.press("Tab")
    viewed.page.keyboard.press("Enter")
    viewed.expect_mark(2, "disliked")
    expect(viewed.viewer).to_be_visible()
