"""Our entries in a processing object's infotext: replaced, and never those of a copy."""

from __future__ import annotations

import copy
import json
import pickle
from types import SimpleNamespace

from lib_fabric.hosts.infotexts import add_note, set_entries, set_entry_of_each


def test_a_cell_does_not_inherit_what_the_cell_before_it_wrote():
    p = SimpleNamespace(extra_generation_params={"Steps": 4, "FABRICATED": 1})
    set_entries(p, {"FABRIC strength": "1.5", "FABRIC liked": "a"})
    set_entries(p, {"FABRIC liked": "a"})
    assert p.extra_generation_params == {"Steps": 4, "FABRICATED": 1, "FABRIC liked": "a"}


def test_a_copy_and_its_original_say_what_each_was_made_with():
    p = SimpleNamespace(extra_generation_params={"Steps": 4})
    set_entries(p, {"FABRIC liked": "a"})
    steered, plain = copy.copy(p), copy.copy(p)
    set_entries(steered, {"FABRIC disliked": "b"})
    set_entries(plain, {})
    assert p.extra_generation_params == {"Steps": 4, "FABRIC liked": "a"}
    assert steered.extra_generation_params == {"Steps": 4, "FABRIC disliked": "b"}
    assert plain.extra_generation_params == {"Steps": 4}


def test_where_nothing_is_ours_nothing_is_touched():
    before = {"Steps": 4}
    p = SimpleNamespace(extra_generation_params=before)
    set_entries(p, {})
    assert p.extra_generation_params is before


def test_a_picture_that_we_had_no_part_in_says_nothing_of_us():
    p = SimpleNamespace(extra_generation_params={})
    set_entries(p, {"FABRIC liked": "a"}, lambda _p, index: index < 2)
    entry = p.extra_generation_params["FABRIC liked"]
    # As the host asks: with all that it knows.
    values = [entry(p=p, index=index, key="FABRIC liked", value=entry) for index in range(4)]
    assert values == ["a", "a", None, None]


def test_an_entry_is_a_text_to_everybody_else():
    p = SimpleNamespace(extra_generation_params={})
    set_entries(p, {"FABRIC liked": "a"}, lambda _p, _index: True)
    assert json.dumps(p.extra_generation_params) == '{"FABRIC liked": "a"}'
    for copied in (copy.deepcopy, lambda params: pickle.loads(pickle.dumps(params))):
        assert type(copied(p.extra_generation_params)["FABRIC liked"]) is str


def test_each_picture_has_its_own_text():
    p = SimpleNamespace(extra_generation_params={"Steps": 4})
    set_entry_of_each(p, "FABRIC followed", ["a", "b", "a"], lambda _p, index: index != 1)
    entry = p.extra_generation_params["FABRIC followed"]
    assert [entry(p=p, index=index, key="x") for index in range(4)] == ["a", None, "a", None]
    # Earlier hosts take the text alone.
    assert entry == "a b a"
    assert type(copy.deepcopy(entry)) is str


def test_notes_are_joined_said_once_and_end_with_the_generation():
    p = SimpleNamespace(extra_generation_params={"Steps": 4})
    cell = copy.copy(p)
    for text in ("One.", "Two.", "One."):
        add_note(p, text)
    set_entries(p, {"FABRIC liked": "a"})
    assert p.extra_generation_params == {
        "Steps": 4, "FABRIC note": "One. Two.", "FABRIC liked": "a"
    }  # fmt: skip
    assert cell.extra_generation_params == {"Steps": 4}
    set_entries(p, {})
    assert p.extra_generation_params == {"Steps": 4}
