"""Sentences with their keys, as the browser translates them."""

from __future__ import annotations

from lib_fabric.errors import FabricError, Message, UtcTime
from lib_fabric.page.messages import Note


def test_a_message_is_its_key_with_the_parameters_in_it():
    message = Message("{} is {} already.", "cat.png", "liked")
    assert str(message) == "cat.png is liked already."
    assert message.to_json() == ["{} is {} already.", "cat.png", "liked"]


def test_messages_and_times_may_be_parts_of_a_message():
    inner = Message("{} pictures", "3")
    message = Message("Kept: {}, at {}", inner, UtcTime(0))
    assert str(message) == "Kept: 3 pictures, at 1970-01-01 00:00 UTC"
    assert message.to_json() == [
        "Kept: {}, at {}",
        ["{} pictures", "3"],
        {"time": "1970-01-01T00:00:00Z"},
    ]


def test_a_finished_sentence_may_hold_braces():
    message = Message.of(FabricError("There is no preset '{0}'."))
    assert str(message) == "There is no preset '{0}'."


def test_a_note_begins_with_a_capital_letter_but_keeps_names():
    """Errors are written to stand behind their name."""
    assert Note(Message.of(FabricError("picture {} is gone.", "ab"))).text == "Picture ab is gone."
    assert Note(Message.of(FabricError("{} is damaged.", "cat.png"))).text == "cat.png is damaged."
    # What is looked up stays as it is written.
    assert Note(Message.of(FabricError("picture {}.", 1))).message.to_json() == ["picture {}.", "1"]
