"""Active pictures: each page finds its own again, a new one the browser's newest, nobody else's."""

import contextlib
import json
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib_fabric.errors import FabricError
from lib_fabric.library import active_sets as active_sets_module
from lib_fabric.library.active_sets import MAX_AGE_SECONDS
from lib_fabric.library.library import Library
from lib_fabric.ratings import Rated, Ratings, from_json, to_json
from tests.helpers.databases import after_next_write
from tests.helpers.pictures import rated

TAB = "txt2img"
DAY = 24 * 3600.0
EMPTY = Ratings()


def _key(number):
    return f"{number:032x}"


def _id(number):
    return f"{number:064x}"


def _set(*numbers, weight=1.0):
    return Ratings(rated(*map(_id, numbers), weight=weight))


@pytest.fixture
def sets(library):
    return library.active_sets


def _save(sets, page, pictures, browser=1, owner="", tab=TAB):
    sets.save(_key(page), _key(browser), owner, tab, pictures)


def _load(sets, page, browser=1, owner="", tab=TAB):
    return sets.load(_key(page), _key(browser), owner, tab)


def _num_rows(library):
    sql = "SELECT COUNT(*) FROM active_sets"
    return library.database.read(lambda connection: connection.execute(sql).fetchone()[0])


def _num_files(library):
    return len(list((library.database.folder / "active_sets").glob("*.json")))


# ---- whose set -----------------------------------------------------------------------------------


def test_before_anything_was_saved_all_is_empty_and_no_file_is_made(sets, tmp_path):
    assert _load(sets, 1) == EMPTY
    assert list(tmp_path.iterdir()) == []


def test_a_page_finds_its_own_set_with_order_and_weights(sets, library):
    pictures = Ratings(
        (Rated(_id(3), 2.0), Rated(_id(1), 0.1)), (Rated(_id(2), 0.0), Rated(_id(4)))
    )
    _save(sets, 1, pictures)
    _save(sets, 2, _set(9))
    assert _load(sets, 1) == pictures
    assert _load(Library(library.database.folder).active_sets, 1) == pictures


def test_the_last_save_counts(sets):
    _save(sets, 1, _set(1, 2))
    _save(sets, 1, _set(2, weight=0.5))
    assert _load(sets, 1) == _set(2, weight=0.5)


def test_an_emptied_page_stays_empty_and_is_the_newest(sets):
    _save(sets, 1, _set(1))
    _save(sets, 2, _set(2))
    _save(sets, 2, EMPTY)
    assert _load(sets, 2) == EMPTY
    assert _load(sets, 3) == EMPTY
    assert _load(sets, 1) == _set(1)


def test_a_new_page_gets_what_its_browser_saved_last(sets, clock):
    for page in (2, 1, 3):
        clock.now += 1
        _save(sets, page, _set(page))
    assert _load(sets, 9) == _set(3)
    clock.now += 1
    _save(sets, 2, _set(7))
    assert _load(sets, 9) == _set(7)


@pytest.mark.parametrize("pages", [(1, 2), (2, 1)])
def test_of_two_saves_in_one_tick_of_the_clock_the_later_is_newer(sets, clock, pages):
    for page in pages:
        _save(sets, page, _set(page))
    assert _load(sets, 9) == _set(pages[-1])


def test_loading_does_not_make_a_set_newer(sets, clock):
    for page in (1, 2):
        clock.now += 1
        _save(sets, page, _set(page))
    clock.now += 2 * DAY
    assert _load(sets, 1) == _set(1)
    assert _load(sets, 9) == _set(2)


@pytest.mark.parametrize(
    "other", [{"owner": "ann"}, {"tab": "img2img"}, {"browser": 2}], ids=["owner", "tab", "browser"]
)
def test_owners_tabs_and_browsers_are_apart(sets, other):
    _save(sets, 1, _set(1))
    assert _load(sets, 1, **other) == EMPTY
    _save(sets, 1, _set(2), **other)
    assert _load(sets, 1) == _set(1)
    assert _load(sets, 9) == _set(1)
    assert _load(sets, 9, **other) == _set(2)


# ---- keys from outside ---------------------------------------------------------------------------

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
HOSTILE_KEYS = [
    "",
    "../" * 11,
    "a" * 31,
    "a" * 33,
    "A" * 32,
    "g" * 32,
    "a" * 32 + "\n",
    "\n" + "a" * 31,
    "٣" * 32,
    "a" * 31 + "\0",
    "' OR 1=1 -- " + "a" * 20,
    "\ud800" * 32,
    "a" * 10_000_000,
    b"a" * 32,
    ["a" * 32],
    {"a": 1},
    7,
    None,
]


@pytest.mark.parametrize("key", HOSTILE_KEYS, ids=lambda key: repr(key)[:20])
def test_what_is_no_key_is_not_kept_and_finds_nothing(sets, tmp_path, key):
    sets.save(key, _key(1), "", TAB, _set(1))
    sets.save(_key(1), key, "", TAB, _set(1))
    assert list(tmp_path.iterdir()) == []
    _save(sets, 1, _set(2))
    assert sets.load(_key(1), key, "", TAB) == EMPTY
    # A page without a key is a new one.
    assert sets.load(key, _key(1), "", TAB) == _set(2)


def test_any_keys_owners_and_tabs_raise_nothing(tmp_path):
    sets = Library(tmp_path).active_sets

    @given(page=ANY_JSON, browser=ANY_JSON, owner=ANY_JSON, tab=ANY_JSON)
    def check(page, browser, owner, tab):
        sets.save(page, browser, "", TAB, _set(1))
        assert sets.load(page, browser, "", TAB) == EMPTY
        sets.save(_key(1), _key(1), owner, tab, _set(3))
        assert sets.load(_key(1), _key(1), owner, tab) == _set(3)

    check()


@pytest.mark.parametrize(
    ("pictures", "sentence"),
    [
        (Ratings((Rated("0" * 16),)), f"'{'0' * 16}' is not the id of a picture."),
        (Ratings((Rated("../x"),)), "'../x' is not the id of a picture."),
        (Ratings((Rated(None),)), "None is not the id of a picture."),
        (Ratings((Rated(_id(1), 2.01),)), "'weight' must be 0 to 2, not 2.01."),
        (Ratings((Rated(_id(1), float("nan")),)), "'weight' must be 0 to 2, not nan."),
        (Ratings((Rated(_id(1), "1"),)), "'weight' must be 0 to 2, not '1'."),
        (_set(1, 2, 1), f"picture '{'0' * 16}' is named twice."),
        (
            Ratings(rated(_id(1)), rated(_id(1))),
            f"picture '{'0' * 16}' is named twice.",
        ),
        (_set(*range(257)), "'liked' may hold at most 256 pictures, not 257."),
    ],
)
def test_lists_that_cannot_be_are_refused_and_change_nothing(sets, pictures, sentence):
    _save(sets, 1, _set(5))
    with pytest.raises(FabricError) as caught:
        _save(sets, 1, pictures)
    assert (str(caught.value), caught.value.status_code) == (sentence, 422)
    assert _load(sets, 1) == _set(5)


def test_lists_may_be_full(sets):
    _save(sets, 1, _set(*range(256)))
    assert _load(sets, 1) == _set(*range(256))


IDS = st.lists(st.integers(0, 2**256 - 1), unique=True, max_size=6)


@given(ids=IDS, weights=st.lists(st.floats(0, 2), min_size=6, max_size=6), cut=st.integers(0, 6))
def test_lists_come_back_exactly(ids, weights, cut):
    named = [Rated(_id(each), weight) for each, weight in zip(ids, weights, strict=False)]
    ratings = Ratings(tuple(named[:cut]), tuple(named[cut:]))
    assert from_json(to_json(ratings)) == ratings


@given(value=ANY_JSON)
def test_what_is_no_lists_is_damaged_or_empty(value):
    for each in (value, {"liked": value, "disliked": []}):
        with contextlib.suppress(ValueError):
            assert from_json(json.dumps(each)) == EMPTY


# ---- bounds --------------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch):
    """At most 3 sets of an owner, and 5 with the newest of each browser."""
    monkeypatch.setattr(active_sets_module, "MAX_SETS_EACH_OWNER", 3)
    monkeypatch.setattr(active_sets_module, "MAX_BROWSERS_EACH_OWNER", 5)


def test_a_month_after_its_last_use_a_set_goes(sets, library, clock):
    _save(sets, 1, _set(1))
    clock.now += 1
    _save(sets, 2, _set(2))
    clock.now += MAX_AGE_SECONDS - 1
    _save(sets, 3, _set(3))
    assert _num_rows(library) == 3, "just a month"
    clock.now += 0.5
    _save(sets, 3, _set(3))
    assert _load(sets, 1) == _set(3), "gone: now the browser's newest"
    assert _load(sets, 2) == _set(2)
    assert _num_rows(library) == _num_files(library) == 2


def test_a_set_saved_again_while_it_goes_keeps_its_file(sets, library, clock, monkeypatch):
    """Between the row's end and the file's, another thread may come."""
    _save(sets, 1, _set(1))
    clock.now += MAX_AGE_SECONDS + 1
    after_next_write(library.database, monkeypatch, lambda: _save(sets, 1, _set(7)))
    _save(sets, 2, _set(2))
    assert _num_rows(library) == _num_files(library) == 2
    assert _load(sets, 1) == _set(7)


def test_a_file_that_cannot_be_deleted_keeps_no_other(sets, clock, caplog):
    for page in (1, 2):
        _save(sets, page, _set(page))
    stuck, other = (sets.backups.path(("", _key(1), _key(page), TAB)) for page in (1, 2))
    stuck.unlink()
    stuck.mkdir()
    clock.now += MAX_AGE_SECONDS + 1
    _save(sets, 3, _set(3))
    assert stuck.exists()
    assert not other.exists()
    assert "could not be deleted" in caplog.text


def test_a_page_that_is_reloaded_now_and_then_keeps_its_set(sets, library, clock):
    _save(sets, 1, _set(1))
    for _ in range(4):
        clock.now += 20 * DAY
        assert _load(sets, 1) == _set(1)
        _save(sets, 2, _set(2))
    assert _num_rows(library) == 2


def test_reading_writes_at_most_once_a_day(sets, clock, monkeypatch):
    _save(sets, 1, _set(1))
    writes, write = [], sets.database.write
    monkeypatch.setattr(sets.database, "write", lambda work: writes.append(write(work)))
    clock.now += DAY
    _load(sets, 1)
    assert len(writes) == 0
    clock.now += 1
    for _ in range(2):
        _load(sets, 1)
    assert len(writes) == 1


def test_reading_goes_on_where_nothing_can_be_written(sets, clock, monkeypatch, caplog):
    _save(sets, 1, _set(1))
    clock.now += 2 * DAY

    def fail(_):
        raise FabricError("the disk is full.", status_code=500)

    monkeypatch.setattr(sets.database, "write", fail)
    assert _load(sets, 1) == _set(1)
    assert "the disk is full." in caplog.text


def test_a_browsers_newest_set_outlives_the_month(sets, library, clock):
    _save(sets, 1, _set(1), browser=1)
    _save(sets, 2, _set(2), browser=2)
    _save(sets, 3, _set(3), browser=2, tab="img2img")
    clock.now += 10 * MAX_AGE_SECONDS
    _save(sets, 4, _set(4), browser=2)
    assert _load(sets, 9, browser=1) == _set(1)
    assert _load(sets, 9, browser=2) == _set(4)
    assert _load(sets, 9, browser=2, tab="img2img") == _set(3)
    assert _num_rows(library) == 3, "the older set of the second browser's first tab"


@pytest.mark.usefixtures("few")
def test_of_too_many_sets_the_longest_unused_go(sets, library, clock):
    _save(sets, 9, _set(9), owner="ann")
    for page in range(1, 6):
        clock.now += 1
        _save(sets, page, _set(page))
    assert _num_rows(library) == _num_files(library) == 4
    for page in (3, 4, 5):
        assert _load(sets, page) == _set(page)
    assert _load(sets, 1) == _load(sets, 2) == _set(5)
    assert _load(sets, 9, owner="ann") == _set(9)


@pytest.mark.usefixtures("few")
def test_of_too_many_browsers_the_longest_unused_go(sets, library, clock):
    for browser in range(1, 8):
        clock.now += 1
        _save(sets, 1, _set(browser), browser=browser)
    assert _num_rows(library) == _num_files(library) == 5
    found = [_load(sets, 9, browser=browser) for browser in range(1, 8)]
    assert found == [EMPTY, EMPTY, *(_set(browser) for browser in range(3, 8))]


@pytest.mark.usefixtures("few")
def test_the_bounds_hold_within_one_tick_of_the_clock(sets, library, clock):
    for page in (5, 4, 3, 2, 1):
        _save(sets, page, _set(page))
    assert _num_rows(library) == 3
    for page in (1, 2, 3):
        assert _load(sets, page) == _set(page)


# ---- files ---------------------------------------------------------------------------------------


def _without_index(library):
    (library.database.folder / "history.sqlite3").unlink()
    return Library(library.database.folder)


def test_a_new_index_holds_the_sets_as_they_were(sets, library, clock):
    for page in (2, 1):
        clock.now += 1
        _save(sets, page, _set(page, weight=0.5))
    _save(sets, 3, EMPTY, owner="ann", tab="img2img")
    again = _without_index(library).active_sets
    assert _load(again, 2) == _set(2, weight=0.5)
    assert _load(again, 9) == _set(1, weight=0.5)
    assert _load(again, 9, owner="ann", tab="img2img") == EMPTY


def test_a_clock_that_was_wrong_makes_no_set_the_newest_for_ever(sets, library, clock):
    clock.now += 1000 * DAY
    _save(sets, 1, _set(1))
    clock.now -= 1000 * DAY
    again = _without_index(library).active_sets
    assert _load(again, 9) == _set(1)
    clock.now += 1
    _save(again, 2, _set(2))
    assert _load(again, 9) == _set(2)


@pytest.mark.parametrize("text", ["", "{", "[]", "[1]", '["x", "{}"]', "[NaN, null]", "[1, 2, 3]",
                                  '[1e999, "{}"]', "[" * 100_000])  # fmt: skip
def test_a_damaged_file_costs_only_its_set(sets, library, text):
    _save(sets, 1, _set(1))
    sets.backups.write(("", _key(2), _key(2), TAB), text)
    sets.backups.write(("", "key"), json.dumps([1, to_json(_set(3))]))
    again = _without_index(library)
    assert _load(again.active_sets, 1) == _set(1)
    assert _num_rows(again) == 1


# ---- what they keep from the limit ---------------------------------------------------------------


def test_pictures_of_everybodys_sets_count_as_needed(sets, library):
    _save(sets, 1, _set(1))
    _save(sets, 2, Ratings((), rated(_id(2))), owner="ann", tab="img2img")
    assert set(library.database.read(sets.last_uses)) == {_id(1), _id(2)}
    _save(sets, 1, EMPTY)
    assert set(library.database.read(sets.last_uses)) == {_id(2)}


def test_of_a_damaged_row_every_picture_counts_as_needed(sets, library):
    _save(sets, 1, _set(0xABC, 2))

    def garble(connection: sqlite3.Connection):
        connection.execute("UPDATE active_sets SET pictures = substr(pictures, 3)")

    library.database.write(garble)
    assert _load(sets, 1) == EMPTY
    assert set(library.database.read(sets.last_uses)) == {_id(0xABC), _id(2)}


# ---- settings ------------------------------------------------------------------------------------

CHANGED = {"strength": 1.35, "hires": True, "method": "contrast"}


def _settings(sets, page, browser=1):
    return sets.settings(_key(page), _key(browser), "", TAB)


def test_settings_are_kept_with_the_set_of_their_page(sets, library):
    sets.save(_key(1), _key(1), "", TAB, _set(1), CHANGED)
    _save(sets, 2, _set(2))
    assert _settings(sets, 1) == CHANGED
    assert _settings(sets, 2) == {}
    assert _settings(sets, 3) == {}, "of the newest set of this browser"
    assert _settings(sets, 1, browser=2) == {}
    assert _load(sets, 1) == _set(1)
    # They are in the files as well, from which a lost index is made again.
    (library.database.folder / "history.sqlite3").unlink()
    again = Library(library.database.folder).active_sets
    assert (_settings(again, 1), _load(again, 1)) == (CHANGED, _set(1))


def test_a_version_that_knows_no_settings_reads_the_lists(sets, library):
    sets.save(_key(1), _key(1), "", TAB, _set(1), CHANGED)
    sql = "SELECT pictures FROM active_sets"
    (text,) = library.database.read(lambda connection: connection.execute(sql).fetchone())
    assert from_json(text) == _set(1)


@pytest.mark.parametrize("text", ["", "{", "[]", "5", '{"settings": 5}', '{"settings": []}'])
def test_damaged_settings_are_none(sets, library, text):
    sets.save(_key(1), _key(1), "", TAB, _set(1), CHANGED)
    sql = "UPDATE active_sets SET pictures = ?"
    library.database.write(lambda connection: connection.execute(sql, (text,)))
    assert _settings(sets, 1) == {}
