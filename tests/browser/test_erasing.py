"""Settings: deleting everything that was stored, on every page that is open."""

from __future__ import annotations

import re

import pytest

from lib_fabric import __version__

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect


def _show_settings(page):
    page.page.locator("#tabs > .tab-nav > button", has_text="Settings").first.click()
    about = page.page.locator(".fabric-about").first
    expect(about).to_contain_text(__version__)
    return about


@pytest.fixture
def rated_pages(new_page, picture_files):
    """Two pages of one browser with lists, a history that is open, and a preset."""
    first, second = new_page(), new_page()
    for page in (first, second):
        page.open_accordion()
        page.choose_files("liked", picture_files[:2])
        page.expect_lists(2, 0)
    second.own("history_panel").locator(".label-wrap").click()
    expect(second.own("history").locator("[data-id]").first).to_be_visible()
    return first, second


def test_nothing_happens_on_no(rated_pages):
    first, _ = rated_pages
    questions = []

    def refuse(dialog):
        questions.append(dialog.message)
        dialog.dismiss()

    first.page.on("dialog", refuse)
    _show_settings(first).get_by_role("button", name="Delete everything FABRIC stored").click()
    first.page.wait_for_function("() => !document.querySelector('.fabric-about button').disabled")
    first.page.wait_for_timeout(100)
    (question,) = questions
    assert re.search(r"together \d+ [KM]B", question)
    first.show_tab()
    first.expect_lists(2, 0)


def test_all_pages_are_empty_on_yes_and_go_on(rated_pages, picture_files, new_page):
    first, second = rated_pages
    first.page.on("dialog", lambda dialog: dialog.accept())
    about = _show_settings(first)
    about.get_by_role("button", name="Delete everything FABRIC stored").click()
    expect(about.get_by_role("status")).to_contain_text("is deleted")
    first.show_tab()
    first.expect_lists(0, 0)
    second.expect_lists(0, 0)
    expect(second.own("history").locator("[data-id]")).to_have_count(0)
    expect(second.lists).not_to_have_attribute("data-fabric-can-undo", "")
    second.generate(1)
    expect(second.infotext).to_contain_text("Seed: ")
    expect(second.infotext).not_to_contain_text("FABRIC")
    third = new_page()
    third.open_accordion()
    third.expect_lists(0, 0)
    second.choose_files("liked", picture_files[:1])
    second.expect_lists(1, 0)
