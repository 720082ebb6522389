"""Files in parts: whole or named, and no login cuts off another's."""

from __future__ import annotations

import base64

import pytest

from lib_fabric.errors import FabricError
from lib_fabric.library import preset_archive
from lib_fabric.library.preset_archive import refuse_too_many_bytes
from lib_fabric.page.actions import Action
from lib_fabric.page.outcome import PageState
from lib_fabric.page.presses.arrivals import MAX_FILES_EACH_OWNER, Arrivals
from lib_fabric.ratings import Ratings

HALVES = [base64.b64encode(half).decode() for half in (b"first ", b"second")]


def add(found, owner, page, part, parts, data, tab="txt2img"):
    action = Action("import", page=page, part=part, parts=parts, data=data)
    return found.add(action, PageState(Ratings(), owner=owner, tab=tab))


def test_a_file_is_whole_after_its_last_part():
    found = Arrivals(refuse_too_many_bytes)
    assert add(found, "", "page", 0, 2, HALVES[0]) is None
    assert add(found, "", "page", 1, 2, HALVES[1]) == b"first second"


def test_two_pages_may_send_at_once():
    found = Arrivals(refuse_too_many_bytes)
    for part, expected in ((0, None), (1, b"first second")):
        for page in ("one", "two"):
            assert add(found, "", page, part, 2, HALVES[part]) == expected


def test_both_tabs_of_a_page_may_send_at_once():
    found = Arrivals(refuse_too_many_bytes)
    for part, expected in ((0, None), (1, b"first second")):
        for tab in ("txt2img", "img2img"):
            assert add(found, "", "page", part, 2, HALVES[part], tab) == expected


def test_no_login_cuts_off_anothers_file():
    found = Arrivals(refuse_too_many_bytes)
    add(found, "alice", "page", 0, 2, HALVES[0])
    for number in range(MAX_FILES_EACH_OWNER + 1):
        add(found, "bob", f"page {number}", 0, 2, HALVES[0])
    assert add(found, "alice", "page", 1, 2, HALVES[1]) == b"first second"


def test_of_one_login_the_file_that_has_waited_longest_is_given_up():
    found = Arrivals(refuse_too_many_bytes)
    pages = [f"page {number}" for number in range(MAX_FILES_EACH_OWNER + 1)]
    for page in pages[:-1]:
        add(found, "bob", page, 0, 3, HALVES[0])
    # Still on its way, so it is not this one.
    add(found, "bob", pages[0], 1, 3, HALVES[0])
    add(found, "bob", pages[-1], 0, 3, HALVES[0])
    assert add(found, "bob", pages[0], 2, 3, HALVES[1]) == b"first first second"
    with pytest.raises(FabricError, match="did not arrive whole"):
        add(found, "bob", pages[1], 1, 3, HALVES[1])


def test_a_new_file_of_a_page_takes_the_place_of_one_that_was_given_up():
    found = Arrivals(refuse_too_many_bytes)
    add(found, "", "page", 0, 3, HALVES[0])
    assert add(found, "", "page", 0, 1, HALVES[1]) == b"second"


def test_a_file_that_is_too_large_is_refused_and_forgotten(monkeypatch):
    monkeypatch.setattr(preset_archive, "MAX_ARCHIVE_BYTES", 10)
    found = Arrivals(refuse_too_many_bytes)
    add(found, "", "page", 0, 3, HALVES[0])
    with pytest.raises(FabricError, match="at most"):
        add(found, "", "page", 1, 3, HALVES[1])
    with pytest.raises(FabricError, match="did not arrive whole"):
        add(found, "", "page", 2, 3, HALVES[1])
