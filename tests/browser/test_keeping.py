"""What outlasts the page: lists after a reload, the history, presets; and undo."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest

from lib_fabric.page.html.presets import PAGE_SIZE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture
def rated(standin_page, picture_files):
    """A page with two liked pictures and a disliked one."""
    standin_page.open_accordion()
    standin_page.choose_files("liked", picture_files[:2])
    standin_page.expect_lists(2, 0)
    standin_page.choose_files("disliked", picture_files[2:])
    standin_page.expect_lists(2, 1)
    return standin_page


def reload(page, webui_url):
    page.open(webui_url)
    expect(page.own("counts").locator(".fabric-count").first).to_be_visible()


# ---- reload --------------------------------------------------------------------------------------


def test_a_reload_brings_lists_weights_and_the_tick_back(rated, webui_url):
    rated.weigh("liked", 0, "0.5")
    expect(rated.lists.locator(".fabric-weight.fabric-changed")).to_have_count(1)
    before = rated.list_text("liked"), rated.list_text("disliked")
    assert before[0].endswith("*0.5")
    reload(rated, webui_url)
    expect(rated.is_enabled).to_be_checked()
    rated.expect_lists(2, 1)
    assert (rated.list_text("liked"), rated.list_text("disliked")) == before
    rated.generate(1)
    expect(rated.infotext).to_contain_text("*0.5")


def test_what_was_switched_off_stays_so_after_a_reload(rated, webui_url):
    rated.switch_off()
    reload(rated, webui_url)
    expect(rated.is_enabled).not_to_be_checked()


@pytest.mark.parametrize("is_on", [True, False])
def test_reload_ui_and_a_crash_leave_the_tick_as_it_was(rated, webui_url, is_on):
    """The host's Reload UI empties the page before it ends; a crash tells no end at all."""
    if not is_on:
        rated.switch_off()
    rated.page.evaluate("() => { document.body.innerHTML = ''; }")
    rated.open(webui_url)
    rated.expect_lists(2, 1)
    assert rated.is_enabled.is_checked() == is_on
    # Whoever changes it: here the answer to the first rating, or a person.
    kept = rated.page.evaluate("() => localStorage.getItem('fabric-on-txt2img')")
    assert kept == ("1" if is_on else "")


def test_a_tick_that_infotext_sets_outlasts_the_page(rated, webui_url):
    reload(rated, webui_url)
    expect(rated.is_enabled).to_be_checked()
    rated.paste("a circle\nSteps: 2, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 64x64")
    expect(rated.is_enabled).not_to_be_checked()
    rated.page.evaluate("() => { document.body.innerHTML = ''; }")
    rated.open(webui_url)
    rated.expect_lists(2, 1)
    expect(rated.is_enabled).not_to_be_checked()


def test_a_second_page_starts_with_the_same_lists_and_goes_its_own_way(rated, new_page, webui_url):
    second = new_page()
    second.expect_lists(2, 1)
    second.open_accordion()
    second.clear("liked")
    second.expect_lists(0, 1)
    rated.expect_lists(2, 1)
    rated.press_on_tile("disliked", 0, "remove")
    rated.expect_lists(2, 0)
    second.open(webui_url)
    second.expect_lists(0, 1)
    rated.open(webui_url)
    rated.expect_lists(2, 0)


def test_a_duplicated_page_goes_its_own_way(rated, new_page, webui_url):
    """Browsers copy a tab's session storage, and with it our key."""
    key = rated.page.evaluate("() => sessionStorage.getItem('fabric-page')")
    copy = new_page()
    copy.page.evaluate("key => sessionStorage.setItem('fabric-page', key)", key)
    copy.open(webui_url)
    copy.expect_lists(2, 1)
    assert copy.page.evaluate("() => sessionStorage.getItem('fabric-page')") != key


# ---- undo ----------------------------------------------------------------------------------------


def test_undo_takes_changes_back_one_by_one(rated):
    rated.weigh("liked", 1, "2")
    expect(rated.lists.locator(".fabric-weight.fabric-changed")).to_have_count(1)
    rated.clear("liked")
    rated.expect_lists(0, 1)
    rated.undo()
    rated.expect_lists(2, 1)
    assert "*2" in rated.list_text("liked")
    rated.undo()
    expect(rated.lists.locator(".fabric-weight.fabric-changed")).to_have_count(0)
    rated.undo()
    rated.expect_lists(2, 0)


def test_there_is_nothing_to_undo_at_first(standin_page):
    standin_page.open_accordion()
    expect(standin_page.lists.locator("[data-do=undo]")).to_be_hidden()


def test_undo_of_a_rating_takes_its_mark_away(standin_page):
    standin_page.generate(4)
    standin_page.rate(1, "like")
    standin_page.open_accordion()
    standin_page.undo()
    standin_page.expect_mark(1, "")
    standin_page.expect_lists(0, 0)


# ---- history -------------------------------------------------------------------------------------


def test_the_history_holds_what_was_taken_out_and_gives_it_back(standin_page):
    standin_page.generate(4)
    standin_page.rate(1, "like")
    standin_page.open_accordion()
    standin_page.clear("liked")
    standin_page.expect_lists(0, 0)
    history = standin_page.open_panel("history")
    tile = history.locator(".fabric-picture").first
    expect(tile).to_have_attribute("data-verdict", "liked")
    title = tile.get_attribute("title")
    assert "seed " in title
    tile.locator("img").click()
    standin_page.expect_lists(1, 0)
    expect(tile).to_have_attribute("data-fabric-mark", "liked")
    # The mark is no button: what is pressed there is the picture.
    tile.locator(".fabric-verdict").click(force=True)
    standin_page.expect_lists(0, 0)
    tile.hover()
    tile.get_by_role("button", name="Use as disliked").click()
    standin_page.expect_lists(0, 1)


def test_the_history_keeps_what_was_taken_back(standin_page):
    standin_page.generate(4)
    standin_page.rate(1, "like")
    standin_page.open_accordion()
    tiles = standin_page.open_panel("history").locator(".fabric-picture")
    picture = tiles.first.get_attribute("data-id")
    standin_page.rate(1, "like")
    standin_page.expect_lists(0, 0)
    expect(tiles.first).to_have_attribute("data-id", picture)
    standin_page.rate(1, "dislike")
    expect(tiles.first).to_have_attribute("data-verdict", "disliked")
    standin_page.undo()
    expect(tiles.first).to_have_attribute("data-verdict", "liked")


def test_the_history_is_searched_as_it_is_typed(rated):
    history = rated.open_panel("history")
    shown = history.locator(".fabric-picture")
    expect(shown.first).to_be_visible()
    history.locator(".fabric-search").focus()
    rated.page.keyboard.type("no such words", delay=30)
    expect(history).to_contain_text("Nothing in the history matches.")
    expect(history.locator(".fabric-search")).to_have_value("no such words")
    expect(history.locator(".fabric-search")).to_be_focused()
    history.locator(".fabric-search").press("Control+a")
    history.locator(".fabric-search").press("Delete")
    expect(shown.first).to_be_visible()
    expect(history.locator(".fabric-search")).to_be_focused()


def test_the_history_is_searched_and_pictures_leave_it(rated):
    history = rated.open_panel("history")
    shown = history.locator(".fabric-picture")
    expect(shown.first).to_be_visible()
    field = history.locator(".fabric-search")
    field.fill("no such words")
    field.press("Enter")
    expect(history).to_contain_text("Nothing in the history matches.")
    expect(history.locator(".fabric-search")).to_be_focused()
    history.locator(".fabric-search").fill("")
    history.locator(".fabric-search").press("Enter")
    expect(shown.first).to_be_visible()
    gone = shown.first.get_attribute("data-id")
    shown.first.hover()
    shown.first.locator("[data-do=forget]").click()
    expect(history.locator(f"[data-id='{gone}']")).to_have_count(0)


def test_what_leaves_the_history_comes_back_with_undo(rated):
    """Also a picture that is in no list any more, so that the lists stay as they are."""
    history = rated.open_panel("history")
    shown = history.locator(".fabric-picture")
    expect(shown.first).to_be_visible()
    rated.press_on_tile("liked", 0, "remove")
    rated.expect_lists(1, 1)
    gone = shown.filter(has_not=rated.page.locator("xpath=self::*[@data-fabric-mark]"))
    picture = gone.first.get_attribute("data-id")
    tile = history.locator(f"[data-id='{picture}']")
    tile.hover()
    tile.locator("[data-do=forget]").click()
    expect(tile).to_have_count(0)
    rated.expect_settled()
    rated.undo()
    expect(tile).to_have_count(1)
    rated.expect_lists(1, 1)
    rated.undo()
    rated.expect_lists(2, 1)


# ---- presets -------------------------------------------------------------------------------------


def answer_dialogs(page, text=None):
    page.page.on("dialog", lambda dialog: dialog.accept(text) if text else dialog.accept())


@pytest.fixture
def saved(rated, request):
    """A page with a preset of its own name, and its row."""
    name = f"<b>{request.node.name}"
    strength = rated.page.locator("#txt2img_fabric_strength input[type=number]")
    strength.fill("1.2")
    strength.blur()
    presets = rated.open_panel("presets")
    presets.locator(".fabric-name").fill(name)
    presets.locator(".fabric-name").press("Enter")
    row = presets.locator(".fabric-preset", has_text=name)
    expect(row).to_have_count(1)
    yield rated, presets, row, strength
    for others in reversed(range(row.count())):
        row.first.locator("[data-do=delete]").click()
        expect(row).to_have_count(others)


def test_a_preset_brings_pictures_and_settings_back(saved):
    page, _, row, strength = saved
    answer_dialogs(page)
    page.clear("liked")
    page.expect_lists(0, 1)
    strength.fill("0.3")
    strength.blur()
    row.locator("[data-do=load]").click()
    page.expect_lists(2, 1)
    expect(strength).to_have_value("1.2")


def test_a_preset_is_renamed(saved):
    page, presets, row, _ = saved
    # A WebUI tested by address has presets of its user.
    name = f"Renamed {uuid4().hex[:8]}"
    page.page.on("dialog", lambda dialog: dialog.accept(name if dialog.default_value else ""))
    row.locator("[data-do=rename]").click()
    renamed = presets.locator(".fabric-preset", has_text=name)
    expect(renamed).to_have_count(1)
    expect(row).to_have_count(0)
    renamed.locator("[data-do=delete]").click()
    expect(renamed).to_have_count(0)


def test_a_preset_is_exported_and_imported(saved, tmp_path):
    page, presets, row, _ = saved
    answer_dialogs(page)
    with page.page.expect_download() as download:
        row.locator("[data-do=export]").click()
    file = tmp_path / "preset.zip"
    download.value.save_as(file)
    with page.page.expect_file_chooser() as chooser:
        presets.locator("[data-do=import]").click()
    chooser.value.set_files(str(file))
    expect(presets.locator(".fabric-preset", has_text="(2)")).to_have_count(1)
    page.expect_note("Imported as ")


def test_presets_are_turned_page_by_page(rated, request):
    presets = rated.open_panel("presets")
    own = presets.locator(".fabric-preset", has_text=request.node.name)
    names = [f"{request.node.name} {number:02}" for number in range(PAGE_SIZE + 2)]
    for name in names:
        presets.locator(".fabric-name").fill(name)
        presets.locator(".fabric-name").press("Enter")
        # Each is shown, whichever page it is on.
        expect(own.filter(has_text=name)).to_have_count(1)
    pager = presets.locator(".fabric-pager span")
    last = pager.text_content()
    presets.locator("[data-do=previous]").click()
    expect(pager).to_have_text(re.compile(rf"^1–{PAGE_SIZE} / "))
    # What changes the list leaves the page where it is.
    answer_dialogs(rated)
    own.filter(has_text=names[0]).locator("[data-do=delete]").click()
    expect(own.filter(has_text=names[0])).to_have_count(0)
    expect(pager).to_have_text(re.compile(rf"^1–{PAGE_SIZE} / "))
    presets.locator("[data-do=next]").click()
    expect(pager).not_to_have_text(last)
    expect(pager).to_have_text(re.compile(rf"^{PAGE_SIZE + 1}–"))
    for name in names[:0:-1]:
        row = own.filter(has_text=name)
        if not row.count():
            presets.locator("[data-do=previous]").click()
        row.locator("[data-do=delete]").click()
        expect(row).to_have_count(0)


def test_enter_that_ends_a_composed_word_saves_nothing(rated):
    presets = rated.open_panel("presets")
    name = presets.locator(".fabric-name")
    name.fill("not yet")
    name.evaluate("""node => node.dispatchEvent(
        new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true})
    )""")
    rated.expect_settled()
    rated.press_on_tile("liked", 0, "remove")
    rated.expect_lists(1, 1)
    expect(presets.locator(".fabric-preset", has_text="not yet")).to_have_count(0)


@pytest.mark.parametrize("is_wanted", [True, False])
def test_what_the_server_takes_for_the_same_name_is_asked_about(rated, is_wanted):
    presets = rated.open_panel("presets")
    name, unique = presets.locator(".fabric-name"), uuid4().hex[:8]
    rows = presets.locator(".fabric-preset", has_text=unique)
    asked = []

    def answer(dialog):
        asked.append(dialog.message)
        dialog.accept() if is_wanted else dialog.dismiss()

    rated.page.on("dialog", answer)
    name.fill(f"straße {unique}")
    name.press("Enter")
    expect(rows).to_have_count(1)
    rated.press_on_tile("liked", 0, "remove")
    rated.expect_lists(1, 1)
    name.fill(f"STRASSE {unique}")
    with rated.page.expect_event("dialog"):
        name.press("Enter")
    expect(name).to_have_value("" if is_wanted else f"STRASSE {unique}")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("1 👍" if is_wanted else "2 👍")
    assert asked == [f"Replace the preset straße {unique}?"]
    rated.page.remove_listener("dialog", answer)
    answer_dialogs(rated)
    rows.locator("[data-do=delete]").click()
    expect(rows).to_have_count(0)


def test_a_file_that_is_no_preset_is_named_and_the_others_are_imported(saved, tmp_path):
    page, presets, row, _ = saved
    answer_dialogs(page)
    with page.page.expect_download() as download:
        row.locator("[data-do=export]").click()
    good = tmp_path / "good.zip"
    download.value.save_as(good)
    bad = tmp_path / "bad.zip"
    # In several parts, the rest of which is of no use once the first is refused.
    bad.write_bytes(b"no archive" * 2**20)
    with page.page.expect_file_chooser() as chooser:
        presets.locator("[data-do=import]").click()
    chooser.value.set_files([str(bad), str(good)])
    expect(presets.locator(".fabric-preset", has_text="(2)")).to_have_count(1, timeout=60_000)
    page.expect_note("1 of 2 not imported: bad.zip: ")
    page.expect_note("Imported as ")


def test_a_second_press_on_save_would_be_one_on_save(rated):
    """Not on what has moved below the pointer: a row of the list has Export there."""
    presets = rated.open_panel("presets")
    save = presets.locator("[data-do=save]")
    presets.locator(".fabric-name").fill("below the pointer")
    save.scroll_into_view_if_needed()
    box = save.bounding_box()
    at = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    rated.page.mouse.click(*at)
    row = presets.locator("[data-name='below the pointer']")
    expect(row).to_have_count(1)
    rated.expect_settled()
    below = "([x, y]) => document.elementFromPoint(x, y).closest('[data-do]')?.dataset.do"
    assert rated.page.evaluate(below, at) == "save"
    rated.page.on("dialog", lambda dialog: dialog.accept())
    row.locator("[data-do=delete]").click()
    expect(row).to_have_count(0)


# ---- settings ------------------------------------------------------------------------------------


def number(page, name):
    return page.own(name).locator("input[type=number]")


def test_settings_come_back_after_a_reload_and_reset_brings_the_defaults(rated, webui_url):
    number(rated, "strength").fill("1.35")
    number(rated, "strength").blur()
    rated.own("hires").locator("input").check()
    rated.page.wait_for_timeout(1500)
    reload(rated, webui_url)
    expect(number(rated, "strength")).to_have_value("1.35")
    expect(rated.own("hires").locator("input")).to_be_checked()
    rated.page.locator("#txt2img_fabric_reset [data-do=reset]").click()
    expect(number(rated, "strength")).to_have_value("0.8")
    expect(rated.own("hires").locator("input")).not_to_be_checked()
    rated.expect_lists(2, 1)
    rated.page.wait_for_timeout(1500)
    reload(rated, webui_url)
    expect(number(rated, "strength")).to_have_value("0.8")


def test_a_value_that_cannot_be_used_is_put_right_beside_the_widget(rated):
    """A widget's own range may be wider, by ui-config.json or another extension."""
    rated.own("strength").locator("input[type=number]").evaluate(
        "field => { field.max = 9; field.value = 5; "
        "field.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    rated.expect_note("Strength may be 0 to 2, so 2 is used instead of 5.")
    expect(number(rated, "strength")).to_have_value("2")
