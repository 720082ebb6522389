"""Deleting all that is stored: of everybody without logins, else of one login alone."""

import sqlite3
from contextlib import closing

import pytest

from lib_fabric.errors import FabricError
from lib_fabric.library.erasing import Stored
from lib_fabric.library.history_entry import Details
from lib_fabric.library.library import Library
from lib_fabric.library.owners import API_OWNER
from lib_fabric.library.preset import Preset
from lib_fabric.ratings import Ratings
from tests.helpers.pictures import image, picture_id, rated
from tests.helpers.presets import preset_names

TAB = "txt2img"
PAGE, BROWSER = "a" * 32, "b" * 32
SECRET = "a prompt that nobody is to read"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / ".fabric"


def _library(folder, has_logins):
    return Library(folder, has_logins=lambda: has_logins)


def _use(library, owner, *seeds):
    """Rates, keeps and saves pictures in every way that there is."""
    for seed in seeds:
        library.pictures_of(owner).add(image(seed))
        library.history.record(
            owner, TAB, picture_id(seed), "liked", Details(f"{SECRET} {owner}", seed)
        )
        library.store.thumbnail(picture_id(seed))
    ratings = Ratings(tuple(rated(*map(picture_id, seeds))))
    library.active_sets.save(PAGE, BROWSER, owner, TAB, ratings)
    library.presets.save(owner, f"{SECRET} of {owner}", Preset("", {}, ratings))


def _texts_on_disk(folder):
    """What can be read in the files."""
    return b"".join(each.read_bytes() for each in folder.rglob("*") if each.is_file())


def _rows(folder):
    with closing(sqlite3.connect(folder / "history.sqlite3")) as connection:
        tables = ("ratings", "active_sets", "presets", "picture_owners")
        return sum(
            connection.execute(f"SELECT COUNT(*) FROM {each}").fetchone()[0] for each in tables
        )


def test_without_logins_nothing_is_left_of_anybody(folder):
    library = _library(folder, has_logins=False)
    _use(library, "", 0, 1)
    _use(library, "alice", 2)  # from a time with logins
    library.pictures_of(API_OWNER).add(image(3))
    (folder / "history.sqlite3.broken-20200101-000000").write_text(SECRET)
    (folder / "presets" / "damaged.json").write_text(SECRET)
    measured = library.erasing.measure("")
    files = [each for each in (folder / "pictures").rglob("*") if each.is_file()]
    assert measured == Stored(4, 3, 2, sum(each.stat().st_size for each in files))
    assert SECRET.encode() in _texts_on_disk(folder)
    library.erasing.erase("")
    assert library.erasing.measure("") == Stored()
    assert not [each for each in (folder / "pictures").rglob("*") if each.is_file()]
    assert _rows(folder) == 0
    assert SECRET.encode() not in _texts_on_disk(folder)
    assert library.active_sets.load(PAGE, BROWSER, "", TAB) == Ratings()


def test_a_damaged_index_does_not_bring_it_back(folder):
    library = _library(folder, has_logins=False)
    _use(library, "", 0)
    library.erasing.erase("")
    (folder / "history.sqlite3").write_bytes(b"no database" * 100)
    again = _library(folder, has_logins=False)
    assert again.history.page("", TAB) == []
    assert preset_names(again.presets) == []
    assert again.active_sets.load(PAGE, BROWSER, "", TAB) == Ratings()


def test_with_logins_each_deletes_its_own_alone(folder):
    library = _library(folder, has_logins=True)
    _use(library, "alice", 0, 1)
    _use(library, "bob", 1, 2)
    library.pictures_of(API_OWNER).add(image(3))
    library.pictures_of("alice").add(image(3))
    measured = library.erasing.measure("alice")
    assert (measured.num_pictures, measured.num_ratings, measured.num_presets) == (1, 2, 1)
    library.erasing.erase("alice")
    assert library.erasing.measure("alice") == Stored()
    assert [picture_id(seed) in library.store for seed in range(4)] == [False, True, True, True]
    assert not any(picture_id(seed) in library.pictures_of("alice") for seed in range(4))
    assert library.history.count("alice", TAB) == 0
    assert library.history.count("bob", TAB) == 2
    assert preset_names(library.presets, "bob") == [f"{SECRET} of bob"]
    assert len(library.active_sets.load(PAGE, BROWSER, "bob", TAB)) == 2
    assert SECRET.encode() in _texts_on_disk(folder)
    for text in (f"{SECRET} alice", f"{SECRET} of alice"):
        assert text.encode() not in _texts_on_disk(folder)
    # And from the files alone, all of Bob's comes back and nothing of Alice's.
    (folder / "history.sqlite3").write_bytes(b"no database" * 100)
    again = _library(folder, has_logins=True)
    assert again.history.count("bob", TAB) == 2
    assert again.history.count("alice", TAB) == 0
    assert picture_id(1) in again.pictures_of("bob")
    assert picture_id(1) not in again.pictures_of("alice")


def test_where_there_are_logins_nobody_deletes_nothing(folder):
    library = _library(folder, has_logins=True)
    _use(library, "alice", 0)
    for way in (library.erasing.measure, library.erasing.erase):
        with pytest.raises(FabricError, match="Log in"):
            way("")
    assert library.history.count("alice", TAB) == 1


def test_what_is_brought_again_is_no_longer_taken_for_deleted(folder):
    library = _library(folder, has_logins=False)
    _use(library, "", 0, 1)
    library.erasing.erase("")
    library.pictures_of("").add(image(0))
    assert picture_id(0) in library.pictures_of("")
    assert not library.pictures_of("").is_erased(picture_id(0))
    assert library.pictures_of("").is_erased(picture_id(1))
    assert not library.pictures_of(API_OWNER).is_erased(picture_id(1))


def test_a_picture_that_cannot_be_deleted_is_said(folder):
    library = _library(folder, has_logins=False)
    _use(library, "", 0, 1)
    path = library.store.path(picture_id(0))
    # A folder cannot be unlinked, by whoever runs the tests.
    path.unlink()
    path.mkdir()
    with pytest.raises(FabricError, match="could not be deleted: 1"):
        library.erasing.erase("")
    assert picture_id(1) not in library.store
    assert library.history.count("", TAB) == 0
