"""Compare: the selected picture with FABRIC and without, by the host's own Generate."""

from __future__ import annotations

import json
import re

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture
def rated(standin_page, picture_files):
    """A page with a grid and four pictures, and one liked file."""
    standin_page.open_accordion()
    standin_page.choose_files("liked", picture_files[:1])
    standin_page.expect_lists(1, 0)
    standin_page.generate(4)
    return standin_page


def info(page):
    """What the host says of the pictures in the gallery."""
    return json.loads(page.page.locator("#generation_info_txt2img textarea").input_value())


def compare(page):
    """Presses Compare and waits for both pictures."""
    before = page.own("comparison").locator("textarea").input_value()
    assert before == ""
    page.own("compare").click()
    expect(page.gallery.locator(".grid-container .thumbnail-lg, .thumbnail-small")).to_have_count(
        2, timeout=180_000
    )
    expect(page.page.locator("#txt2img_results .progressDiv")).to_have_count(0, timeout=180_000)


def test_the_selected_picture_comes_with_and_without(rated):
    seeds = info(rated)["all_seeds"]
    rated.select(3)
    compare(rated)
    made = info(rated)
    assert made["all_seeds"] == [seeds[2], seeds[2]]
    assert ["FABRIC liked" in text for text in made["infotexts"]] == [True, False]
    expect(rated.page.locator("#html_log_txt2img").first).to_contain_text("the second without")
    # For one press only: the form is as it was.
    rated.press_generate(4)
    assert info(rated)["batch_size"] == 4


def test_compare_waits_for_a_press_that_is_under_way(standin_page):
    standin_page.generate(1)
    standin_page.page.locator("#txt2img_fabric_like").click()
    standin_page.own("compare").click()
    expect(standin_page.gallery.locator(".thumbnail-lg")).to_have_count(2, timeout=180_000)
    assert ["FABRIC liked" in text for text in info(standin_page)["infotexts"]] == [True, False]


def test_nothing_is_generated_where_there_is_no_difference(standin_page):
    standin_page.generate(1)
    before = info(standin_page)
    standin_page.own("compare").click()
    expect(standin_page.own("toast")).to_have_text(
        re.compile("Rate a picture and switch FABRIC on")
    )
    assert info(standin_page) == before
