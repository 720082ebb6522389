"""The HTML of counts, lists and messages."""

from __future__ import annotations

import json
import re
from html import unescape

from lib_fabric.errors import FabricError
from lib_fabric.page.html.lists import counts_html, tile_html
from lib_fabric.ratings import Rated, Ratings
from tests.helpers.pictures import rated

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def messages(html):
    """What the texts of each element were put together from, as the browser reads it."""
    found = re.findall(r'data-fabric-texts="([^"]*)"', html)
    return [json.loads(unescape(each)) for each in found]


def test_counts_are_shown_only_where_there_is_something():
    assert counts_html(Ratings()) == ""
    html = counts_html(Ratings(rated(A, B), rated(C)))
    assert ">2 👍<" in html
    assert ">1 👎<" in html
    assert 'title="Disliked pictures: 1"' in html
    assert {"title": ["Disliked pictures: {}", "1"]} in messages(html)
    assert "👎" not in counts_html(Ratings(rated(A)))


def test_a_lost_picture_can_still_be_removed():
    def lost(picture_id):
        raise FabricError("gone")

    html = tile_html(Rated(A), "liked", lost)
    assert "<img" not in html
    assert 'data-do="remove"' in html


def test_a_tile_leaves_room_for_the_thumbnail_that_the_page_has():
    assert 'src="data:image/jpeg;base64,anBlZw=="' in tile_html(
        Rated(A), "liked", lambda _: b"jpeg"
    )
    html = tile_html(Rated(A), "liked", None)
    assert "<img" in html
    assert "src=" not in html
