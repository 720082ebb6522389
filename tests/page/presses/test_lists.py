"""Presses on the lists: out of them, weights, a reload, infotext."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lib_fabric.rating_texts import read_lists
from lib_fabric.ratings import Rated, Ratings
from tests.helpers.page_host import OTHER_BROWSER, OTHER_PAGE, Pressing
from tests.helpers.pictures import rated

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def history(library):
    return {each.picture_id: each.verdict for each in library.history.page("", "txt2img")}


def test_move_remove_and_clear(press):
    ids = [press(do="rate", to="liked", index=index).picture_id for index in range(3)]
    assert press(do="move", to="disliked", picture_id=ids[0]).ratings == Ratings(
        rated(ids[1], ids[2]), rated(ids[0])
    )
    assert press(do="remove", picture_id=ids[1]).ratings == Ratings(rated(ids[2]), rated(ids[0]))
    assert press(do="clear", to="disliked").ratings == Ratings(rated(ids[2]))
    assert press(do="clear", to="liked").ratings == Ratings()


@pytest.mark.parametrize("do", ["remove", "clear"])
def test_what_is_taken_out_of_the_lists_stays_in_the_history(press, library, do):
    picture_id = press(do="rate", index=0).picture_id
    press(do=do, picture_id=picture_id)
    assert not press.ratings
    assert history(library) == {picture_id: "liked"}


def test_a_weight_is_set_kept_when_moved_and_lost_when_removed(press):
    picture_id = press(do="rate", index=0).picture_id
    press(do="weigh", picture_id=picture_id, weight=0.25)
    assert press.ratings.liked == rated(picture_id, weight=0.25)
    press(do="move", to="disliked", picture_id=picture_id)
    assert press.ratings.disliked == rated(picture_id, weight=0.25)
    press(do="remove", picture_id=picture_id)
    assert press(do="rate", index=0).ratings.liked == rated(picture_id)


def test_a_weight_of_1_is_no_weight(press):
    picture_id = press(do="rate", index=0).picture_id
    press(do="weigh", picture_id=picture_id, weight=2)
    assert press(do="weigh", picture_id=picture_id, weight=1).ratings == Ratings(rated(picture_id))


@pytest.mark.parametrize("weight", [-0.1, 2.1, 1e308, 10**400])
def test_a_wrong_weight_changes_nothing(press, weight):
    picture_id = press(do="rate", index=0).picture_id
    outcome = press(do="weigh", picture_id=picture_id, weight=weight)
    assert outcome.ratings == Ratings(rated(picture_id))
    assert outcome.note.is_warning


def test_a_reload_brings_lists_and_weights_back(press, library):
    picture_id = press(do="rate", index=0).picture_id
    press(do="weigh", picture_id=picture_id, weight=1.5)
    again = Pressing(library)(do="open", was_on=True)
    assert again.ratings == press.ratings
    assert again.switch_on
    assert not Pressing(library)(do="open").switch_on


def test_an_emptied_page_stays_empty(press, library):
    press(do="rate", index=0)
    press(do="clear")
    outcome = Pressing(library)(do="open", was_on=True)
    assert not outcome.ratings
    assert not outcome.switch_on


def test_a_new_page_starts_with_the_browsers_last_set_and_goes_its_own_way(press, library):
    press(do="rate", index=0)
    second = Pressing(library, OTHER_PAGE)
    assert second(do="open").ratings == press.ratings
    second(do="rate", index=1)
    assert len(Pressing(library)(do="open").ratings) == 1
    assert len(Pressing(library, OTHER_PAGE)(do="open").ratings) == 2


@pytest.mark.parametrize(
    "page",
    [
        {"key": OTHER_PAGE, "browser": OTHER_BROWSER},
        {"owner": "ann"},
        {"tab": "img2img"},
    ],
)
def test_nobody_else_gets_the_set(press, library, page):
    press(do="rate", index=0)
    assert not Pressing(library, **page)(do="open").ratings


def test_a_page_without_keys_works_and_is_not_kept(library):
    nameless = Pressing(library, key="", browser="../../x")
    assert len(nameless(do="rate", index=0).ratings) == 1
    assert not Pressing(library, key="", browser="../../x")(do="open").ratings


def test_short_ids_become_whole_ones_and_missing_pictures_are_named(press):
    picture_id = press(do="rate", index=0).picture_id
    texts = {"liked": f"{picture_id[:16]}*0.5 {'0' * 16}", "disliked": "1" * 64}
    outcome = press(do="sync", **texts)
    assert outcome.ratings == Ratings(rated(picture_id, weight=0.5))
    assert outcome.note.text == (
        f"Pictures {'0' * 16}, {'1' * 16} are no longer in the store. The rest is set."
    )


def test_a_picture_named_in_both_lists_counts_as_liked(press):
    picture_id = press(do="rate", index=0).picture_id
    outcome = press(do="sync", liked=picture_id[:16], disliked=picture_id)
    assert outcome.ratings == Ratings(rated(picture_id))


def test_lists_from_infotext_win_over_those_that_an_answer_has_put_there_meanwhile(press):
    first, second = (press(do="rate", index=each).picture_id for each in (0, 1))
    assert press.ratings == Ratings(rated(first, second))
    assert press(do="sync", liked=second, disliked="").ratings == Ratings(rated(second))


def test_lists_from_infotext_outlast_the_page(press, library):
    picture_id = press(do="rate", index=0).picture_id
    # The fields of the page hold them already when they are asked about.
    press.page = replace(press.page, ratings=Ratings((), rated(picture_id)))
    press(do="sync", disliked=picture_id)
    assert Pressing(library)(do="open").ratings == Ratings((), rated(picture_id))


def test_a_text_that_is_not_a_list_of_ids_is_empty():
    assert read_lists(None, 5) == Ratings()
    assert read_lists(f"{A} {A} 5 x {B}*2 ../{C}", f"{B} {C}*0.5 {C}*9") == Ratings(
        (Rated(A), Rated(B, 2.0)), (Rated(C, 0.5),)
    )


# ---- more than now fit ---------------------------------------------------------------------------

LEFT_OUT = "Each list may hold at most 1 here, so the oldest pictures were left out."


def test_a_page_that_opens_with_more_than_now_fit_takes_the_newest_and_says_so(press, library):
    first, second = (press(do="rate", index=index).picture_id for index in range(2))
    disliked = press(do="rate", index=2, to="disliked").picture_id
    again = Pressing(library)
    again.host.limit = 1
    outcome = again(do="open", was_on=True)
    assert outcome.ratings == Ratings(rated(second), rated(disliked))
    assert outcome.note.text == LEFT_OUT
    assert first in {each.picture_id for each in library.history.page("", "txt2img")}


def test_infotext_that_names_more_than_now_fit_sets_the_newest_and_says_all(press):
    first, second = (press(do="rate", index=index).picture_id for index in range(2))
    press.host.limit = 1
    outcome = press(do="sync", liked=f"{first} {second} {A}")
    assert outcome.ratings == Ratings(rated(second))
    assert outcome.note.text == (
        f"Picture {A[:16]} is no longer in the store. The rest is set. {LEFT_OUT}"
    )


def test_undo_brings_back_no_more_than_now_fit(press):
    first, second = (press(do="rate", index=index).picture_id for index in range(2))
    press(do="clear")
    press.host.limit = 1
    outcome = press(do="restore", liked=f"{first} {second}")
    assert outcome.ratings == Ratings(rated(second))
    assert outcome.note.text == LEFT_OUT


def test_a_page_whose_defaults_are_out_of_order_is_mended_when_it_opens(press):
    press.page = replace(press.page, settings={"start": 0.9, "end": 0.8, "strength": 0.5})
    outcome = press(do="open")
    assert (outcome.settings["start"], outcome.settings["end"]) == (0.8, 0.9)
    assert outcome.settings["strength"] == 0.5
    assert outcome.note.text == "Start was after End, so the two have changed places."


@pytest.mark.parametrize(
    "settings", [{}, {"start": 0.2, "end": 0.8}, {"start": 0.5, "end": 0.5}, {"other": None}]
)
def test_a_page_that_needs_no_mending_keeps_its_widgets(press, settings):
    press.page = replace(press.page, settings=settings)
    outcome = press(do="open")
    assert outcome.settings is None
    assert outcome.note is None


@pytest.mark.parametrize(
    ("value", "shown", "text"),
    [
        (3, 2.0, "Strength may be 0 to 2, so 2 is used instead of 3."),
        (-1e9, 0.0, "Strength may be 0 to 2, so 0 is used instead of -1000000000.0."),
        ("strong", 1.2, "Strength had no value that can be used, so its default is used: 1.2."),
        (None, 1.2, "Strength had no value that can be used, so its default is used: 1.2."),
        ([], 1.2, "Strength had no value that can be used, so its default is used: 1.2."),
    ],
)
def test_what_a_file_of_the_webui_says_is_mended_when_the_page_opens(press, value, shown, text):
    press.page = replace(
        press.page, settings={"strength": value, "end": 0.5}, start_values={"strength": 1.2}
    )
    outcome = press(do="open")
    assert outcome.settings == {"strength": shown, "end": 0.5}
    assert outcome.note.text == text


# ---- settings that come back ---------------------------------------------------------------------

START = {"strength": 0.8, "end": 0.8, "method": "paper"}


def shows(press, **settings):
    """The widgets of `press`'s page show that; at first they showed START."""
    press.page = replace(press.page, settings={**START, **settings}, start_values=START)
    return press


def test_settings_come_back_with_the_lists(press, library):
    shows(press, strength=1.35, method="contrast")
    press(do="settings")
    again = shows(Pressing(library))(do="open")
    assert again.settings == {**START, "strength": 1.35, "method": "contrast"}
    assert again.note is None


def test_what_was_not_touched_follows_the_defaults(press, library):
    shows(press, strength=1.35)
    press(do="settings")
    later = Pressing(library)
    first = {"strength": 0.5, "end": 0.6, "method": "paper"}
    later.page = replace(later.page, settings=first, start_values=first)
    assert later(do="open").settings == {**first, "strength": 1.35}


@pytest.mark.parametrize("do", ["rate", "clear", "sync", "weigh"])
def test_every_press_keeps_the_settings_too(press, library, do):
    picture_id = press(do="rate", index=0).picture_id
    shows(press, strength=1.35)
    given = {"picture_id": picture_id, "weight": 0.5} if do == "weigh" else {}
    press(do=do, index=1, liked=picture_id, **given)
    assert shows(Pressing(library))(do="open").settings["strength"] == 1.35


def test_a_loaded_presets_settings_are_the_ones_that_come_back(press, library):
    press(do="rate", index=0)
    shows(press, strength=1.35)(do="save", name="Strong")
    shows(press)(do="load", name="Strong")
    assert shows(Pressing(library))(do="open").settings["strength"] == 1.35


def test_a_new_page_starts_with_the_browsers_last_settings(press, library):
    shows(press, strength=1.35)(do="settings")
    assert shows(Pressing(library, key=OTHER_PAGE))(do="open").settings["strength"] == 1.35
    assert shows(Pressing(library, browser=OTHER_BROWSER))(do="open").settings is None
    other_tab = Pressing(library)
    other_tab.page = replace(other_tab.page, tab="img2img")
    assert shows(other_tab)(do="open").settings is None


def test_reset_brings_what_the_page_began_with_and_is_kept(press, library):
    shows(press, strength=1.35, end=None)(do="settings")
    outcome = press(do="reset")
    assert outcome.settings == START
    assert outcome.ratings == press.ratings
    assert shows(Pressing(library))(do="open").settings is None


def test_a_change_that_cannot_be_used_is_put_right_and_said(press, library):
    outcome = shows(press, strength=3)(do="settings")
    assert outcome.settings["strength"] == 2.0
    assert outcome.note.text == "Strength may be 0 to 2, so 2 is used instead of 3."
    assert shows(Pressing(library))(do="open").settings["strength"] == 2.0
    assert shows(press, strength=1.5)(do="settings").settings is None
