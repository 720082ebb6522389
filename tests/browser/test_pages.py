"""What belongs to whom: pages, tabs, and the next picture."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect


def test_the_next_picture_follows_the_rating(standin_page):
    standin_page.generate(4)
    standin_page.rate(1, "like")
    standin_page.rate(2, "dislike")
    standin_page.generate(1)
    expect(standin_page.infotext).to_contain_text("FABRIC liked: ")
    expect(standin_page.infotext).to_contain_text("FABRIC disliked: ")


def test_an_undone_rating_leaves_no_trace(standin_page):
    standin_page.generate(4)
    standin_page.rate(1, "like")
    standin_page.rate(1, "like")
    standin_page.generate(1)
    expect(standin_page.infotext).to_contain_text("Seed: ")
    expect(standin_page.infotext).not_to_contain_text("FABRIC")


def test_two_pages_do_not_see_each_other(new_page, picture_files):
    first, second = new_page(), new_page()
    for page in (first, second):
        page.open_accordion()
    first.choose_files("liked", picture_files[:2])
    first.expect_lists(2, 0)
    second.choose_files("disliked", picture_files[:1])
    second.expect_lists(0, 1)
    first.press_on_tile("liked", 0, "remove")
    first.expect_lists(1, 0)
    second.expect_lists(0, 1)


def test_another_browser_starts_empty(standin_page, webui_url, browser, picture_files):
    from tests.browser.fabric_page import FabricPage

    standin_page.open_accordion()
    standin_page.choose_files("liked", picture_files[:1])
    standin_page.expect_lists(1, 0)
    with browser.new_context() as context:
        other = FabricPage(context.new_page())
        other.open(webui_url)
        other.open_accordion()
        other.expect_lists(0, 0)


def test_tabs_do_not_see_each_other(standin_page, picture_files):
    from tests.browser.fabric_page import FabricPage

    other = FabricPage(standin_page.page, "img2img")
    standin_page.open_accordion()
    standin_page.choose_files("liked", picture_files[:1])
    standin_page.expect_lists(1, 0)
    other.show_tab()
    other.open_accordion()
    other.expect_lists(0, 0)
    other.choose_files("disliked", picture_files[1:])
    other.expect_lists(0, 2)
    standin_page.show_tab()
    standin_page.expect_lists(1, 0)


def test_img2img_steers_its_own_pictures(new_page, picture_files):
    tab = new_page("img2img")
    tab.show_tab()
    tab.choose_img2img_image(picture_files[0])
    tab.generate(4)
    tab.rate(1, "dislike")
    tab.expect_lists(0, 1)
    tab.generate(1)
    expect(tab.infotext).to_contain_text("FABRIC disliked: ")


def test_reload_ui_leaves_it_working(standin, standin_page, webui_url):
    """The host runs scripts/fabric.py again but keeps lib_fabric imported."""
    standin_page.generate(1)
    standin_page.press("like")
    standin_page.expect_lists(1, 0)
    standin.reload_ui()
    standin_page.open(webui_url)
    standin_page.expect_lists(1, 0)
    standin_page.generate(4)
    standin_page.rate(1, "like")
    standin_page.expect_lists(2, 0)
    standin_page.generate(1)
    expect(standin_page.infotext).to_contain_text("FABRIC liked: ")
