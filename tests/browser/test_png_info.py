"""A picture made again: PNG Info, the arrow button, and infotext from elsewhere."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.browser.fabric_page import hold, release

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect

PLAIN = "a circle\nSteps: 2, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 64x64"


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def set_strength(page, value):
    box = page.own("strength").locator("input[type=number]")
    box.fill(str(value))
    box.blur()


@pytest.fixture
def own_page(browser, webui_url):
    """A page in a browser of its own, which has no lists of an earlier test to come back."""
    from tests.browser.fabric_page import FabricPage

    with browser.new_context(viewport={"width": 1400, "height": 1600}) as context:
        page = FabricPage(context.new_page())
        page.open(webui_url)
        yield page


@pytest.fixture
def made(own_page, picture_files, tmp_path):
    """A page whose last picture was made with feedback; the picture's file; lists now empty."""
    page = own_page
    page.open_accordion()
    page.choose_files("liked", picture_files[:2])
    page.expect_lists(2, 0)
    page.choose_files("disliked", picture_files[2:])
    page.expect_lists(2, 1)
    page.tiles("liked").first.locator("[data-do=weigh]").fill("0.5")
    page.tiles("liked").first.locator("[data-do=weigh]").blur()
    set_strength(page, 1.5)
    page.generate(1)
    expect(page.infotext).to_contain_text("*0.5")
    file = tmp_path / "made.png"
    file.write_bytes(page.picture_file())
    page.clear_all()
    set_strength(page, 0.1)
    return page, file


def test_png_info_to_txt2img_makes_the_identical_picture(made):
    page, file = made
    page.switch_off()
    page.send_from_png_info(file)
    page.expect_lists(2, 1)
    expect(page.is_enabled).to_be_checked()
    expect(page.own("strength").locator("input[type=number]")).to_have_value("1.5")
    page.press_generate(1)
    again = page.picture_file()
    assert np.array_equal(pixels(again), pixels(file.read_bytes()))
    texts = [Image.open(io.BytesIO(data)).info["parameters"] for data in (again, file.read_bytes())]
    assert texts[0] == texts[1]


def test_the_arrow_button_reads_the_last_generation(made):
    page, file = made
    page.paste()
    page.expect_lists(2, 1)
    page.press_generate(1)
    assert np.array_equal(pixels(page.picture_file()), pixels(file.read_bytes()))


def test_a_picture_that_is_gone_is_named_and_the_rest_is_set(made):
    page, file = made
    infotext = Image.open(file).info["parameters"]
    page.paste(infotext.replace("FABRIC liked: ", "FABRIC liked: 0123456789abcdef "))
    page.expect_lists(2, 1)
    page.expect_note("0123456789abcdef")
    page.press_generate(1)
    assert np.array_equal(pixels(page.picture_file()), pixels(file.read_bytes()))


def test_a_picture_made_without_feedback_is_made_without_again(made):
    page, file = made
    page.paste(Image.open(file).info["parameters"])
    page.expect_lists(2, 1)
    page.paste(PLAIN)
    expect(page.is_enabled).not_to_be_checked()
    page.press_generate(1)
    expect(page.infotext).to_contain_text("Seed: 1,")
    expect(page.infotext).not_to_contain_text("FABRIC")


def test_infotext_of_any_kind_is_survived(made):
    page, _ = made
    page.switch_off()
    page.paste(f"{PLAIN}, FABRIC liked: ../../x zz <b>*9, FABRIC strength: 1e99, FABRIC end: nan")
    expect(page.is_enabled).to_be_checked()
    page.expect_lists(0, 0)
    page.press_generate(1)


@pytest.mark.parametrize("step", ["take", "finish"])
def test_generate_waits_until_pasted_names_are_looked_up(made, step):
    page, _ = made
    hold(page, step)
    page.paste(f"{PLAIN}, FABRIC liked: ../../x zz 0123456789abcdef")
    page.page.wait_for_function("() => window.release")
    page.expect_generate_held_until(lambda: release(page), 1)
    page.expect_note("0123456789abcdef")


# ---- infotext while something else is under way --------------------------------------------------


@pytest.mark.parametrize("step", ["take", "finish"])
def test_infotext_during_another_press_wins(made, step):
    page, file = made
    hold(page, step)
    # Of the lists that were cleared last only the disliked one comes back: not what is pasted.
    page.undo()
    page.page.wait_for_function("() => window.release")
    page.paste(Image.open(file).info["parameters"])
    page.expect_short_ids("liked")
    release(page)
    page.expect_lists(2, 1)
    page.expect_whole_ids("liked")
    page.press_generate(1)
    assert np.array_equal(pixels(page.picture_file()), pixels(file.read_bytes()))


def test_infotext_on_a_page_that_is_still_opening_wins(made, webui_url):
    page, file = made
    page.undo()
    page.page.add_init_script("""
        const opens = new Promise(resolve => { window.release = resolve; });
        const request = navigator.locks.request.bind(navigator.locks);
        navigator.locks.request = (...values) => opens.then(() => request(...values));
    """)
    page.open(webui_url, is_answered=False)
    page.paste(Image.open(file).info["parameters"])
    page.expect_short_ids("liked")
    release(page)
    page.expect_lists(2, 1)
    page.expect_whole_ids("liked")
