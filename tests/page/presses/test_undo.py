"""Undo: the lists and the history as they were before a press."""

from __future__ import annotations

import json

import pytest

from tests.helpers.page_host import OTHER_PAGE, Pressing


def history(library, owner="", tab="txt2img"):
    return {each.picture_id: each.verdict for each in library.history.page(owner, tab)}


def test_the_history_keeps_what_was_once_rated(press, library):
    first = press(do="rate", index=0).picture_id
    before = press.ratings
    second = press(do="rate", to="disliked", index=1).picture_id
    press.undo()
    assert press.ratings == before
    assert history(library) == {first: "liked", second: "disliked"}
    press(do="unrate", index=0)
    assert not press.ratings
    assert history(library) == {first: "liked", second: "disliked"}


def test_undoing_a_change_of_mind_brings_the_verdict_back(press, library):
    picture_id = press(do="rate", index=0).picture_id
    press(do="weigh", picture_id=picture_id, weight=0.5)
    before = press.ratings
    press(do="rate", to="disliked", index=0)
    press.undo()
    assert press.ratings == before
    assert history(library) == {picture_id: "liked"}


@pytest.mark.parametrize("do", ["forget", "rate", "move"])
def test_undo_brings_the_entry_of_the_history_back_as_it_was(press, library, do):
    picture_id = press(do="rate", index=0).picture_id
    entries = library.history.page("", "txt2img")
    before = press.ratings
    press(do=do, index=0, picture_id=picture_id, to="disliked")
    assert library.history.page("", "txt2img") != entries
    press.undo()
    assert press.ratings == before
    assert library.history.page("", "txt2img") == entries


def test_undo_keeps_the_entry_that_a_picture_had_before_it_was_rated_again(press, library):
    press(do="rate", index=0)
    press(do="clear")
    entries = library.history.page("", "txt2img")
    press(do="rate", index=0)
    press.undo()
    assert not press.ratings
    assert library.history.page("", "txt2img") == entries


def test_undo_leaves_what_another_page_has_rated_since(press, library):
    other = Pressing(library, OTHER_PAGE)
    picture_id = press(do="rate", index=0).picture_id
    other(do="rate", index=0, to="disliked")
    press.undo()
    assert history(library) == {picture_id: "disliked"}


def test_undo_on_one_page_takes_nothing_of_another_login(press, library):
    picture_id = press(do="rate", index=0).picture_id
    press(do="forget", picture_id=picture_id)
    stranger = Pressing(library, owner="ann")
    stranger(do="restore", change=press.reply["change"])
    assert history(library) == {}
    assert history(library, "ann") == {picture_id: "liked"}


@pytest.mark.parametrize(
    "change",
    ["", "x", "[]", "{}", "[" * 100_000]
    + [
        json.dumps({"picture_id": "", "before": "", "after": None, **odd})
        for odd in (
            {"picture_id": "../x"},
            {"picture_id": None},
            {"picture_id": []},
            {"before": None},
            {"before": "x"},
            {"after": "now"},
            {"after": float("nan")},
            {"before": '{"ratings": [{}]}'},
        )
    ],
)
def test_undo_survives_whatever_a_page_sends_as_a_change(press, library, change):
    picture_id = press(do="rate", index=0).picture_id
    outcome = press(
        do="restore", change=change.replace('"picture_id": ""', f'"picture_id": "{picture_id}"')
    )
    assert outcome.note is None
    assert history(library) == {picture_id: "liked"}


def test_undoing_anything_else_leaves_the_history(press, library):
    picture_id = press(do="rate", index=0).picture_id
    press(do="clear")
    press(do="activate", to="liked", picture_id=picture_id)
    press(do="restore", liked="", disliked="")
    assert not press.ratings
    assert history(library) == {picture_id: "liked"}


def test_undo_drops_pictures_that_are_gone_meanwhile(press):
    press(do="restore", liked="0" * 64, disliked="1" * 64)
    assert not press.ratings


def test_the_cross_on_a_picture_that_is_not_active_can_be_undone(press, library):
    picture_id = press(do="rate", index=0).picture_id
    press(do="clear")
    entries = library.history.page("", "txt2img")
    press(do="forget", picture_id=picture_id)
    # The lists are the same, so the page must be told that there is something to undo.
    assert press.reply["history_changed"]
    press.undo()
    assert library.history.page("", "txt2img") == entries
    assert not press.reply["history_changed"]


def test_forgetting_what_is_not_there_is_no_step_of_undo(press):
    press(do="forget", picture_id="a" * 64)
    assert not press.reply["history_changed"]
