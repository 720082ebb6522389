"""Whatever ui-config.json and a person's hands put into the settings, Generate works."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.browser.fabric_page import ANSWER_MS, FabricPage

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect
ROOT = Path(__file__).resolve().parents[2]
PREFIX = "customscript/fabric.py/txt2img"
CONFIG = {
    f"{PREFIX}/Strength/maximum": 4,
    f"{PREFIX}/Strength/value": 3,
    f"{PREFIX}/End/value": "late",
    f"{PREFIX}/Disliked strength/maximum": 0.25,
    f"{PREFIX}/Merge tokens/value": -7,
    f"{PREFIX}/FABRIC/value": "often",
}


@pytest.fixture(scope="module")
def configured(standin, tmp_path_factory):
    """A stand-in whose ui-config.json says all that; asks for `standin` to skip as that."""
    from tests.webui.server import StandIn

    folder = tmp_path_factory.mktemp("configured")
    (folder / "ui-config.json").write_text(json.dumps(CONFIG))
    with StandIn(extension=ROOT, data_dir=folder) as server:
        yield server


@pytest.fixture
def page(new_page, configured):
    """The page of that host."""
    opened = new_page()
    opened.page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
    opened.open(configured.url)
    return opened


def number(page: FabricPage, name: str):
    return page.own(name).locator("input[type=number]")


def test_the_page_opens_with_values_that_can_be_used_and_says_so(page):
    page.open_accordion()
    expect(number(page, "strength")).to_have_value("2")
    page.own("schedule").locator(".label-wrap").first.click()
    expect(number(page, "end")).to_have_value("0.8")
    page.expect_note("Strength may be 0 to 2, so 2 is used instead of 3.")
    page.expect_note("End had no value that can be used, so its default is used: 0.8.")
    page.generate(1)


def test_a_value_beyond_our_range_is_put_right_beside_the_widget(page):
    page.generate(2)
    page.rate(1, "like")
    number(page, "strength").fill("4")
    number(page, "strength").blur()
    page.expect_note("Strength may be 0 to 2, so 2 is used instead of 4.")
    expect(number(page, "strength")).to_have_value("2")
    page.press_generate(2)
    expect(page.infotext).to_contain_text("FABRIC strength: 2,")


@pytest.mark.parametrize("typed", ["", "e"])
def test_an_emptied_field_is_the_default(page, typed):
    page.open_accordion()
    field = number(page, "strength")
    field.click()
    field.press("Control+a")
    field.press("Delete")
    if typed:
        field.press_sequentially(typed)
    field.press("Tab")
    # Of 3, which the file says, and not the 0 that gradio makes of nothing.
    expect(field).to_have_value("2")


def test_a_field_that_is_empty_at_generate_is_the_default_too(page):
    page.generate(2)
    page.rate(1, "like")
    field = number(page, "strength")
    field.click()
    field.press("Control+a")
    field.press("Delete")
    # The host's own key generates while the focus is still in there.
    before = page.gallery.locator("img").evaluate_all("all => all.map(each => each.src)")
    page.page.evaluate("() => document.querySelector('#txt2img_generate').click()")
    page.page.wait_for_function(
        """before => [...document.querySelectorAll('#txt2img_gallery .thumbnail-small img')]
            .some(each => !before.includes(each.src))""",
        arg=before,
        timeout=ANSWER_MS,
    )
    expect(page.infotext).to_contain_text("FABRIC strength: 2,")
