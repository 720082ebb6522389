"""A key for 👍 and one for 👎: which picture they rate, and when they must do nothing."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture
def shown(standin_page):
    """A page with a grid and four pictures, the first of them selected."""
    standin_page.generate(4)
    standin_page.select(1)
    return standin_page


def expect_only(page, index):
    """Likes a picture; the answers come in order, so no earlier press may have rated another."""
    page.select(index)
    page.page.keyboard.press("l")
    page.expect_mark(index, "liked")
    assert page.marks() == ["liked" if each == index else "" for each in range(5)]
    page.expect_lists(1, 0)


def test_keys_rate_the_selected_picture(shown):
    shown.page.keyboard.press("l")
    shown.expect_mark(1, "liked")
    shown.page.keyboard.press("d")
    shown.expect_mark(1, "disliked")
    shown.page.keyboard.press("d")
    shown.expect_mark(1, "")
    shown.expect_lists(0, 0)


def test_keys_rate_the_picture_under_the_pointer(shown):
    shown.pictures.nth(3).hover()
    shown.page.keyboard.press("d")
    shown.expect_mark(3, "disliked")
    shown.close_preview()
    shown.gallery.locator(".thumbnail-lg").nth(4).hover()
    shown.page.keyboard.press("l")
    expect(shown.gallery.locator(".thumbnail-lg[data-fabric-mark=liked]")).to_have_count(1)
    shown.expect_lists(1, 1)


def test_whoever_walks_on_means_the_selected_picture(shown):
    shown.pictures.nth(4).hover()
    shown.page.keyboard.press("ArrowRight")
    expect(shown.pictures.nth(2)).to_contain_class("selected")
    shown.page.keyboard.press("l")
    shown.expect_mark(2, "liked")
    assert shown.marks() == ["", "", "liked", "", ""]


def test_a_new_selection_counts_more_than_a_pointer_at_rest(shown):
    shown.pictures.nth(4).hover()
    shown.pictures.nth(2).evaluate("node => node.click()")
    expect(shown.pictures.nth(2)).to_contain_class("selected")
    shown.page.keyboard.press("l")
    shown.expect_mark(2, "liked")
    assert shown.marks() == ["", "", "liked", "", ""]


def test_several_in_a_row(shown):
    for key in "ldl":
        shown.page.keyboard.press(key)
        shown.page.keyboard.press("ArrowRight")
    shown.expect_lists(2, 1)
    assert shown.marks() == ["", "liked", "disliked", "liked", ""]


def test_a_held_key_counts_once(shown):
    for _ in range(2):
        shown.page.keyboard.down("l")
    shown.page.keyboard.up("l")
    shown.expect_mark(1, "liked")
    shown.select(2)
    shown.page.keyboard.press("d")
    shown.expect_lists(1, 1)


@pytest.mark.parametrize(
    "field",
    [
        "#txt2img_prompt textarea",
        "#txt2img_steps input[type=number]",
        "[contenteditable]",
        "select",
    ],
)
def test_never_while_typing(shown, field):
    shown.page.evaluate("""() => document.body.insertAdjacentHTML(
        'beforeend', '<div contenteditable>x</div><select><option>x</option></select>'
    )""")
    shown.page.locator(field).first.focus()
    shown.page.keyboard.press("l")
    shown.page.keyboard.press("d")
    expect_only(shown, 2)


def test_a_letter_in_the_prompt_stays_a_letter(shown):
    prompt = shown.page.locator("#txt2img_prompt textarea")
    prompt.focus()
    shown.page.keyboard.type("old")
    expect(prompt).to_have_value("old")


def test_a_slider_takes_no_letters(shown):
    shown.page.locator("#txt2img_steps input[type=range]").focus()
    shown.page.keyboard.press("l")
    shown.expect_mark(1, "liked")


@pytest.mark.parametrize("modifier", ["Control", "Alt", "Meta"])
def test_never_with_a_modifier(shown, modifier):
    for key in "ld":
        shown.page.keyboard.press(f"{modifier}+{key}")
    expect_only(shown, 2)


def test_never_on_another_tab(shown):
    shown.page.locator("#tabs > .tab-nav > button", has_text="img2img").click()
    shown.page.keyboard.press("l")
    shown.show_tab()
    expect_only(shown, 2)


def test_never_for_a_picture_out_of_sight(shown):
    shown.page.set_viewport_size({"width": 1400, "height": 300})
    shown.page.evaluate(
        "() => document.body.insertAdjacentHTML('beforeend', '<p style=height:3000px>')"
    )
    shown.page.evaluate("() => window.scrollTo(0, 5000)")
    shown.page.keyboard.press("l")
    shown.page.evaluate("() => window.scrollTo(0, 0)")
    expect_only(shown, 2)


def test_never_for_the_grid(shown):
    shown.select(0)
    shown.page.keyboard.press("l")
    expect_only(shown, 2)


def test_each_tab_has_its_own_pictures(new_page, picture_files):
    tab = new_page("img2img")
    tab.show_tab()
    tab.choose_img2img_image(picture_files[0])
    tab.generate(4)
    tab.select(2)
    tab.page.keyboard.press("d")
    tab.expect_mark(2, "disliked")
    tab.press_on_thumbnail(3, "liked")
    tab.expect_mark(3, "liked")
    tab.open_viewer()
    tab.press_in_viewer("liked")
    tab.expect_mark(2, "liked")
    tab.expect_lists(2, 0)


def test_other_keys_by_option(shown):
    shown.page.evaluate("() => Object.assign(opts, {fabric_key_like: 'k', fabric_key_dislike: ''})")
    shown.page.keyboard.press("l")
    shown.page.keyboard.press("d")
    shown.select(2)
    shown.page.keyboard.press("K")
    shown.expect_mark(2, "liked")
    assert shown.marks() == ["", "", "liked", "", ""]
    shown.gallery.hover()
    like, dislike = shown.preview_thumbs.locator("button").all()
    expect(like).to_have_attribute("title", "Like the picture for FABRIC; press again to undo (K)")
    expect(dislike).to_have_attribute(
        "title", "Dislike the picture for FABRIC; press again to undo."
    )


@pytest.mark.parametrize(
    "event",
    [
        {"key": "L", "code": "KeyL", "shiftKey": True},
        {"key": "l", "code": "KeyL", "shiftKey": True},
        {"key": "Д", "code": "KeyL", "shiftKey": True},
        {"key": "ל", "code": "KeyL", "shiftKey": True},
        {"key": "ł", "code": "KeyL", "modifierAltGraph": True},
        {"key": "l", "code": "KeyL", "isComposing": True},
    ],
)
def test_never_with_another_key_held_or_a_word_being_composed(shown, event):
    """Shift makes it a capital letter, AltGr another sign: neither is the bare key."""
    shown.page.evaluate(
        """event => document.body.dispatchEvent(
            new KeyboardEvent('keydown', {...event, bubbles: true})
        )""",
        event,
    )
    expect_only(shown, 2)


def test_a_sign_that_needs_shift_is_a_key(shown):
    shown.page.evaluate("() => Object.assign(opts, {fabric_key_like: '?'})")
    shown.page.keyboard.press("Shift+?")
    shown.expect_mark(1, "liked")


@pytest.mark.parametrize("place", ["body", "#txt2img_prompt textarea"])
def test_what_only_looks_like_a_key_is_survived(shown, place):
    """Chromium fills in a form with events that have no key; the fixture fails on errors."""
    shown.page.locator(place).evaluate(
        "node => node.dispatchEvent(new Event('keydown', {bubbles: true}))"
    )
    shown.page.evaluate("() => document.dispatchEvent(new Event('keydown'))")
    shown.page.evaluate("() => document.dispatchEvent(new Event('click'))")
    expect_only(shown, 2)


def test_the_same_key_on_another_alphabet(shown):
    shown.page.evaluate("""() => document.body.dispatchEvent(
        new KeyboardEvent('keydown', {key: 'д', code: 'KeyL', bubbles: true})
    )""")
    shown.expect_mark(1, "liked")


def test_buttons_below_the_gallery_name_the_keys(standin_page):
    expect(standin_page.own("like")).to_have_attribute(
        "title", "Like the picture for FABRIC; press again to undo (L)"
    )
    expect(standin_page.own("dislike")).to_have_attribute("aria-keyshortcuts", "D")
