"""Presses on one picture: rate, add a file, move, and what the history keeps of it."""

from __future__ import annotations

import os

import pytest
from PIL import Image

from lib_fabric import pictures
from lib_fabric.library.history_entry import Details
from lib_fabric.page.outcome import PageState
from lib_fabric.page.shown_pictures import ShownPictures
from lib_fabric.pictures import decode_bytes
from lib_fabric.ratings import Ratings
from lib_fabric.settings import DEFAULT_MAX_PICTURES
from tests.helpers.page_host import Pressing, gallery
from tests.helpers.pictures import rated
from tests.inputs.files import pixels, text_of, to_file, to_text

A, B = ("a" * 64, "b" * 64)


def _picture(colour):
    return Image.new("RGB", (24, 16), colour)


def counts(outcome):
    return len(outcome.ratings.liked), len(outcome.ratings.disliked)


def history(library, owner="", tab="txt2img"):
    return {each.picture_id: each.verdict for each in library.history.page(owner, tab)}


def test_thumb_rates_the_picture_at_the_index(press):
    first = press(do="rate", to="liked", index=0)
    second = press(do="rate", to="disliked", index=2)
    assert counts(second) == (1, 1)
    assert second.ratings.liked == rated(first.picture_id)
    assert second.ratings.disliked == rated(second.picture_id)
    assert second.note is None


def test_a_thumb_pressed_again_forgets_the_rating(press):
    press(do="rate", to="liked", index=1)
    assert counts(press(do="unrate", to="liked", index=1)) == (0, 0)


def test_the_other_thumb_moves_the__picture(press):
    press(do="rate", to="liked", index=1)
    assert counts(press(do="rate", to="disliked", index=1)) == (0, 1)


def test_the_same_pixels_are_one__picture(press):
    press.page = PageState(Ratings(), shown=gallery("red", "red"))
    press(do="rate", to="liked", index=0)
    assert counts(press(do="rate", to="liked", index=1)) == (1, 0)


def test_moving_twice_is_moving_once(press):
    """A browser that lost its connection sends the same press again."""
    picture_id = press(do="rate", to="liked", index=0).picture_id
    for _ in range(2):
        assert press(do="move", to="disliked", picture_id=picture_id).ratings.disliked == rated(
            picture_id
        )


def test_a_file_is_added_kept_and_named(press):
    outcome = press(do="add", to="disliked", name="cat.png", data=text_of(_picture("red")))
    assert outcome.ratings.disliked == rated(outcome.picture_id)
    again = press(do="add", to="disliked", name="cat.png", data=text_of(_picture("red")))
    assert again.ratings == outcome.ratings
    assert again.note.text == "cat.png is disliked already."
    assert not again.note.is_warning


def test_a_file_that_is_added_again_after_it_was_lost_is_in_the_history_again(press, library):
    sent = {"do": "add", "to": "disliked", "data": text_of(_picture("red"))}
    picture_id = press(**sent).picture_id
    library.store.delete([picture_id], spare_seconds=0)
    assert history(library) == {}
    assert press(**sent).note.text.endswith("disliked already.")
    assert history(library) == {picture_id: "disliked"}


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_files_of_every_format(press, file_format):
    outcome = press(do="add", to="liked", data=text_of(_picture("red"), file_format))
    assert counts(outcome) == (1, 0)


@pytest.mark.parametrize(
    ("shown", "index", "message"),
    [
        (ShownPictures(), -1, "There is no picture to rate yet. Generate one first."),
        (gallery("red", "blue"), -1, "Select a picture first."),
        (gallery("red", "blue"), 2, "Select a picture first."),
        (gallery("red", "blue"), -2, "Select a picture first."),
        (
            gallery("red", "blue", num_grids=1),
            0,
            "This is the grid. Select one of its pictures.",
        ),
    ],
)
def test_refused_presses(press, shown, index, message):
    before = press(do="rate", to="liked", index=0).ratings
    press.page = PageState(before, shown=shown)
    outcome = press(do="rate", to="disliked", index=index)
    assert outcome.note.text == message
    assert outcome.ratings == before


def test_the_only_picture_needs_no_selection(press):
    press.page = PageState(Ratings(), shown=gallery("green"))
    assert counts(press(do="rate", to="liked", index=-1)) == (1, 0)


def test_a_picture_after_the_grid_is_rated(press):
    press.page = PageState(Ratings(), shown=gallery("red", "blue", "green", num_grids=1))
    assert counts(press(do="rate", to="liked", index=2)) == (1, 0)


def test_the_limit_is_what_it_is_at_the_press(press):
    first, second = (press(do="rate", index=index).picture_id for index in range(2))
    full = Ratings(rated(first, second))
    press.host.limit = 2
    refused = press(do="rate", to="liked", index=2)
    assert refused.ratings == full
    assert refused.note.text == "At most 2 can be liked. Remove one before adding another."
    press.host.limit = 3
    assert len(press(do="rate", to="liked", index=2).ratings.liked) == 3
    press.host.limit = 1
    moved = press(do="move", picture_id=first, to="disliked").ratings
    assert moved.disliked == rated(first)
    refused = press(do="move", picture_id=first, to="liked")
    assert refused.ratings == moved
    assert refused.note.text.startswith("At most 1 can be liked.")


def test_a_full_list_keeps_what_it_has(press):
    full = Ratings(rated(*(f"{index:064x}" for index in range(DEFAULT_MAX_PICTURES))))
    press.page = PageState(full, shown=gallery("red"))
    outcome = press(do="rate", to="liked", index=0)
    assert outcome.ratings == full
    assert outcome.note.text.startswith("At most 64 can be liked.")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", " is not a PNG, JPEG or WebP picture."),
        ("AAAA", " is not a PNG, JPEG or WebP picture."),
        ("/etc/passwd", ": The file did not arrive whole. Choose it again."),
        ("http://example.org/x.png", ": The file did not arrive whole. Choose it again."),
        ("%%%", ": The file did not arrive whole. Choose it again."),
    ],
)
def test_a_file_that_is_no_picture_is_refused_by_name(press, data, reason):
    outcome = press(do="add", to="liked", name="notes.txt", data=data)
    assert counts(outcome) == (0, 0)
    assert outcome.note.text == f"notes.txt{reason}"


def test_a_file_in_parts_is_the_file(press):
    data = to_file(Image.fromarray(pixels()))
    for part, piece in enumerate((data[:100], data[100:])):
        outcome = press(
            do="add", to="liked", name="cat.png", part=part, parts=2, data=to_text(piece)
        )
    assert outcome.ratings.liked == rated(decode_bytes(data).id)


def test_files_are_refused_at_the_limit_that_all_ways_in_have(press, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_FILE_BYTES", 2**20)
    data = to_text(bytes(2**20 + 1))
    outcome = press(do="add", to="liked", name="cat.png", data=data)
    assert outcome.note.text == "cat.png: The file is larger than 1 MB. Send a smaller file."


@pytest.mark.parametrize(
    "entries",
    [
        None, "red", {"name": "red"}, [None], ["red"], [["red"]], [5],
        [{"name": "/etc/passwd", "data": None, "is_file": True}],
        [{"name": ["red"], "data": None, "is_file": True}],
        [{"name": "../red", "is_file": True}], [[{"name": "/etc/shadow"}, "caption"]],
    ],
)  # fmt: skip
def test_hostile_gallery_entries_never_cost_a_list(press, entries):
    shown = ShownPictures.from_client(entries, "{}")
    before = Ratings(rated(A), rated(B))
    press.page = PageState(before, shown=shown)
    outcome = press(do="rate", index=0)
    assert outcome.ratings == before
    assert outcome.note.is_warning


def test_a_rating_is_recorded_with_how_the_picture_was_made(press, library):
    picture_id = press(do="rate", index=0).picture_id
    (rating,) = library.history.page("", "txt2img")
    assert (rating.picture_id, rating.verdict) == (picture_id, "liked")
    assert rating.details == Details("a circle", 7, "tiny")


def test_the_history_follows_a_change_of_mind_and_keeps_the_details(press, library):
    picture_id = press(do="rate", index=0).picture_id
    press(do="move", to="disliked", picture_id=picture_id)
    (rating,) = library.history.page("", "txt2img")
    assert (rating.verdict, rating.details.seed) == ("disliked", 7)


def test_forgetting_takes_a_picture_out_of_both(press, library):
    kept, gone = (press(do="rate", index=index).picture_id for index in range(2))
    press(do="forget", picture_id=gone)
    assert history(library) == {kept: "liked"}
    assert press.ratings == Ratings(rated(kept))


def test_a_thumb_in_the_history_puts_a_picture_in_and_out(press, library):
    picture_id = press(do="rate", index=0).picture_id
    press(do="clear")
    assert press(do="activate", to="liked", picture_id=picture_id).ratings.liked == rated(
        picture_id
    )
    assert press(do="activate", to="disliked", picture_id=picture_id).ratings.disliked == rated(
        picture_id
    )
    assert history(library) == {picture_id: "disliked"}
    assert not press(do="activate", to="disliked", picture_id=picture_id).ratings
    assert history(library) == {picture_id: "disliked"}


def test_only_a_picture_of_the_store_can_be_activated(press):
    outcome = press(do="activate", picture_id="0" * 64)
    assert not outcome.ratings
    assert outcome.note.text == "That picture's file is gone."


def test_activating_keeps_a_picture_from_the_limit_on_the_store(press, library, tmp_path):
    """Between the press and the saved list, the limit may look for what is not used."""
    picture_id = press(do="rate", index=0).picture_id
    press(do="clear")
    path = next(tmp_path.rglob("*.png"))
    os.utime(path, (1000, 1000))
    press(do="activate", picture_id=picture_id, to="liked")
    assert library.store.longest_unused() == []


def test_logins_and_tabs_keep_their_own_history(library):
    for owner in ("", "ann", "bob"):
        for tab in ("txt2img", "img2img"):
            if (owner, tab) != ("bob", "img2img"):
                Pressing(library, owner=owner, tab=tab)(do="rate", index=0)
    assert len(history(library, "ann", "img2img")) == 1
    assert history(library, "bob", "img2img") == {}


def test_entries_are_whatever_the_host_hands_to_a_handler(press):
    """Another family gives pairs of a picture and its caption."""
    press.host.gallery_picture = lambda entry: entry[0]
    shown = ShownPictures.from_client([(_picture("red"), "a caption")], "{}")
    press.page = PageState(Ratings(), shown=shown)
    assert counts(press(do="rate", index=0)) == (1, 0)
