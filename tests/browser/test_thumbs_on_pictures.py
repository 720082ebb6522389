"""👍 and 👎 on the pictures themselves: over a thumbnail, on the preview; by pointer and by Tab."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect

HAS_FOCUS = "node => node === document.activeElement"


@pytest.fixture
def shown(standin_page):
    """A page with a grid and four pictures, the first of them selected."""
    standin_page.generate(4)
    standin_page.select(1)
    return standin_page


def pressed(thumbs, name):
    """The thumb if it is shown as pressed."""
    return thumbs.locator(f"[data-to={name}][aria-pressed=true]")


def test_a_thumbnail_is_rated_without_selecting_it(shown):
    shown.press_on_thumbnail(3, "disliked")
    shown.expect_mark(3, "disliked")
    assert shown.marks() == ["", "", "", "disliked", ""]
    shown.expect_lists(0, 1)
    expect(pressed(shown.thumbnail_thumbs, "disliked")).to_have_count(1)
    expect(shown.pictures.nth(1)).to_contain_class("selected")


def test_a_thumbnail_is_rated_in_the_grid_view(shown):
    shown.close_preview()
    shown.gallery.locator(".thumbnail-lg").nth(2).hover()
    shown.thumbnail_thumbs.locator("[data-to=liked]").click()
    mark = shown.gallery.locator(".thumbnail-lg:nth-child(3)[data-fabric-mark=liked]")
    expect(mark).to_have_count(1)
    expect(shown.gallery.locator(".preview")).to_have_count(0)


def test_the_preview_is_rated(shown):
    shown.gallery.hover()
    shown.preview_thumbs.locator("[data-to=liked]").click()
    shown.expect_mark(1, "liked")
    expect(pressed(shown.preview_thumbs, "liked")).to_have_count(1)
    shown.select(2)
    expect(pressed(shown.preview_thumbs, "liked")).to_have_count(0)


def test_the_same_thumb_undoes_and_the_other_moves(shown):
    shown.press_on_thumbnail(3, "liked")
    shown.expect_mark(3, "liked")
    shown.press_on_thumbnail(3, "disliked")
    shown.expect_mark(3, "disliked")
    shown.expect_lists(0, 1)
    shown.press_on_thumbnail(3, "disliked")
    shown.expect_mark(3, "")
    shown.expect_lists(0, 0)


def test_no_thumbs_on_the_grid(shown):
    shown.pictures.nth(2).hover()
    expect(shown.thumbnail_thumbs).to_be_visible()
    shown.pictures.nth(0).hover()
    expect(shown.thumbnail_thumbs).to_be_hidden()
    shown.select(0)
    expect(shown.preview_thumbs).to_be_hidden()
    shown.close_preview()
    shown.gallery.locator(".thumbnail-lg").nth(0).hover()
    expect(shown.thumbnail_thumbs).to_be_hidden()


def test_never_two_pairs_at_once(shown):
    shown.gallery.hover()
    expect(shown.preview_thumbs).to_be_visible()
    shown.pictures.nth(3).hover()
    expect(shown.thumbnail_thumbs).to_be_visible()
    expect(shown.preview_thumbs).to_be_hidden()
    shown.pictures.nth(1).hover()
    expect(shown.thumbnail_thumbs).to_be_hidden()
    expect(shown.preview_thumbs).to_be_visible()


def test_quick_ratings_land_in_order(shown):
    shown.open_accordion()
    for index in (2, 3, 4):
        shown.press_on_thumbnail(index, "liked")
    shown.expect_lists(3, 0)
    # The newest comes first in the list.
    for index in (4, 3, 2):
        shown.expect_mark(index, "liked")
        shown.press_on_tile("liked", 0, "remove")
        shown.expect_mark(index, "")


def test_a_press_shows_before_its_answer(shown):
    shown.page.evaluate("""() => {
        window.seen = [];
        const watch = new MutationObserver(records => records.forEach(({target}) => {
            window.seen.push([target.dataset.fabricPending, target.dataset.fabricMark].join());
        }));
        watch.observe(document.querySelectorAll('#txt2img_gallery .thumbnail-small')[3], {
            attributes: true, attributeFilter: ['data-fabric-pending', 'data-fabric-mark'],
        });
    }""")
    shown.press_on_thumbnail(3, "liked")
    shown.expect_mark(3, "liked")
    seen = shown.page.evaluate("window.seen")
    assert seen[0] == "liked,"
    assert seen[-1] == ",liked"


def test_the_next_pictures_start_afresh(shown):
    shown.pictures.nth(3).hover()
    shown.thumbnail_thumbs.locator("[data-to=liked]").click()
    shown.expect_mark(3, "liked")
    shown.generate(4)
    expect(shown.gallery.locator("[data-fabric-thumbs]")).to_have_count(2)
    expect(shown.gallery.locator("[aria-pressed=true]")).to_have_count(0)
    # Of the five entries one is left: gradio closes the preview.
    shown.generate(1)
    shown.gallery.locator(".thumbnail-lg").hover()
    shown.thumbnail_thumbs.locator("[data-to=disliked]").click()
    shown.expect_lists(1, 1)


def test_a_press_leaves_the_arrow_keys_to_the_preview(shown):
    shown.preview_thumbs.locator("[data-to=liked]").click()
    shown.expect_mark(1, "liked")
    shown.page.keyboard.press("ArrowRight")
    expect(shown.pictures.nth(2)).to_contain_class("selected")


def test_tab_reaches_the_thumbs(shown):
    like, dislike = shown.thumbnail_thumbs.locator("button").all()
    shown.pictures.nth(1).focus()
    shown.page.keyboard.press("Tab")
    expect(shown.thumbnail_thumbs).to_be_visible()
    assert shown.pictures.nth(2).evaluate(HAS_FOCUS)
    shown.page.keyboard.press("Tab")
    assert like.evaluate(HAS_FOCUS)
    shown.page.keyboard.press("Tab")
    assert dislike.evaluate(HAS_FOCUS)
    shown.page.keyboard.press("Enter")
    shown.expect_mark(2, "disliked")
    expect(dislike).to_have_attribute("aria-pressed", "true")
    shown.page.keyboard.press("Tab")
    assert shown.pictures.nth(3).evaluate(HAS_FOCUS)
    shown.page.keyboard.press("Tab")
    shown.page.keyboard.press("Space")
    shown.expect_mark(3, "liked")
    shown.page.keyboard.press("Shift+Tab")
    assert shown.pictures.nth(3).evaluate(HAS_FOCUS)


def test_thumbs_say_what_they_are(shown):
    for thumbs in (shown.thumbnail_thumbs, shown.preview_thumbs):
        shown.pictures.nth(2 if thumbs is shown.thumbnail_thumbs else 1).hover()
        like, dislike = thumbs.locator("button").all()
        expect(like).to_have_attribute(
            "aria-label", "Like the picture for FABRIC; press again to undo."
        )
        expect(dislike).to_have_attribute("aria-pressed", "false")
        expect(dislike).to_have_attribute(
            "title", "Dislike the picture for FABRIC; press again to undo (D)"
        )


def test_labels_are_in_the_language_of_the_page(shown):
    text = "Like the picture for FABRIC; press again to undo."
    shown.page.evaluate("text => { localization[text] = 'Gefällt mir.'; }", text)
    shown.pictures.nth(2).hover()
    like = shown.thumbnail_thumbs.locator("[data-to=liked]")
    expect(like).to_have_attribute("title", "Gefällt mir (L)")
    expect(like).to_have_attribute("aria-label", "Gefällt mir.")


def test_nothing_moves_for_those_who_asked_for_less_motion(shown):
    name = """node => {
        node.dataset.fabricFresh = '';
        return getComputedStyle(node, '::after').animationName;
    }"""
    shown.press_on_thumbnail(3, "liked")
    shown.expect_mark(3, "liked")
    assert shown.pictures.nth(3).evaluate(name) == "fabric-pop"
    shown.page.emulate_media(reduced_motion="reduce")
    assert shown.pictures.nth(3).evaluate(name) == "none"


@pytest.fixture
def phone(browser, webui_url):
    """A page on a touch screen, 400 px wide, with four pictures."""
    from tests.browser.fabric_page import FabricPage

    screen = {"width": 400, "height": 800}
    with browser.new_context(viewport=screen, has_touch=True, is_mobile=True) as context:
        opened = FabricPage(context.new_page())
        opened.open(webui_url)
        opened.generate(4)
        yield opened


def test_a_touch_screen_has_thumbs_without_hovering(phone):
    phone.pictures.nth(2).tap()
    expect(phone.preview_thumbs).to_have_css("opacity", "1")
    phone.gallery.evaluate("node => node.scrollIntoView({block: 'center'})")
    before = phone.gallery.bounding_box()["y"]
    phone.preview_thumbs.locator("[data-to=liked]").tap()
    phone.expect_mark(2, "liked")
    # The accordion above the gallery has opened meanwhile.
    expect(phone.lists).to_be_visible()
    # The page scrolls along in the next frame.
    phone.page.wait_for_function(
        "([node, top]) => Math.abs(node.getBoundingClientRect().top - top) <= 2",
        arg=[phone.gallery.element_handle(), before],
    )
    box = phone.preview_thumbs.locator("[data-to=disliked]").bounding_box()
    assert min(box["width"], box["height"]) >= 36
    assert box["x"] + box["width"] <= 400
