"""What the page shows: counts, lists and messages."""

from __future__ import annotations

import pytest

from lib_fabric.errors import FabricError
from lib_fabric.page.actions import readable_name
from lib_fabric.page.answers import Note
from lib_fabric.page.html.lists import counts_html, lists_html, note_html
from lib_fabric.ratings import Ratings
from tests.helpers.pictures import rated

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def test_counts_are_shown_only_where_there_is_something():
    assert counts_html(Ratings()) == ""
    html = counts_html(Ratings(rated(A, B), rated(C)))
    assert ">2 👍<" in html
    assert ">1 👎<" in html
    assert 'title="Disliked pictures: 1"' in html
    assert "👎" not in counts_html(Ratings(rated(A)))


def test_lists_show_the_newest_first_and_clear_only_where_needed():
    html = lists_html(Ratings(rated(A, B)), lambda _: b"jpeg")
    assert html.index(B) < html.index(A)
    assert html.count('data-do="clear"') == 1
    assert "Nothing rated yet" not in html
    assert "Nothing rated yet" in lists_html(Ratings(), lambda _: b"jpeg")


def test_a_lost_picture_can_still_be_removed():
    def lost(picture_id):
        raise FabricError("gone")

    html = lists_html(Ratings(rated(A)), lost)
    assert "<img" not in html
    assert 'data-do="remove"' in html


def test_text_of_a_browser_is_escaped():
    html = note_html(Note('<img src=x onerror="alert(1)"> is not a picture.'))
    assert "<img" not in html
    assert note_html(None) == ""


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
