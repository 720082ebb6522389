"""Whether everything in the accordion can be read: in both themes, and on a narrow window."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect

# The least contrast of large text and of controls, WCAG 2.1, success criterion 1.4.3 and 1.4.11.
MIN_CONTRAST = 3.0
TEXTS = ".fabric-heading, .fabric-text-button, .fabric-drop, .fabric-empty, .fabric-pager span, \
.fabric-preset-name, .fabric-preset-counts, .fabric-button, .fabric-count"
# Contrast ratio of each visible text with what lies under it: the definition of WCAG 2.1.
CONTRASTS = """(root, texts) => {
    const channels = text => text.match(/[\\d.]+/g).map(Number);
    const luminance = rgb => [0.2126, 0.7152, 0.0722].reduce((sum, share, at) => {
        const value = rgb[at] / 255;
        return sum + share * (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    }, 0);
    const ground = node => {
        const [red, green, blue, alpha] = channels(getComputedStyle(node).backgroundColor);
        if (alpha === undefined || alpha > 0.5) return [red, green, blue];
        return node.parentElement ? ground(node.parentElement) : [255, 255, 255];
    };
    return Array.from(root.querySelectorAll(texts))
        .filter(each => each.checkVisibility())
        .map(each => {
            const lights = [channels(getComputedStyle(each).color), ground(each)].map(luminance);
            const [dark, light] = lights.sort((a, b) => a - b);
            return [each.textContent, (light + 0.05) / (dark + 0.05)];
        });
}"""


def fill(page, files):
    """Opens everything and puts something everywhere."""
    page.open_accordion()
    page.choose_files("liked", files[:2])
    page.expect_lists(2, 0)
    page.choose_files("disliked", files[2:])
    page.expect_lists(2, 1)
    for name in ("history", "presets"):
        expect(page.open_panel(name).locator("input").first).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_stand_out_in_both_themes(new_page, webui_url, picture_files, theme):
    page = new_page()
    page.open(f"{webui_url}/?__theme={theme}")
    is_dark = page.page.evaluate("() => document.body.classList.contains('dark')")
    assert is_dark == (theme == "dark")
    fill(page, picture_files)
    contrasts = page.own("accordion").evaluate(CONTRASTS, TEXTS)
    assert len(contrasts) > 8
    assert not [(text, ratio) for text, ratio in contrasts if ratio < MIN_CONTRAST]


def test_everything_fits_into_a_narrow_window(new_page, picture_files):
    page = new_page(viewport={"width": 400, "height": 1600})
    fill(page, picture_files)
    boxes = page.own("accordion").evaluate(
        """root => Array.from(root.querySelectorAll('[class^=fabric-]'))
            .filter(each => each.checkVisibility())
            .map(each => each.getBoundingClientRect()).map(box => [box.left, box.right])"""
    )
    assert len(boxes) > 30
    assert min(left for left, _ in boxes) >= 0
    assert max(right for _, right in boxes) <= 400
