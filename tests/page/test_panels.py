"""The panels count what they show, whatever became of the files and rows behind it."""

from __future__ import annotations

import contextlib
import re
import sqlite3

import pytest

from lib_fabric.page.actions import Action
from lib_fabric.page.html.history import PAGE_SIZE
from lib_fabric.page.outcome import PageState
from lib_fabric.page.panels import Panels
from lib_fabric.ratings import Ratings
from tests.helpers.pictures import image

PAGE = PageState(Ratings())


def fill(library, count):
    """Rates as many pictures; their ids, the newest first."""
    ids = [library.store.add(image(number)).id for number in range(count)]
    for each in ids:
        library.history.record("", "txt2img", each, "liked")
    return ids[::-1]


def look(library, **action):
    """The ids that the history shows, and what it counts."""
    html = Panels(library, lambda _owner: lambda _: b"jpeg").history(
        PAGE, Action("history", **action)
    )
    counts = re.findall(r"<span>([^<]* / [^<]*)</span>", html)
    return re.findall(r'data-id="([0-9a-f]{64})"', html), counts[0] if counts else None


@pytest.fixture
def lose(tmp_path):
    """Deletes files of the store behind its back."""

    def lose(ids):
        for each in ids:
            (found,) = tmp_path.rglob(f"{each}.png")
            found.unlink()

    return lose


def test_a_page_of_the_history_counts_from_the_newest(library):
    ids = fill(library, PAGE_SIZE + 2)
    assert look(library) == (ids[:PAGE_SIZE], f"1–{PAGE_SIZE} / {PAGE_SIZE + 2}")
    assert look(library, offset=PAGE_SIZE) == (
        ids[PAGE_SIZE:],
        f"{PAGE_SIZE + 1}–{PAGE_SIZE + 2} / {PAGE_SIZE + 2}",
    )


def test_an_offset_beyond_the_end_shows_the_last_page(library):
    ids = fill(library, 3)
    assert look(library, offset=10**6) == (ids, "1–3 / 3")


def test_files_that_vanished_are_not_counted(library, lose):
    ids = fill(library, 4)
    lose(ids[:2])
    assert look(library) == (ids[2:], "1–2 / 2")


def test_where_the_whole_page_has_vanished_the_one_before_it_is_shown(library, lose):
    ids = fill(library, PAGE_SIZE + 2)
    lose(ids[PAGE_SIZE:])
    assert look(library, offset=PAGE_SIZE) == (ids[:PAGE_SIZE], f"1–{PAGE_SIZE} / {PAGE_SIZE}")


def test_where_everything_has_vanished_the_history_is_empty(library, lose):
    lose(fill(library, 3))
    assert look(library) == ([], None)


@pytest.mark.parametrize("garbled", ["ab\0cd", "", "../../etc/passwd", '"><b>', b"\x00\x01", 7])
def test_a_row_that_the_disk_has_garbled_is_not_shown_and_costs_no_other(
    library, tmp_path, garbled
):
    first, second = fill(library, 2)
    (index,) = tmp_path.rglob("history.sqlite3")
    with contextlib.closing(sqlite3.connect(index)) as connection, connection:
        connection.execute(
            "UPDATE ratings SET picture_id = ? WHERE picture_id = ?", (garbled, second)
        )
    assert look(library) == ([first], "1–1 / 1")
