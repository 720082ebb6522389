"""The two lists in the accordion: moving, removing, clearing, and own pictures."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lib_fabric.pictures import decode_bytes, from_image
from tests.helpers.icc import ADOBE_RGB, gamma_curve, rgb_profile
from tests.inputs.files import pixels

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect

DROP = """(zone, [name, type, text]) => {
    const files = new DataTransfer();
    const bytes = Uint8Array.from(atob(text), each => each.charCodeAt(0));
    files.items.add(new File([bytes], name, {type: type}));
    for (const kind of ['dragenter', 'dragover', 'drop']) {
        const init = {dataTransfer: files, bubbles: true, cancelable: true};
        zone.dispatchEvent(new DragEvent(kind, init));
    }
}"""
PNG_8X8 = (
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEElEQVR42mP4z8CAFTEMLQkAKP8/wShmFCkAAAAA"
    "SUVORK5CYII="
)


@pytest.fixture
def opened(standin_page):
    """A page with the accordion open."""
    standin_page.open_accordion()
    return standin_page


def test_chosen_files_are_added(opened, picture_files):
    opened.choose_files("liked", picture_files[:2])
    opened.expect_lists(2, 0)
    opened.choose_files("disliked", picture_files[2:])
    opened.expect_lists(2, 1)
    expect(opened.tiles("liked").first.locator("img")).to_be_visible()


def test_a_dropped_file_is_added(opened):
    opened.drop_zone("disliked").evaluate(DROP, ["cat.png", "image/png", PNG_8X8])
    opened.expect_lists(0, 1)


def test_a_file_that_is_no_picture_is_named(opened):
    opened.drop_zone("liked").evaluate(DROP, ["notes.txt", "text/plain", "aGVsbG8="])
    opened.expect_note("notes.txt is not a PNG, JPEG or WebP picture.")
    opened.expect_lists(0, 0)


def test_the_same_file_twice_is_one_picture(opened, picture_files):
    opened.choose_files("liked", [picture_files[0]])
    opened.expect_lists(1, 0)
    opened.choose_files("liked", [picture_files[0]])
    opened.expect_note("red.png is liked already.")
    opened.expect_lists(1, 0)


def test_a_large_file_arrives_as_it_is(opened, tmp_path):
    """In parts that gradio carries; a browser that redraws it would change its colours."""
    sent = []
    opened.page.on("request", lambda request: sent.append(len(request.post_data_buffer or b"")))
    opened.page.on(
        "websocket",
        lambda socket: socket.on("framesent", lambda frame: sent.append(len(frame))),
    )
    noise = np.random.default_rng(0).integers(0, 256, (1500, 2400, 3), dtype=np.uint8)
    file = tmp_path / "large.png"
    profile = rgb_profile(ADOBE_RGB, gamma_curve(2.2))
    Image.fromarray(noise).save(file, icc_profile=profile, compress_level=1)
    assert file.stat().st_size > 6 * 2**20
    opened.choose_files("liked", [file])
    opened.expect_lists(1, 0)
    assert opened.list_text("liked") == decode_bytes(file.read_bytes()).id
    assert 2**16 < max(sent) < 8 * 2**20


def test_a_file_of_another_format_keeps_its_colours_and_size(opened, tmp_path):
    image = Image.fromarray(pixels(1, 1200, 2400))
    image.save(tmp_path / "picture.bmp")
    opened.choose_files("liked", [tmp_path / "picture.bmp"])
    opened.expect_lists(1, 0)
    assert opened.list_text("liked") == from_image(image).id


def test_small_and_large_files_have_the_same_limit(opened, tmp_path):
    small, large = tmp_path / "small.png", tmp_path / "large.jpg"
    image = Image.new("RGB", (9000, 7500), "teal")
    image.save(small)
    image.save(large, quality=50)
    with large.open("ab") as file:
        file.write(bytes(25 * 2**20))
    assert small.stat().st_size < 2**20
    for file in (small, large):
        opened.choose_files("liked", [file])
        opened.expect_note(f"{file.name} has more than 64 million pixels. Send a smaller one.")
    opened.expect_lists(0, 0)


def test_remove_move_and_clear(opened, picture_files):
    opened.choose_files("liked", picture_files)
    opened.expect_lists(3, 0)
    opened.press_on_tile("liked", 0, "move")
    opened.expect_lists(2, 1)
    opened.press_on_tile("liked", 1, "remove")
    opened.expect_lists(1, 1)
    opened.clear("liked")
    opened.expect_lists(0, 1)
    expect(opened.lists.locator("[data-do=clear][data-to=liked]")).to_be_hidden()
    opened.clear("disliked")
    opened.expect_lists(0, 0)
    expect(opened.lists).to_contain_text("Nothing rated yet.")


def test_removing_takes_the_mark_away(opened):
    opened.generate(4)
    opened.rate(1, "like")
    opened.rate(2, "like")
    opened.press_on_tile("liked", 0, "remove")
    opened.expect_mark(2, "")
    opened.press_on_tile("liked", 0, "move")
    opened.expect_mark(1, "disliked")
    opened.clear("disliked")
    opened.expect_mark(1, "")


def test_a_picture_is_dragged_from_the_gallery(opened):
    opened.generate(4)
    opened.select(3)
    opened.large.drag_to(opened.drop_zone("disliked"))
    opened.expect_lists(0, 1)
    opened.expect_mark(3, "disliked")


def test_a_picture_is_dragged_to_the_other_list(opened, picture_files):
    opened.choose_files("liked", picture_files[:1])
    opened.expect_lists(1, 0)
    opened.tiles("liked").first.locator("img").drag_to(opened.drop_zone("disliked"))
    opened.expect_lists(0, 1)


# ---- a drag ends with the drag -------------------------------------------------------------------

START_DRAG = """node => node.dispatchEvent(new DragEvent(
    'dragstart', {dataTransfer: new DataTransfer(), bubbles: true}
))"""


@pytest.mark.parametrize("source", ["list", "history", "gallery"])
def test_a_file_dropped_after_a_drag_that_an_answer_cut_short_is_added(
    opened, picture_files, source
):
    """What was dragged is gone from the page then, and no event tells of its end."""
    opened.generate(1)
    opened.choose_files("liked", picture_files[:1])
    opened.expect_lists(1, 0)
    history = opened.open_panel("history")
    expect(history.locator(".fabric-picture img").first).to_be_visible()
    dragged = {
        "list": opened.tiles("liked").first.locator("img"),
        "history": history.locator(".fabric-picture img").first,
        "gallery": opened.large,
    }[source]
    dragged.evaluate(START_DRAG)
    opened.choose_files("liked", picture_files[1:2])
    opened.expect_lists(2, 0)
    opened.drop_zone("disliked").evaluate(DROP, ["cat.png", "image/png", PNG_8X8])
    opened.expect_lists(2, 1)
    expect(opened.gallery.locator("[data-fabric-mark]")).to_have_count(0)


def test_a_drag_goes_on_while_an_answer_comes(opened, picture_files):
    opened.choose_files("liked", picture_files[:1])
    opened.expect_lists(1, 0)
    opened.page.evaluate("() => { window.dragged = new DataTransfer(); }")
    opened.tiles("liked").first.locator("img").evaluate(
        START_DRAG.replace("new DataTransfer()", "window.dragged")
    )
    opened.choose_files("liked", picture_files[1:2])
    opened.expect_lists(2, 0)
    opened.drop_zone("disliked").evaluate(
        """zone => ['dragenter', 'dragover', 'drop'].forEach(kind => zone.dispatchEvent(
            new DragEvent(kind, {dataTransfer: window.dragged, bubbles: true, cancelable: true})
        ))"""
    )
    opened.expect_lists(1, 1)


def test_a_selected_text_may_be_dragged(opened):
    """Its drag begins at a text, which is no element; the fixture fails on errors."""
    opened.lists.locator(".fabric-empty").evaluate(
        """node => node.firstChild.dispatchEvent(new DragEvent(
            'dragstart', {dataTransfer: new DataTransfer(), bubbles: true}
        ))"""
    )
    opened.drop_zone("liked").evaluate(DROP, ["cat.png", "image/png", PNG_8X8])
    opened.expect_lists(1, 0)


# ---- what was chosen is done, or named -----------------------------------------------------------


def test_files_beyond_the_limit_are_refused_in_words(standin, opened, picture_files):
    standin.post("/sdapi/v1/options", {"fabric_max_pictures": 1})
    try:
        opened.choose_files("liked", picture_files)
        opened.expect_lists(1, 0)
        opened.expect_note("At most 1 can be liked.")
    finally:
        standin.post("/sdapi/v1/options", {"fabric_max_pictures": 64})


def test_narrow_pages_stack_the_lists(new_page):
    narrow = new_page(viewport={"width": 400, "height": 1600})
    narrow.open_accordion()
    first, second = (narrow.drop_zone(name).bounding_box() for name in ("liked", "disliked"))
    assert second["y"] > first["y"] + first["height"]
    assert first["x"] + first["width"] <= 400
