"""The page under gradio 4, which Forge has: a small page of ours (tests/gradio4/page.py)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.browser.fabric_page import hold, release
from tests.webui.server import free_port

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(sys.prefix) / "gradio4" / "bin" / "python"
START_S = 120
ANOTHER_GALLERY = """() => {
    const take = fabricUi.take;
    fabricUi.take = (tab, channel, what, values) => {
        const at = what.names.indexOf('gallery');
        return take(tab, channel, what, values.with(at, [...values[at]].reverse()));
    };
}"""


@pytest.fixture(scope="session")
def webui_url(browser, tmp_path_factory):
    """The address of the small page, in place of a WebUI's."""
    if not PYTHON.exists():
        pytest.skip(f"gradio 4 is not set up ({PYTHON} is missing): run make setup")
    folder = tmp_path_factory.mktemp("gradio4")
    port = free_port()
    command = [PYTHON, ROOT / "tests/gradio4/page.py", "--port", str(port), "--data-dir", folder]
    # gradio asks an address outside for news, otherwise.
    environment = {
        **os.environ,
        "GRADIO_ANALYTICS_ENABLED": "False",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    log = folder / "page.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, cwd=folder, env=environment
        )
    try:
        url = f"http://127.0.0.1:{port}/"
        wait_for(url, server, log)
        yield url
    finally:
        server.kill()
        server.wait()


def wait_for(url, server, log):
    end = time.monotonic() + START_S
    while server.poll() is None and time.monotonic() < end:
        try:
            httpx.get(url)
            return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail(f"the page did not start:\n{log.read_text('utf-8')}")


@pytest.fixture
def made(standin_page):
    """A page with the accordion open, and a grid and two pictures."""
    standin_page.open_accordion()
    standin_page.press_generate(2)
    return standin_page


def test_thumbs_rate_at_all_places(made):
    made.rate(1, "like")
    made.expect_lists(1, 0)
    made.press_on_thumbnail(2, "disliked")
    made.expect_mark(2, "disliked")
    made.expect_lists(1, 1)
    made.select(1)
    made.large.hover()
    expect(made.gallery.locator(".preview")).to_have_attribute("data-fabric-mark", "liked")
    made.preview_thumbs.locator("[data-to=disliked]").click()
    made.expect_mark(1, "disliked")
    made.expect_lists(0, 2)
    made.page.keyboard.press("l")
    made.expect_mark(1, "liked")
    made.undo()
    made.expect_mark(1, "disliked")


def test_a_thumb_in_the_grid_of_pictures_rates_the_one_below_the_pointer(made):
    made.close_preview()
    made.gallery.locator(".thumbnail-lg").nth(2).hover()
    made.thumbnail_thumbs.locator("[data-to=liked]").click()
    made.expect_lists(1, 0)
    marked = made.gallery.locator(".thumbnail-lg[data-fabric-mark=liked]")
    expect(marked).to_have_attribute("aria-label", "Thumbnail 3 of 3")


def test_a_warning_is_a_toast_and_stands_beside_the_lists(made):
    made.select(0)
    made.press("like")
    expect(made.page.locator(".toast-wrap")).to_contain_text("This is the grid.")
    made.expect_note("This is the grid. Select one of its pictures.")
    expect(made.own("toast")).to_have_count(0)


def test_no_picture_is_rated_if_the_gallery_is_another_one_by_then(made):
    made.page.evaluate(ANOTHER_GALLERY)
    made.select(2)
    made.press("like")
    made.expect_note("Select a picture first.")
    made.expect_lists(0, 0)


def test_lists_of_files(made, picture_files):
    made.choose_files("liked", picture_files)
    made.expect_lists(3, 0)
    made.press_on_tile("liked", 0, "move")
    made.expect_lists(2, 1)
    made.tiles("disliked").first.locator("img").drag_to(made.drop_zone("liked"))
    made.expect_lists(3, 0)
    made.select(2)
    made.large.drag_to(made.drop_zone("disliked"))
    made.expect_lists(3, 1)
    made.expect_mark(2, "disliked")
    made.clear_all()
    made.expect_lists(0, 0)


def test_a_preset_brings_pictures_and_settings_back(made, picture_files):
    strength = made.own("strength").locator("input[type=number]")
    made.choose_files("liked", picture_files[:2])
    made.expect_lists(2, 0)
    strength.fill("1.2")
    strength.blur()
    presets = made.open_panel("presets")
    presets.locator(".fabric-name").fill("mine")
    presets.locator(".fabric-name").press("Enter")
    row = presets.locator(".fabric-preset", has_text="mine")
    expect(row).to_have_count(1)
    made.clear("liked")
    made.expect_lists(0, 0)
    strength.fill("0.3")
    strength.blur()
    row.locator("[data-do=load]").click()
    made.expect_lists(2, 0)
    expect(strength).to_have_value("1.2")


def test_the_slider_that_is_moved_takes_the_other_one_along(made):
    made.own("schedule").locator(".label-wrap").first.click()
    start, end = (made.own(name).locator("input[type=number]") for name in ("start", "end"))
    for field, value in ((start, "0.9"), (end, "0.4")):
        field.fill(value)
        field.press("Tab")
    expect(start).to_have_value("0.4")


def test_lists_come_back_after_a_reload_and_the_history_has_them(made):
    made.rate(1, "like")
    made.expect_lists(1, 0)
    made.open(made.page.url)
    made.expect_lists(1, 0)
    expect(made.is_enabled).to_be_checked()
    history = made.open_panel("history")
    expect(history.locator("[data-id]").first).to_be_visible()


def test_generate_waits_for_a_press(made):
    hold(made, "finish")
    made.select(1)
    made.press("like")
    made.expect_generate_held_until(lambda: release(made), 2)
    made.expect_lists(1, 0)
