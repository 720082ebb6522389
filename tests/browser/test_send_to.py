"""The host's own buttons from txt2img to img2img take ratings and settings along."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.browser.fabric_page import ANSWER_MS, FabricPage

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect
ROOT = Path(__file__).resolve().parents[2]


def number(page: FabricPage, name: str):
    return page.own(name).locator("input[type=number]")


@pytest.fixture
def rated(new_page):
    """A page with a liked picture of weight 0.5, a disliked one, and settings of its own."""
    page = new_page()
    page.generate(4)
    page.rate(1, "like")
    page.rate(2, "dislike")
    page.weigh("liked", 0, "0.5")
    page.expect_settled()
    number(page, "strength").fill("1.35")
    number(page, "strength").blur()
    page.select(1)
    return page


def send(page: FabricPage, target: str) -> FabricPage:
    """Presses the host's button; returns the page's other tab."""
    page.page.locator(f"#txt2img_send_to_{target}").click()
    other = FabricPage(page.page, "img2img")
    expect(page.page.locator("#tab_img2img")).to_be_visible(timeout=ANSWER_MS)
    return other


@pytest.mark.parametrize("target", ["img2img", "inpaint"])
def test_settings_lists_and_the_tick_arrive(rated, target):
    before = [rated.list_text(name) for name in ("liked", "disliked")]
    there = send(rated, target)
    expect(there.is_enabled).to_be_checked(timeout=ANSWER_MS)
    there.expect_lists(1, 1)
    assert [there.list_text(name) for name in ("liked", "disliked")] == before
    expect(number(there, "strength")).to_have_value("1.35")
    # And stay where they came from.
    assert [rated.list_text(name) for name in ("liked", "disliked")] == before


def test_a_setting_switches_that_off(new_page, standin, tmp_path):
    from tests.webui.server import StandIn

    (tmp_path / "config.json").write_text(json.dumps({"fabric_send_along": False}))
    with StandIn(extension=ROOT, data_dir=tmp_path) as server:
        page = new_page()
        page.open(server.url)
        page.generate(2)
        page.rate(1, "like")
        there = send(page, "img2img")
        there.expect_settled()
        expect(there.is_enabled).not_to_be_checked()
        there.expect_lists(0, 0)
