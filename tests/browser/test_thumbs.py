"""👍 and 👎 under the gallery: what they rate, what they refuse, and the marks they leave."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture
def rated_page(standin_page):
    """A page with a grid and four pictures."""
    standin_page.generate(4)
    return standin_page


def test_rating_marks_counts_and_switches_on(rated_page):
    expect(rated_page.is_enabled).not_to_be_checked()
    rated_page.rate(1, "like")
    rated_page.rate(2, "dislike")
    assert rated_page.marks() == ["", "liked", "disliked", "", ""]
    rated_page.expect_lists(1, 1)
    expect(rated_page.is_enabled).to_be_checked()
    expect(rated_page.lists).to_be_visible()


def test_generate_right_after_a_thumb_follows_it(rated_page):
    page = rated_page.page
    # The answer to the press is on its way until `release`.
    page.evaluate("""() => {
        const finish = fabricUi.finish;
        fabricUi.finish = (...values) => new Promise(resolve => {
            window.release = () => resolve(finish(...values));
        });
    }""")
    rated_page.select(1)
    rated_page.press("like")
    page.wait_for_function("() => window.release")
    rated_page.expect_generate_held_until(lambda: page.evaluate("() => window.release()"), 4)
    expect(rated_page.infotext).to_contain_text("FABRIC liked:")


def test_the_same_thumb_undoes(rated_page):
    rated_page.rate(1, "like")
    rated_page.rate(1, "like")
    rated_page.expect_lists(0, 0)
    assert rated_page.marks() == [""] * 5
    expect(rated_page.lists).to_contain_text("Nothing rated yet.")


def test_the_other_thumb_moves(rated_page):
    rated_page.rate(1, "like")
    rated_page.rate(1, "dislike")
    rated_page.expect_lists(0, 1)


def test_pressed_thumbs_follow_the_selection(rated_page):
    rated_page.rate(1, "like")
    expect(rated_page.own("like")).to_have_attribute("aria-pressed", "true")
    rated_page.select(2)
    expect(rated_page.own("like")).to_have_attribute("aria-pressed", "false")
    rated_page.select(1)
    expect(rated_page.own("like")).to_have_attribute("aria-pressed", "true")


def test_the_grid_is_refused(rated_page):
    rated_page.open_accordion()
    rated_page.select(0)
    rated_page.press("like")
    rated_page.expect_note("This is the grid. Select one of its pictures.")
    rated_page.expect_lists(0, 0)


def test_several_pictures_need_a_selection(rated_page):
    rated_page.open_accordion()
    rated_page.close_preview()
    rated_page.press("like")
    rated_page.expect_note("Select a picture first.")
    rated_page.expect_lists(0, 0)


def test_nothing_to_rate_yet(standin_page):
    standin_page.open_accordion()
    standin_page.press("like")
    standin_page.expect_note("There is no picture to rate yet. Generate one first.")


def test_a_message_goes_with_the_next_press(rated_page):
    rated_page.open_accordion()
    rated_page.select(0)
    rated_page.press("like")
    rated_page.expect_note("This is the grid.")
    rated_page.rate(1, "like")
    expect(rated_page.note).to_be_hidden()


def test_the_only_picture_needs_no_selection(standin_page):
    standin_page.generate(1)
    standin_page.close_preview()
    standin_page.press("dislike")
    standin_page.expect_lists(0, 1)
    mark = standin_page.gallery.locator(".thumbnail-lg[data-fabric-mark=disliked]")
    expect(mark).to_have_count(1)


def test_marks_stay_while_the_gallery_changes_its_view(rated_page):
    rated_page.rate(1, "like")
    large = rated_page.gallery.locator(".preview[data-fabric-mark=liked]")
    expect(large).to_have_count(1)
    rated_page.select(2)
    expect(large).to_have_count(0)
    rated_page.close_preview()
    in_grid = rated_page.gallery.locator(".thumbnail-lg[data-fabric-mark=liked]")
    expect(in_grid).to_have_count(1)
    in_grid.click()
    expect(large).to_have_count(1)


def test_the_next_pictures_are_unmarked(rated_page):
    rated_page.rate(1, "like")
    rated_page.generate(4)
    expect(rated_page.gallery.locator("[data-fabric-mark]")).to_have_count(0)
    rated_page.expect_lists(1, 0)
    rated_page.rate(1, "like")
    rated_page.expect_lists(2, 0)


def test_quick_presses_are_all_kept(rated_page):
    for index in (1, 2, 3, 4):
        rated_page.select(index)
        rated_page.press("like" if index % 2 else "dislike")
    rated_page.expect_lists(2, 2)
    assert rated_page.marks() == ["", "liked", "disliked", "liked", "disliked"]


def test_switched_off_by_hand_stays_off(rated_page):
    rated_page.rate(1, "like")
    rated_page.switch_off()
    rated_page.rate(2, "like")
    expect(rated_page.is_enabled).not_to_be_checked()
    rated_page.expect_lists(2, 0)
    rated_page.expect_note("Kept, but FABRIC is switched off.")


def test_without_the_queue_messages_appear_below_the_buttons(rated_page):
    """gradio's own messages need its queue (host option --no-gradio-queue)."""
    rated_page.page.evaluate("() => { gradio_config.enable_queue = false; }")
    rated_page.select(0)
    rated_page.press("like")
    expect(rated_page.own("toast")).to_have_text("This is the grid. Select one of its pictures.")
    rated_page.rate(1, "like")
    expect(rated_page.own("toast")).to_have_count(0)


def test_a_lost_connection_costs_nothing(rated_page):
    rated_page.rate(1, "like")
    rated_page.page.context.set_offline(True)
    rated_page.select(2)
    rated_page.press("like")
    expect(rated_page.own("toast")).to_have_text("The WebUI did not answer. Try again.")
    rated_page.expect_lists(1, 0)
    rated_page.page.context.set_offline(False)
    rated_page.rate(2, "like")
    rated_page.expect_lists(2, 0)
