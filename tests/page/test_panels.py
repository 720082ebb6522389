"""The panels count what they show, whatever became of the files and rows behind it."""

from __future__ import annotations

import base64
import contextlib
import re
import sqlite3

import pytest

from lib_fabric.page.actions import Action
from lib_fabric.page.html.history import PAGE_SIZE
from lib_fabric.page.html.presets import PAGE_SIZE as PRESETS_PAGE_SIZE
from lib_fabric.page.outcome import PageState
from lib_fabric.page.panels import Panels
from lib_fabric.page.rendering import Rendering
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


# ---- presets -------------------------------------------------------------------------------------

NUM_PRESETS = 2 * PRESETS_PAGE_SIZE + 3


@pytest.fixture
def crowded(library, press):
    """A page with more presets than two pages of the list hold, 'Preset 00' and so on."""
    for number in range(4):
        press(do="rate", index=number)
    for number in range(NUM_PRESETS):
        press(do="save", name=f"Preset {number:02}")
    return press


def rendered(library, press, **action):
    """What the page is sent for a press."""
    outcome = press(**action)
    return Rendering(library, press.host).values(outcome, press.page)


def presets_in(html):
    """The names, and what is counted."""
    counts = re.findall(r"<span>([^<]* / [^<]*)</span>", html)
    return re.findall(r'data-name="([^"]*)"', html), counts[0] if counts else None


def open_list(offset=0):
    return {"shows_presets": True, "presets_offset": offset}


@pytest.mark.parametrize(
    ("offset", "first", "count"),
    [(0, 0, 20), (20, 20, 20), (40, 40, 3), (45, 40, 3), (10**400, 40, 3), (-1, 0, 20)],
)
def test_presets_come_a_page_at_a_time(crowded, library, offset, first, count):
    html = rendered(library, crowded, do="presets", **open_list(offset))["presets"]
    expected = [f"Preset {number:02}" for number in range(first, first + count)]
    assert presets_in(html) == (expected, f"{first + 1}–{first + count} / {NUM_PRESETS}")
    assert ('data-do="previous"' in html) == (first > 0)
    assert ('data-do="next"' in html) == (first < 40)


def test_few_presets_need_no_pager(library, press):
    press(do="rate", index=0)
    press(do="save", name="Warm")
    html = rendered(library, press, do="presets", **open_list())["presets"]
    assert presets_in(html) == (["Warm"], None)


@pytest.mark.parametrize(
    ("action", "first"),
    [
        ({"do": "save", "name": "Preset 21b"}, 20),
        ({"do": "save", "name": "zuletzt"}, 40),
        ({"do": "save", "name": "preset 05", "overwrite": True}, 0),
        ({"do": "rename", "name": "Preset 00", "new_name": "preset 40 again"}, 40),
        ({"do": "delete", "name": "Preset 00"}, 20),
    ],
)
def test_the_list_shows_what_has_just_got_its_name(crowded, library, action, first):
    html = rendered(library, crowded, **action, **open_list(20))["presets"]
    names, count = presets_in(html)
    assert count.startswith(f"{first + 1}–")
    named = action.get("new_name", action["name"])
    assert (named in names) == (action["do"] != "delete")


def test_a_list_is_sent_only_where_it_is_shown_and_has_changed(crowded, library, tmp_path):
    archive = base64.b64encode(crowded(do="export", name="Preset 00").download.data).decode()
    half = len(archive) // 8 * 4
    nothing_new = [
        {"do": "export", "name": "Preset 00"},
        {"do": "load", "name": "Preset 00"},
        {"do": "rate", "index": 1},
        {"do": "import", "part": 0, "parts": 2, "data": archive[:half]},
    ]
    for action in nothing_new:
        assert "presets" not in rendered(library, crowded, **action, **open_list()), action
    for action in ({"do": "open"}, {"do": "save", "name": "New"}, {"do": "presets"}):
        assert "presets" not in rendered(library, crowded, **action), action
    last = {"do": "import", "part": 1, "parts": 2, "data": archive[half:]}
    html = rendered(library, crowded, **last, **open_list())["presets"]
    assert "Preset 00 (2)" in presets_in(html)[0]


def test_only_what_is_shown_is_made_and_sent(crowded, library):
    """A thumbnail for each picture that is seen, however many presets there are."""
    made = []

    def thumbnails(_owner):
        return lambda picture_id: made.append(picture_id) or b"x" * 9000

    html = Panels(library, thumbnails).presets(PAGE, Action("presets", **open_list()))
    assert len(made) == 3 * PRESETS_PAGE_SIZE
    assert len(html) < PRESETS_PAGE_SIZE * (3 * 12_100 + 2000) + 2000
