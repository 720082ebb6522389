"""Presses on the whole: what switches on, what is kept, and that nothing ever raises."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib_fabric.errors import FabricError
from lib_fabric.library.library import Library
from lib_fabric.page.actions import ACTIONS
from lib_fabric.page.outcome import PageState
from lib_fabric.page.presses.presses import Presses
from lib_fabric.page.shown_pictures import ShownPictures
from lib_fabric.ratings import Ratings
from tests.helpers.page_host import FakePageHost, gallery
from tests.helpers.pictures import rated

A, B = ("a" * 64, "b" * 64)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
SENT = st.fixed_dictionaries(
    {
        "do": st.sampled_from([*ACTIONS, "x"]),
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


@pytest.mark.parametrize(
    ("page", "switched_off", "switches_on"),
    [
        (PageState(Ratings(), is_enabled=False, shown=gallery("red")), False, True),
        (PageState(Ratings(), is_enabled=True, shown=gallery("red")), False, False),
        (PageState(Ratings(), is_enabled=False, shown=gallery("red")), True, False),
        (PageState(Ratings(rated(A)), is_enabled=False, shown=gallery("red")), False, False),
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
    press.page = PageState(Ratings(), is_enabled=False, shown=gallery("red"))
    assert not press(do=do, index=0, picture_id=A).switch_on


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(SENT | JSON, max_size=8), JSON | st.just(None), JSON)
def test_no_press_ever_raises_or_mixes_the_lists_up(tmp_path, actions, entries, info):
    presses = Presses(Library(tmp_path), FakePageHost())
    shown = gallery() if entries is None else ShownPictures.from_client(entries, info)
    ratings = Ratings(rated(A), rated(B))
    for action in actions:
        outcome = presses.carry_out(json.dumps(action), PageState(ratings, shown=shown))
        ratings = outcome.ratings
        assert ratings == ratings.unique()
        assert outcome.note is None or outcome.note.text


@pytest.mark.parametrize("part", ["history", "active_sets"])
def test_a_rating_outlives_a_disk_that_fails_beside_it(press, library, monkeypatch, part):
    def fail(*_args, **_kwargs):
        raise FabricError("the disk is full.", status_code=500)

    method = "record" if part == "history" else "save"
    monkeypatch.setattr(getattr(library, part), method, fail)
    outcome = press(do="rate", index=0)
    assert outcome.ratings.liked == rated(outcome.picture_id)
    assert outcome.note.text == "Rated, but it will not outlast this page: the disk is full."


@pytest.mark.parametrize("text", [None, "", "no json", "{}", '{"do": "eval"}'])
def test_a_press_that_cannot_be_read_costs_nothing(library, text):
    before = Ratings(rated(A), rated(B))
    outcome = Presses(library, FakePageHost()).carry_out(text, PageState(before))
    assert outcome.ratings == before
    assert "did not understand" in outcome.note.text


@pytest.mark.parametrize("do", ACTIONS)
def test_every_action_is_carried_out_by_somebody(press, do):
    outcome = press(do=do, index=0)
    assert outcome.action.do == do
    assert outcome.note is None or "console" not in outcome.note.text


def test_whatever_a_press_raises_is_a_note(press):
    def fail():
        raise OverflowError("cannot convert float infinity to integer")

    press.host.max_pictures = fail
    outcome = press(do="rate", index=0)
    assert outcome.note.text == "FABRIC failed here; see the WebUI's console."
    assert outcome.action.do == "rate"
