"""What is said beside the lists: it stays as long as what it is about, and no longer."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture
def opened(standin_page):
    """A page with the accordion open."""
    standin_page.open_accordion()
    return standin_page


@pytest.fixture
def no_picture(tmp_path):
    """A text that calls itself a picture."""
    file = tmp_path / "notes.png"
    file.write_text("not a picture")
    return file


NOT_A_PICTURE = "notes.png is not a PNG, JPEG or WebP picture."


def test_a_file_that_is_refused_beside_a_good_one_is_named_until_the_next_files(
    opened, picture_files, no_picture
):
    opened.choose_files("liked", [no_picture, picture_files[0]])
    opened.expect_lists(1, 0)
    opened.expect_settled()
    line = opened.note.locator("p")
    expect(line).to_contain_text(f"1 of 2 not added: {NOT_A_PICTURE}")
    opened.press_on_tile("liked", 0, "move")
    opened.expect_lists(0, 1)
    expect(line).to_contain_text("1 of 2 not added")
    opened.choose_files("liked", picture_files[1:2])
    opened.expect_lists(1, 1)
    expect(line).to_have_count(0)


def test_each_of_several_refused_files_is_named_and_the_message_can_be_dismissed(
    opened, picture_files, no_picture, tmp_path
):
    other = tmp_path / "more.jpg"
    other.write_text("no picture either")
    opened.choose_files("liked", [no_picture, picture_files[0], other])
    opened.expect_lists(1, 0)
    opened.expect_settled()
    line = opened.note.locator("p")
    expect(line).to_contain_text("2 of 3 not added: ")
    expect(line).to_contain_text(NOT_A_PICTURE)
    expect(line).to_contain_text("more.jpg is not a PNG, JPEG or WebP picture.")
    line.get_by_role("button", name="Dismiss").click()
    expect(line).to_have_count(0)


def test_files_that_a_full_list_leaves_out_are_counted(standin, opened, picture_files):
    standin.post("/sdapi/v1/options", {"fabric_max_pictures": 1})
    try:
        opened.choose_files("liked", picture_files)
        opened.expect_note("2 of 3 not added: green.jpg: At most 1 can be liked.")
        opened.expect_lists(1, 0)
    finally:
        standin.post("/sdapi/v1/options", {"fabric_max_pictures": 64})


def test_what_was_said_of_no_picture_goes_when_there_is_one(opened):
    opened.press("like")
    opened.expect_note("There is no picture to rate yet. Generate one first.")
    opened.generate(1)
    expect(opened.note.locator("p")).to_have_count(0)


def test_what_was_said_of_the_grid_goes_when_a_picture_is_selected(opened):
    opened.generate(2)
    opened.select(0)
    opened.press("like")
    opened.expect_note("This is the grid.")
    opened.select(1)
    expect(opened.note.locator("p")).to_have_count(0)


def test_what_was_said_of_being_off_goes_when_it_is_switched_on(opened, picture_files):
    opened.choose_files("liked", picture_files[:1])
    opened.expect_lists(1, 0)
    opened.switch_off()
    opened.press_on_tile("liked", 0, "move")
    opened.expect_lists(0, 1)
    opened.choose_files("liked", picture_files[1:2])
    opened.expect_note("Kept, but FABRIC is switched off.")
    opened.page.locator("#txt2img_fabric_accordion-visible-checkbox").click()
    expect(opened.note.locator("p")).to_have_count(0)
