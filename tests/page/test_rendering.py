"""An outcome as values of the page's components, and that whatever fails there costs no answer."""

from __future__ import annotations

import json
from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib_fabric.errors import Message
from lib_fabric.library.history_change import Change
from lib_fabric.library.history_entry import HistoryEntry
from lib_fabric.library.library import Library
from lib_fabric.page.actions import ACTIONS, Action
from lib_fabric.page.messages import Note
from lib_fabric.page.outcome import Download, Outcome, PageState
from lib_fabric.page.rendering import Rendering
from lib_fabric.ratings import Ratings
from lib_fabric.settings import FabricSettings
from tests.helpers.page_host import FakePageHost, Pressing
from tests.helpers.pictures import image, rated

FAILED = "FABRIC failed here; see the WebUI's console."
A, B = ("a" * 64, "b" * 64)


@pytest.fixture
def host():
    return FakePageHost(limit=7)


@pytest.fixture
def render(library, host):
    """`render(outcome)`: the values, and the reply as the browser reads it."""
    rendering = Rendering(library, host)

    def render(outcome, page=None):
        values = rendering.values(outcome, page or PageState(outcome.ratings))
        return values, json.loads(values["reply"])

    return render


def test_the_reply_says_all_that_the_browser_keeps(render):
    outcome = Outcome(
        Ratings((*rated(A), *rated(B, weight=0.5))),
        picture_id=A,
        note=Note(Message("Saved as {}.", "Warm"), is_warning=False),
        action=Action("rate", number=3),
        change=Change(A, HistoryEntry(A, "liked", 1.0)),
        download=Download("Warm.fabric.zip", b"zip"),
    )
    _, reply = render(outcome)
    assert reply.pop("change") == Change(A, HistoryEntry(A, "liked", 1.0)).to_text()
    assert reply == {
        "number": 3,
        "limit": 7,
        "tiles": {},
        "settings": {},
        "defaults": {field.name: field.default for field in FabricSettings.fields()},
        "rated": A,
        "note": {"text": "Saved as Warm.", "message": ["Saved as {}.", "Warm"], "failed": False},
        "history_changed": True,
        "confirm": None,
        "file": {"name": "Warm.fabric.zip", "data": "emlw"},
    }


def test_an_outcome_without_more_sets_only_the_lists(render):
    values, reply = render(Outcome(Ratings()))
    assert values.keys() == {"liked", "disliked", "counts", "reply"}
    assert (reply["number"], reply["note"], reply["file"]) == (0, None, None)


@pytest.fixture
def pictures(library):
    """The ids of three pictures."""
    return [library.store.add(image(seed)).id for seed in range(3)]


def test_only_what_a_press_has_changed_comes_as_tiles(render, pictures):
    first, second, third = pictures
    before = PageState(Ratings(rated(first, second)))
    _, reply = render(Outcome(Ratings(rated(first, second, third))), before)
    assert reply["tiles"].keys() == {third}
    assert "data:image/jpeg" in reply["tiles"][third]
    _, reply = render(Outcome(Ratings(rated(first))), before)
    assert reply["tiles"] == {}


@pytest.mark.parametrize("is_moved", [True, False])
def test_a_picture_that_moves_or_is_weighed_comes_without_its_thumbnail(render, pictures, is_moved):
    first, second, _ = pictures
    before = PageState(Ratings(rated(first, second)))
    after = before.ratings.move(second, "disliked") if is_moved else before.ratings.weigh(second, 2)
    _, reply = render(Outcome(after), before)
    assert reply["tiles"].keys() == {second}
    assert "data:image" not in reply["tiles"][second]
    assert ("Move to liked" if is_moved else 'value="2"') in reply["tiles"][second]


def test_what_a_page_says_that_it_lacks_comes_if_it_is_rated(render, pictures):
    first, second, third = pictures
    page = PageState(Ratings(rated(first), rated(second)))
    asked = Action("tiles", lacks=f"{second} {third} nonsense")
    _, reply = render(Outcome(page.ratings, action=asked), page)
    assert reply["tiles"].keys() == {second}
    assert "data:image/jpeg" in reply["tiles"][second]


def test_an_answer_is_as_long_for_many_rated_pictures_as_for_few(render, library):
    ids = [library.store.add(image(seed)).id for seed in range(60)]
    new = library.store.add(image(99)).id

    def num_bytes(known):
        page = PageState(Ratings(rated(*known)))
        outcome = Outcome(Ratings(rated(*known, new)), picture_id=new, action=Action("rate"))
        return len(render(outcome, page)[1]["tiles"][new]), len(
            json.dumps(render(outcome, page)[1])
        )

    assert num_bytes(ids) == num_bytes(ids[:2])


def test_only_the_settings_that_change_are_set(render):
    values, _ = render(Outcome(Ratings(), settings={"strength": 1.5}))
    assert values["strength"] == 1.5
    assert values.keys().isdisjoint({"enabled", "start", "end", "method"})


def test_a_question_goes_to_the_browser_as_a_message(render):
    _, reply = render(Outcome(Ratings(), question=Message("Replace the preset {}?", "Warm")))
    assert reply["confirm"] == {
        "text": "Replace the preset Warm?",
        "message": ["Replace the preset {}?", "Warm"],
    }


@pytest.mark.parametrize(
    ("change", "is_changed"),
    [
        (None, False),
        (Change(A, HistoryEntry(A, "liked", 1.0), None), True),
        # Only when, or how: the lists say that themselves.
        (Change(A, HistoryEntry(A, "liked", 1.0), 2.0), False),
    ],
)
def test_the_browser_is_told_whether_the_history_has_gained_or_lost(render, change, is_changed):
    _, reply = render(Outcome(Ratings(), change=change))
    assert reply["history_changed"] is is_changed


@pytest.mark.parametrize("error", [ValueError("embedded null byte"), OSError("disk"), KeyError()])
def test_pictures_that_cannot_be_shown_cost_no_answer(render, library, monkeypatch, error):
    picture = library.store.add(image())

    def fail(*_args):
        raise error

    monkeypatch.setattr(library.store, "thumbnail", fail)
    outcome = Outcome(Ratings(rated(picture.id)), action=Action("rate", number=4))
    values, reply = render(outcome, PageState(Ratings()))
    assert values["liked"] == picture.id
    assert reply["tiles"] == {}
    assert reply["number"] == 4
    assert reply["note"]["text"] == FAILED


@pytest.mark.parametrize(
    ("part", "method", "outcome"),
    [
        ("history", "count", Outcome(Ratings(), action=Action("history", shows_history=True))),
        (
            "presets",
            "page",
            Outcome(Ratings(), action=Action("presets", shows_presets=True), presets_changed=True),
        ),
    ],
)
def test_a_panel_that_cannot_be_shown_costs_no_answer(
    render, library, monkeypatch, part, method, outcome
):
    def fail(*_args, **_kwargs):
        raise ValueError("embedded null byte")

    monkeypatch.setattr(getattr(library, part), method, fail)
    values, reply = render(outcome)
    assert part not in values
    assert {"liked", "counts"} <= values.keys()
    assert reply["note"] == {"text": FAILED, "message": [FAILED], "failed": True}


def test_what_was_said_first_is_not_said_over(render, library, monkeypatch):
    def fail(*_args, **_kwargs):
        raise ValueError

    monkeypatch.setattr(library.presets, "page", fail)
    note = Note(Message("Saved as {}.", "Warm"), is_warning=False)
    action = Action("save", shows_presets=True)
    values, reply = render(Outcome(Ratings(), note=note, action=action, presets_changed=True))
    assert "presets" not in values
    assert reply["note"]["text"] == "Saved as Warm."


def test_a_limit_that_cannot_be_read_costs_no_answer(render, host):
    def fail():
        raise OverflowError

    host.max_pictures = fail
    _, reply = render(Outcome(Ratings()))
    assert reply["limit"] == 64
    assert reply["note"]["text"] == FAILED


def test_an_unreadable_history_is_said_in_words(render, tmp_path):
    (tmp_path / ".fabric").mkdir()
    (tmp_path / ".fabric" / "history.sqlite3").mkdir()
    values, reply = render(Outcome(Ratings(), action=Action("history", shows_history=True)))
    assert "history" not in values
    assert "the history could not be" in reply["note"]["text"].lower()


ODD_TEXTS = st.text() | st.sampled_from(["\ud800", "a\0b", "\udc00\ud83d", "<b>", "{}", "{0.x}"])
SENT = st.fixed_dictionaries(
    {"do": st.sampled_from(ACTIONS)},
    optional={
        **dict.fromkeys(["search", "name", "new_name", "change", "page", "browser"], ODD_TEXTS),
        **dict.fromkeys(["liked", "disliked", "data"], ODD_TEXTS),
        **dict.fromkeys(["index", "offset", "presets_offset", "number"], st.just(10**400)),
        "weight": st.floats() | st.just(10**400),
    },
)


@given(sent=st.lists(SENT, min_size=1, max_size=6))
def test_whatever_is_sent_the_answer_can_be_sent_back(tmp_path_factory, sent):
    library = Library(tmp_path_factory.getbasetemp() / "odd texts")
    press = Pressing(library)
    press(do="rate", index=0)
    for action in sent:
        outcome = press(**action)
        outcome.action = outcome.action and replace(
            outcome.action, shows_history=True, shows_presets=True
        )
        values = Rendering(library, press.host).values(outcome, press.page)
        assert orjson.dumps(values), action
        assert "console" not in values["reply"], (action, values["reply"])
