"""Presses on the page: rate, undo, move, remove, clear, add files; and hostile ones."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lib_fabric.errors import FabricError
from lib_fabric.library.history_entry import Details
from lib_fabric.library.library import Library
from lib_fabric.page.actions import ShownPictures, parse_action
from lib_fabric.page.answers import Answerer
from lib_fabric.page.outcome import Page
from lib_fabric.rating_texts import read_lists
from lib_fabric.ratings import Rated, Ratings
from lib_fabric.settings import DEFAULT_MAX_PICTURES
from tests.helpers.pictures import rated

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
COLOURS = ("red", "green", "blue", "white")


def picture(colour):
    return Image.new("RGB", (24, 16), colour)


def read_gallery(entry):
    """Stands in for the host's reader: it knows the entries that it handed out, and no others."""
    assert isinstance(entry, dict), "not a picture of this gallery"
    assert entry.get("name") in COLOURS, "trying to open a file outside of allowed directories"
    return picture(entry["name"])


def gallery(*names, num_grids=0):
    entries = [{"name": name, "data": None, "is_file": True} for name in names]
    return ShownPictures.from_client(entries, json.dumps({"index_of_first_image": num_grids}))


def data_url(image, file_format="PNG"):
    buffer = io.BytesIO()
    image.save(buffer, file_format)
    return f"data:image/{file_format.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path / "fabric")


@pytest.fixture
def answerer(library):
    return Answerer(library, read_gallery, lambda image: Details(prompt=f"{image.size}"))


@pytest.fixture
def press(answerer):
    """Presses in a row: `press(do=..., ...)` returns the outcome and remembers the ratings."""

    class Pressing:
        page = Page(Ratings(), is_enabled=True, shown=gallery(*COLOURS))

        def __call__(self, **action):
            outcome = answerer.answer(json.dumps(action), self.page)
            self.page = replace(self.page, ratings=outcome.ratings)
            return outcome

    return Pressing()


def counts(outcome):
    return len(outcome.ratings.liked), len(outcome.ratings.disliked)


def test_thumb_rates_the_picture_at_the_index(press, answerer):
    first = press(do="rate", to="liked", index=0)
    second = press(do="rate", to="disliked", index=2)
    assert counts(second) == (1, 1)
    assert second.ratings.liked == rated(first.picture_id)
    assert second.ratings.disliked == rated(second.picture_id)
    assert second.note is None


def test_a_thumb_pressed_again_forgets_the_rating(press):
    press(do="rate", to="liked", index=1)
    assert counts(press(do="unrate", to="liked", index=1)) == (0, 0)


def test_the_other_thumb_moves_the_picture(press):
    press(do="rate", to="liked", index=1)
    assert counts(press(do="rate", to="disliked", index=1)) == (0, 1)


def test_the_same_pixels_are_one_picture(press):
    press.page = Page(Ratings(), shown=gallery("red", "red"))
    press(do="rate", to="liked", index=0)
    assert counts(press(do="rate", to="liked", index=1)) == (1, 0)


def test_move_remove_and_clear(press):
    ids = [press(do="rate", to="liked", index=index).picture_id for index in range(3)]
    assert press(do="move", to="disliked", picture_id=ids[0]).ratings == Ratings(
        rated(ids[1], ids[2]), rated(ids[0])
    )
    assert press(do="remove", picture_id=ids[1]).ratings == Ratings(rated(ids[2]), rated(ids[0]))
    assert press(do="clear", to="disliked").ratings == Ratings(rated(ids[2]))
    assert press(do="clear", to="liked").ratings == Ratings()


def test_moving_twice_is_moving_once(press):
    """A browser that lost its connection sends the same press again."""
    picture_id = press(do="rate", to="liked", index=0).picture_id
    for _ in range(2):
        assert press(do="move", to="disliked", picture_id=picture_id).ratings.disliked == rated(
            picture_id
        )


def test_a_file_is_added_kept_and_named(press, answerer):
    outcome = press(do="add", to="disliked", name="cat.png", data=data_url(picture("red")))
    assert outcome.ratings.disliked == rated(outcome.picture_id)
    again = press(do="add", to="disliked", name="cat.png", data=data_url(picture("red")))
    assert again.ratings == outcome.ratings
    assert again.note.text == "cat.png is disliked already."
    assert not again.note.is_warning


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_files_of_every_format(press, file_format):
    outcome = press(do="add", to="liked", data=data_url(picture("red"), file_format))
    assert counts(outcome) == (1, 0)


@pytest.mark.parametrize(
    ("shown", "index", "message"),
    [
        (gallery(), -1, "There is no picture to rate yet. Generate one first."),
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
    press.page = Page(before, shown=shown)
    outcome = press(do="rate", to="disliked", index=index)
    assert outcome.note.text == message
    assert outcome.ratings == before


def test_the_only_picture_needs_no_selection(press):
    press.page = Page(Ratings(), shown=gallery("green"))
    assert counts(press(do="rate", to="liked", index=-1)) == (1, 0)


def test_a_picture_after_the_grid_is_rated(press):
    press.page = Page(Ratings(), shown=gallery("red", "blue", "green", num_grids=1))
    assert counts(press(do="rate", to="liked", index=2)) == (1, 0)


def test_the_cap_is_what_it_is_at_the_press(tmp_path):
    cap = [2]
    answerer = Answerer(Library(tmp_path), read_gallery, max_pictures=lambda: cap[0])
    page = Page(Ratings(rated(A, B)), is_enabled=True, shown=gallery("red"))
    refused = answerer.answer('{"do": "rate", "to": "liked", "index": 0}', page)
    assert refused.ratings == page.ratings
    assert refused.note.text == ("At most 2 can be liked. Remove one before adding another.")
    cap[0] = 3
    assert len(answerer.answer('{"do": "rate", "index": 0}', page).ratings.liked) == 3
    cap[0] = 1
    moved = answerer.answer(json.dumps({"do": "move", "picture_id": A, "to": "disliked"}), page)
    assert moved.ratings == Ratings(rated(B), rated(A))
    again = Page(moved.ratings, is_enabled=True, shown=page.shown)
    refused = answerer.answer(json.dumps({"do": "move", "picture_id": A, "to": "liked"}), again)
    assert refused.ratings == moved.ratings
    assert refused.note.text.startswith("At most 1 can be liked.")


def test_a_full_list_keeps_what_it_has(press):
    full = Ratings(rated(*(f"{index:064x}" for index in range(DEFAULT_MAX_PICTURES))))
    press.page = Page(full, shown=gallery("red"))
    outcome = press(do="rate", to="liked", index=0)
    assert outcome.ratings == full
    assert outcome.note.text.startswith("At most 64 can be liked.")


@pytest.mark.parametrize(
    ("page", "switched_off", "switches_on"),
    [
        (Page(Ratings(), is_enabled=False, shown=gallery("red")), False, True),
        (Page(Ratings(), is_enabled=True, shown=gallery("red")), False, False),
        (Page(Ratings(), is_enabled=False, shown=gallery("red")), True, False),
        (Page(Ratings(rated(A)), is_enabled=False, shown=gallery("red")), False, False),
    ],
    ids=["first", "already on", "unticked by hand", "closed since"],
)
def test_the_first_rating_switches_on(press, page, switched_off, switches_on):
    press.page = page
    outcome = press(do="rate", to="liked", index=0, switched_off=switched_off)
    assert outcome.switch_on == switches_on
    is_off = not page.is_enabled and not switches_on
    assert (outcome.note is not None) == is_off
    if is_off:
        assert outcome.note.text.startswith("Kept, but FABRIC is switched off.")


@pytest.mark.parametrize("do", ["unrate", "move", "remove", "clear"])
def test_nothing_but_a_rating_switches_on(press, do):
    press.page = Page(Ratings(), is_enabled=False, shown=gallery("red"))
    assert not press(do=do, index=0, picture_id=A).switch_on


# ---- hostile input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        None, 7, [], {}, "", "no json", "null", "[]", '"rate"', "{}", "[" * 100_000,
        '{"do": "eval"}', '{"do": ["rate"]}', '{"do": "rate", "to": "loved"}',
        '{"do": "rate", "index": "0"}', '{"do": "rate", "index": true}',
        '{"do": "rate", "index": 0.0}', '{"do": "rate", "index": 1e999}',
        '{"do": "rate", "to": {}}', '{"do": "clear", "to": "__class__"}',
        '{"do": "remove", "picture_id": "../../etc/passwd"}', '{"do": "remove", "picture_id": 5}',
        '{"do": "move", "picture_id": "' + "A" * 64 + '"}', '{"do": "add", "data": 5}',
        '{"do": "add", "data": null}', '{"do": "clear", "number": "1"}',
    ],
)  # fmt: skip
def test_bad_actions_are_refused_in_words(answerer, text):
    with pytest.raises(FabricError, match="did not understand"):
        parse_action(text)
    outcome = answerer.answer(text, Page(Ratings(rated(A), rated(B))))
    assert outcome.ratings == Ratings(rated(A), rated(B))
    assert "did not understand" in outcome.note.text


@pytest.mark.parametrize(
    "data",
    ["", "/etc/passwd", "http://example.org/x.png", "data:text/html;base64,PGI+", "%%%", "AAAA"],
)
def test_a_file_that_is_no_picture_is_refused_by_name(press, data):
    outcome = press(do="add", to="liked", name="notes.txt", data=data)
    assert counts(outcome) == (0, 0)
    assert outcome.note.text.startswith("notes.txt is n")


@pytest.mark.parametrize(
    "entries",
    [
        None, "red", {"name": "red"}, [None], ["red"], [["red"]], [5],
        [{"name": "/etc/passwd", "data": None, "is_file": True}],
        [{"name": ["red"], "data": None, "is_file": True}],
        [{"name": "../red", "is_file": True}], [[{"name": "/etc/shadow"}, "caption"]],
    ],
)  # fmt: skip
def test_hostile_gallery_entries_never_cost_a_list(answerer, entries):
    shown = ShownPictures.from_client(entries, "{}")
    before = Ratings(rated(A), rated(B))
    outcome = answerer.answer('{"do": "rate", "index": 0}', Page(before, shown=shown))
    assert outcome.ratings == before
    assert outcome.note.is_warning


@pytest.mark.parametrize(
    "info",
    [None, 5, "", "x", "[]", '{"index_of_first_image": "1"}', '{"index_of_first_image": -3}',
     '{"index_of_first_image": true}', '{"index_of_first_image": null}', "[" * 100_000],
)  # fmt: skip
def test_unreadable_generation_info_means_no_grid(info):
    assert ShownPictures.from_client([{"name": "red"}], info).num_grids == 0


def test_a_text_that_is_not_a_list_of_ids_is_empty():
    assert read_lists(None, 5) == Ratings()
    assert read_lists(f"{A} {A} 5 x {B}*2 ../{C}", f"{B} {C}*0.5 {C}*9") == Ratings(
        (Rated(A), Rated(B, 2.0)), (Rated(C, 0.5),)
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
ACTIONS = st.fixed_dictionaries(
    {
        "do": st.sampled_from(["rate", "unrate", "move", "remove", "clear", "add", "x"]),
        "to": st.sampled_from(["liked", "disliked"]),
    },
    optional={
        "index": st.integers(-3, 5) | JSON,
        "picture_id": st.sampled_from([A, B]) | JSON,
        "data": JSON,
        "name": JSON,
        "switched_off": st.booleans() | JSON,
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(ACTIONS | JSON, max_size=8), JSON | st.just(None), JSON)
def test_no_press_ever_raises_or_mixes_the_lists_up(tmp_path, actions, entries, info):
    answerer = Answerer(Library(tmp_path), read_gallery)
    shown = gallery(*COLOURS) if entries is None else ShownPictures.from_client(entries, info)
    ratings = Ratings(rated(A), rated(B))
    for action in actions:
        outcome = answerer.answer(json.dumps(action), Page(ratings, shown=shown))
        ratings = outcome.ratings
        assert ratings == ratings.unique()
        assert outcome.note is None or outcome.note.text
