"""The HTML of the history: what a tile says, and that foreign text is escaped."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from lib_fabric.library.history_entry import Details, HistoryEntry
from lib_fabric.page.html.history import HistoryView, history_html

A = "a" * 64


def tile(rating):
    return history_html(HistoryView([rating], 1), lambda _: b"jpeg")


def test_a_tile_says_how_the_picture_was_made_and_when():
    html = tile(HistoryEntry(A, "liked", 86400.0, Details("a <circle>", 7, "tiny")))
    assert 'title="👍 1970-01-02 00:00 UTC\ntiny, seed 7\na &lt;circle&gt;"' in html
    (texts,) = re.findall(r'data-fabric-texts="([^"]*)"', html)
    # The browser knows in which zone it is; the server does not.
    assert json.loads(unescape(texts)) == {
        "title": [
            "{} {}\n{}\n{}",
            "👍",
            {"time": "1970-01-02T00:00:00Z"},
            "tiny, seed 7",
            "a <circle>",
        ]
    }


def test_a_tile_of_a_file_says_only_when():
    assert 'title="👎 1970-01-01 00:00 UTC"' in tile(HistoryEntry(A, "disliked", 0.0))


def test_an_id_that_the_disk_has_garbled_is_no_html():
    assert "<b>" not in tile(HistoryEntry('"><b>', "liked", 0.0))


@pytest.mark.parametrize(("verdict", "other"), [("liked", "disliked"), ("disliked", "liked")])
def test_a_press_on_the_picture_puts_it_back_as_it_was_rated(verdict, other):
    html = tile(HistoryEntry(A, verdict, 0.0))
    buttons = re.findall(r'<button [^>]*data-do="(\w+)" data-to="(\w+)"[^>]*>(<\w+)', html)
    assert buttons == [("activate", verdict, "<img"), ("activate", other, "<svg"),
                       ("forget", "liked", "<svg")]  # fmt: skip
    thumbs = {"liked": "👍", "disliked": "👎"}
    assert f'<span class="fabric-verdict">{thumbs[verdict]}</span>' in html
