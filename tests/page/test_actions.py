"""What the browser sends, read or refused."""

from __future__ import annotations

import json

import pytest

from lib_fabric.errors import FabricError
from lib_fabric.page.actions import parse_action, readable_name


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
def test_bad_actions_are_refused_in_words(text):
    with pytest.raises(FabricError, match="did not understand"):
        parse_action(text)


@pytest.mark.parametrize("field", ["search", "name", "new_name", "liked", "change", "data"])
def test_half_a_letter_becomes_a_question_mark(field):
    """gradio cannot send it back."""
    text = json.dumps({"do": "history", field: "a\ud800b\udfff \U0001f44d"})
    assert "ud800" in text
    assert getattr(parse_action(text), field) == "a?b? 👍"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("cat.png", "cat.png"),
        ("C:\\Users\\me\\cat.png", "cat.png"),
        ("../../cat.png", "cat.png"),
        ("ca\x00t\n.png", "cat.png"),
        ("", "The picture"),
        ("/", "The picture"),
        ("\u200b\u3164\u0301", "The picture"),
        ("x" * 99, "x" * 59 + "…"),
    ],
)
def test_readable_names(name, shown):
    assert readable_name(name) == shown
