"""Files in parts: whole or named, and no login cuts off another's."""

from __future__ import annotations

import base64

import pytest

from lib_fabric.errors import FabricError
from lib_fabric.library import preset_archive
from lib_fabric.page.presses.arrivals import MAX_FILES_EACH_OWNER, Arrivals

HALVES = [base64.b64encode(half).decode() for half in (b"first ", b"second")]


def test_a_file_is_whole_after_its_last_part():
    found = Arrivals()
    assert found.add("", "page", 0, 2, HALVES[0]) is None
    assert found.add("", "page", 1, 2, HALVES[1]) == b"first second"


def test_two_pages_may_send_at_once():
    found = Arrivals()
    for part, expected in ((0, None), (1, b"first second")):
        for page in ("one", "two"):
            assert found.add("", page, part, 2, HALVES[part]) == expected


def test_no_login_cuts_off_anothers_file():
    found = Arrivals()
    found.add("alice", "page", 0, 2, HALVES[0])
    for number in range(MAX_FILES_EACH_OWNER + 1):
        found.add("bob", f"page {number}", 0, 2, HALVES[0])
    assert found.add("alice", "page", 1, 2, HALVES[1]) == b"first second"


def test_of_one_login_the_file_that_has_waited_longest_is_given_up():
    found = Arrivals()
    pages = [f"page {number}" for number in range(MAX_FILES_EACH_OWNER + 1)]
    for page in pages[:-1]:
        found.add("bob", page, 0, 3, HALVES[0])
    # Still on its way, so it is not this one.
    found.add("bob", pages[0], 1, 3, HALVES[0])
    found.add("bob", pages[-1], 0, 3, HALVES[0])
    assert found.add("bob", pages[0], 2, 3, HALVES[1]) == b"first first second"
    with pytest.raises(FabricError, match="did not arrive whole"):
        found.add("bob", pages[1], 1, 3, HALVES[1])


def test_a_new_file_of_a_page_takes_the_place_of_one_that_was_given_up():
    found = Arrivals()
    found.add("", "page", 0, 3, HALVES[0])
    assert found.add("", "page", 0, 1, HALVES[1]) == b"second"


def test_a_file_that_is_too_large_is_refused_and_forgotten(monkeypatch):
    monkeypatch.setattr(preset_archive, "MAX_ARCHIVE_BYTES", 10)
    found = Arrivals()
    found.add("", "page", 0, 3, HALVES[0])
    with pytest.raises(FabricError, match="at most"):
        found.add("", "page", 1, 3, HALVES[1])
    with pytest.raises(FabricError, match="did not arrive whole"):
        found.add("", "page", 2, 3, HALVES[1])
