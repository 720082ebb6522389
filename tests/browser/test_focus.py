"""Keyboard use of the accordion: the focus stays where the person put it, through every answer."""

from __future__ import annotations

import pytest
from PIL import Image

from tests.browser.fabric_page import ANSWER_MS, hold, release

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect

FOCUSED = """() => {
    const {dataset, className} = document.activeElement;
    const owner = document.activeElement.closest('[data-id], [data-name]')?.dataset || {};
    return [dataset.do || className, owner.id || owner.name || null];
}"""


@pytest.fixture
def rated(standin_page, picture_files):
    """A page with two liked pictures and a disliked one."""
    standin_page.open_accordion()
    standin_page.choose_files("liked", picture_files[:2])
    standin_page.expect_lists(2, 0)
    standin_page.choose_files("disliked", picture_files[2:])
    standin_page.expect_lists(2, 1)
    return standin_page


@pytest.fixture
def saved(rated, request):
    """The same with two presets; how to take one away again by its name."""
    presets = rated.open_panel("presets")
    names = [f"{request.node.name} {letter}" for letter in "ab"]
    for name in names:
        presets.locator(".fabric-name").fill(name)
        presets.locator(".fabric-name").press("Enter")
        expect(row(presets, name)).to_have_count(1)
    rated.page.on("dialog", lambda dialog: dialog.accept(f"{request.node.name} c"))
    yield rated, presets, names
    rows = presets.locator(".fabric-preset", has_text=request.node.name)
    for left in reversed(range(rows.count())):
        rows.first.locator("[data-do=delete]").click()
        expect(rows).to_have_count(left)


def row(presets, name):
    return presets.locator(f'.fabric-preset[data-name="{name}"]')


def press(page, locator, key="Enter"):
    """Presses a key on something by keyboard alone."""
    locator.focus()
    page.page.keyboard.press(key)


def expect_focus(page, do, owner=None):
    """Waits until what has this `data-do` (or class), of this picture or preset, has the focus."""
    page.expect_settled()
    is_wanted = f"wanted => String(({FOCUSED})()) === String(wanted)"
    page.page.wait_for_function(is_wanted, arg=[do, owner], timeout=ANSWER_MS)


# ---- where the person put it ---------------------------------------------------------------------


@pytest.mark.parametrize("place", ["search", "weight", "name"])
def test_who_goes_on_to_the_prompt_types_there(rated, place):
    prompt = rated.page.locator("#txt2img_prompt textarea")
    panel = {"search": "history", "name": "presets"}.get(place)
    root = rated.open_panel(panel) if panel else rated.lists
    field = root.locator(f".fabric-{place}" if panel else ".fabric-weight input").first
    expect(field).to_be_visible()
    rated.expect_settled()
    hold(rated, "finish")
    field.fill("1.5")
    if place == "name":
        field.press("Enter")
    prompt.click()
    rated.page.keyboard.type("half ")
    release(rated)
    rated.expect_settled()
    expect(prompt).to_be_focused()
    rated.page.keyboard.type("the prompt")
    expect(prompt).to_have_value("half the prompt")
    if place == "name":
        rated.page.once("dialog", lambda dialog: dialog.accept())
        row(root, "1.5").locator("[data-do=delete]").click()
        expect(row(root, "1.5")).to_have_count(0)


def test_a_search_goes_on_while_its_answer_comes(rated):
    history = rated.open_panel("history")
    expect(history.locator(".fabric-picture").first).to_be_visible()
    hold(rated, "take")
    field = history.locator(".fabric-search")
    field.fill("no such")
    field.press("Enter")
    rated.page.keyboard.type(" words")
    release(rated)
    expect(history).to_contain_text("Nothing in the history matches.")
    rated.page.keyboard.type("!")
    expect(field).to_have_value("no such words!")
    expect(field).to_be_focused()


def test_a_weight_that_is_being_typed_outlasts_another_answer(rated, tmp_path):
    Image.new("RGB", (64, 64), "yellow").save(tmp_path / "another.png")
    tile = rated.tiles("liked").first.get_attribute("data-id")
    field = rated.lists.locator(f"[data-id='{tile}'] .fabric-weight input")
    hold(rated, "take")
    rated.choose_files("liked", [tmp_path / "another.png"])
    field.focus()
    field.press("Control+a")
    rated.page.keyboard.type("1")
    release(rated)
    rated.expect_lists(3, 1)
    expect(field).to_be_focused()
    rated.page.keyboard.type(".7")
    rated.page.keyboard.press("Tab")
    expect(rated.lists.locator(".fabric-weight.fabric-changed")).to_have_count(1)
    rated.expect_settled()
    assert f"{tile}*1.7" in rated.list_text("liked")


def test_a_typed_name_outlasts_another_answer(saved):
    _, presets, names = saved
    presets.locator(".fabric-name").fill("half a na")
    row(presets, names[0]).locator("[data-do=delete]").click()
    expect(row(presets, names[0])).to_have_count(0)
    expect(presets.locator(".fabric-name")).to_have_value("half a na")
    presets.locator(".fabric-name").fill("")


# ---- on the same thing ---------------------------------------------------------------------------


@pytest.mark.parametrize("is_patient", [True, False])
def test_a_weight_goes_up_by_as_many_steps_as_keys_are_pressed(rated, is_patient):
    tile = rated.tiles("liked").first.get_attribute("data-id")
    rated.tiles("liked").first.locator(".fabric-weight input").focus()
    for _ in range(3):
        rated.page.keyboard.press("ArrowUp")
        if is_patient:
            expect_focus(rated, "weigh", tile)
    expect_focus(rated, "weigh", tile)
    field = rated.lists.locator(f"[data-id='{tile}'] .fabric-weight input")
    expect(field).to_have_value("1.75")
    assert f"{tile}*1.75" in rated.list_text("liked")
    rated.page.keyboard.press("ArrowUp")
    expect_focus(rated, "weigh", tile)
    assert f"{tile}*2" in rated.list_text("liked")


def test_move_goes_along_with_its_picture(rated):
    tile = rated.tiles("liked").first.get_attribute("data-id")
    press(rated, rated.tiles("liked").first.locator("[data-do=move]"))
    rated.expect_lists(1, 2)
    expect_focus(rated, "move", tile)
    rated.page.keyboard.press("Enter")
    rated.expect_lists(2, 1)
    expect_focus(rated, "move", tile)


def test_after_a_picture_is_taken_out_its_neighbour_has_the_focus(rated):
    first, second = (rated.tiles("liked").nth(at).get_attribute("data-id") for at in (0, 1))
    press(rated, rated.tiles("liked").first.locator("[data-do=remove]"))
    rated.expect_lists(1, 1)
    expect_focus(rated, "remove", second)
    rated.page.keyboard.press("Enter")
    rated.expect_lists(0, 1)
    expect_focus(rated, "choose")
    assert first != second


def test_clear_leaves_the_focus_in_its_column(rated):
    press(rated, rated.lists.locator("[data-do=clear][data-to=disliked]"))
    rated.expect_lists(2, 0)
    expect_focus(rated, "choose")
    expect(rated.drop_zone("disliked")).to_be_focused()


def test_undo_is_pressed_until_nothing_is_left(rated):
    undo = rated.lists.locator("[data-do=undo]")
    undo.focus()
    for liked, disliked in ((2, 0), (1, 0)):
        rated.page.keyboard.press("Enter")
        rated.expect_lists(liked, disliked)
        expect_focus(rated, "undo")
    rated.page.keyboard.press("Enter")
    rated.expect_lists(0, 0)
    expect(undo).to_be_hidden()
    expect_focus(rated, "choose")


def test_a_press_with_the_mouse_takes_the_focus_nowhere_else(rated):
    rated.press_on_tile("liked", 0, "remove")
    rated.expect_lists(1, 1)
    rated.expect_settled()
    assert rated.page.evaluate("document.activeElement === document.body")


def test_thumbs_of_the_history_keep_the_focus_and_the_cross_gives_it_on(rated):
    history = rated.open_panel("history")
    tiles = history.locator(".fabric-picture")
    picture = rated.tiles("disliked").first.get_attribute("data-id")
    tile = history.locator(f"[data-id='{picture}']")
    press(rated, tile.locator("[data-do=activate][data-to=liked]"))
    rated.expect_lists(3, 0)
    expect_focus(rated, "activate", picture)
    expect(tile.locator("[data-do=activate][data-to=liked]")).to_be_focused()
    ids = tiles.evaluate_all("all => all.map(each => each.dataset.id)")
    press(rated, tile.locator("[data-do=forget]"))
    expect(tile).to_have_count(0)
    index = min(ids.index(picture), len(ids) - 2)
    ids.remove(picture)
    expect_focus(rated, "forget", ids[index])


# ---- presets -------------------------------------------------------------------------------------


def test_save_keeps_the_focus_and_frees_the_name(saved):
    page, presets, names = saved
    expect(presets.locator(".fabric-name")).to_be_focused()
    expect(presets.locator(".fabric-name")).to_have_value("")
    presets.locator(".fabric-name").fill(f"{names[0]} more")
    press(page, presets.locator("[data-do=save]"))
    expect(row(presets, f"{names[0]} more")).to_have_count(1)
    expect_focus(page, "save")
    expect(presets.locator(".fabric-name")).to_have_value("")


def test_rows_of_presets_keep_the_focus(saved):
    page, presets, names = saved
    press(page, row(presets, names[0]).locator("[data-do=load]"))
    expect_focus(page, "load", names[0])
    press(page, row(presets, names[0]).locator("[data-do=rename]"))
    renamed = f"{names[0][:-1]}c"
    expect(row(presets, renamed)).to_have_count(1)
    expect_focus(page, "rename", renamed)
    rows = presets.locator("[data-name]")
    index = rows.evaluate_all(
        "(all, name) => all.findIndex(each => each.dataset.name === name)", renamed
    )
    press(page, rows.nth(index).locator("[data-do=delete]"))
    expect(row(presets, renamed)).to_have_count(0)
    next_row = rows.nth(min(index, rows.count() - 1))
    expect_focus(page, "delete", next_row.get_attribute("data-name"))
