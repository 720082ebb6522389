"""Whose pictures are: an id opens them for their owners, whatever becomes of ratings and files."""

import json
import sqlite3
from contextlib import closing

import pytest

from lib_fabric.errors import FabricError
from lib_fabric.library.active_sets import ActiveSets
from lib_fabric.library.history_entry import HistoryEntry
from lib_fabric.library.library import Library
from lib_fabric.library.owners import API_OWNER
from lib_fabric.library.preset import Preset
from lib_fabric.library.preset_archive import from_zip, to_zip
from lib_fabric.library.storage.schema import MIGRATIONS
from lib_fabric.ratings import Ratings
from tests.helpers.pictures import image, picture_id, rated
from tests.helpers.presets import preset_names

TAB = "txt2img"
PAGE, BROWSER = "a" * 32, "b" * 32
ALICE, BOB = "alice", "bob"
EVERYBODY = (ALICE, BOB, "", API_OWNER)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / ".fabric"


@pytest.fixture
def library(folder):
    """Of a WebUI with logins; Alice has brought picture 0, Bob picture 1, the API picture 2."""
    library = _library(folder)
    for seed, owner in enumerate((ALICE, BOB, API_OWNER)):
        library.pictures_of(owner).add(image(seed))
    return library


def _library(folder, has_logins=True):
    return Library(folder, has_logins=lambda: has_logins)


def _opens(library, owner, seed):
    """Whether each way to a picture opens it; they must agree."""
    pictures, whole = library.pictures_of(owner), picture_id(seed)
    ways = set()
    for asked in (whole, whole[:16]):
        ways |= {pictures.find(asked) == whole, asked in pictures}
        for way in (pictures.load, pictures.thumbnail):
            try:
                ways.add(bool(way(asked)))
            except FabricError as error:
                ways.add(str(error) != _missing(seed))
    (answer,) = ways
    return answer


def _missing(seed):
    """What is said of another's picture and of one that never was, so that neither is told."""
    return f"picture '{picture_id(seed)[:16]}' is no longer in the store. Rate it again."


def _owners(library, seed):
    return [owner for owner in EVERYBODY if _opens(library, owner, seed)]


def _without_index(library):
    (index,) = library.store.folder.parent.glob("history.sqlite3")
    index.unlink()
    return _library(index.parent)


# ---- who opens what ------------------------------------------------------------------------------


def test_an_id_opens_a_picture_for_its_owner_alone(library):
    assert [_owners(library, seed) for seed in range(4)] == [[ALICE], [BOB], [API_OWNER], []]


def test_without_logins_every_id_opens(library, folder):
    library.store.add(image(3))
    everybody = _library(folder, has_logins=False)
    assert [_owners(everybody, seed) for seed in range(4)] == [list(EVERYBODY)] * 4


def test_what_nobody_is_known_to_own_opens_only_without_logins(folder):
    _library(folder, has_logins=False).pictures_of("").add(image(0))
    library = _library(folder)
    library.store.add(image(1))
    assert [_owners(library, seed) for seed in range(2)] == [[], []]


def test_a_picture_may_have_several_owners(library):
    library.pictures_of(BOB).add(image(0))
    assert _owners(library, 0) == [ALICE, BOB]


def test_a_rating_taken_back_takes_no_picture_away(library):
    library.history.record(ALICE, TAB, picture_id(0), "liked")
    library.history.forget(ALICE, TAB, picture_id(0))
    assert _owners(library, 0) == [ALICE]
    assert _owners(_without_index(library), 0) == [ALICE]


@pytest.mark.parametrize(
    "damage", [lambda note: note.unlink(), lambda note: note.write_bytes(b"{")]
)
def test_a_picture_that_is_brought_again_has_its_note_again(library, damage):
    library.pictures_of(BOB).add(image(0))
    (note,) = library.store.folder.glob(f"??/{picture_id(0)}.json")
    note.with_suffix(".png").unlink()
    damage(note)
    library.pictures_of(ALICE).add(image(0))
    assert _owners(_without_index(library), 0) == [ALICE, BOB]


def test_looking_for_anothers_picture_does_not_keep_it_from_leaving(library):
    path = library.store.folder / picture_id(0)[:2] / f"{picture_id(0)}.png"
    before = path.stat().st_mtime_ns
    assert not _opens(library, BOB, 0)
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["Zoë", "a:b", "x" * 3000, "\ud800", "a\0b", "'; --"])
def test_any_name_of_a_login_has_its_own(library, name):
    library.pictures_of(name).add(image(5))
    assert _opens(library, name, 5)
    assert _owners(library, 5) == []


# ---- what a login can do with another's id -------------------------------------------------------


def test_nobody_rates_anothers_picture_by_its_id(library):
    for verdict in ("liked", "disliked"):
        with pytest.raises(FabricError, match=r"no longer in the store"):
            library.history.record(BOB, TAB, picture_id(0), verdict)
        with pytest.raises(FabricError, match=r"no longer in the store"):
            library.history.restore(BOB, TAB, HistoryEntry(picture_id(0), verdict, 5.0))
    assert library.history.count(BOB, TAB) == 0


def test_no_preset_holds_anothers_picture(library):
    preset = Preset("Stolen", {}, Ratings(rated(picture_id(1)), rated(picture_id(0))))
    with pytest.raises(FabricError, match=r"no longer in the store"):
        library.presets.save(BOB, "Stolen", preset)
    assert preset_names(library.presets, BOB) == []


def test_an_export_holds_no_picture_that_is_anothers(library):
    preset = Preset("Stolen", {}, Ratings(rated(picture_id(0))))
    with pytest.raises(FabricError, match=r"no longer in the store"):
        to_zip(preset, library.pictures_of(BOB))
    data = to_zip(preset, library.pictures_of(ALICE))
    # Whoever has the file has the picture.
    from_zip(data, library.pictures_of(BOB))
    assert _owners(library, 0) == [ALICE, BOB]


def test_a_list_keeps_only_what_its_page_may_open(library):
    lists = Ratings(rated(picture_id(0), picture_id(1)), rated(picture_id(2)))
    library.active_sets.save(PAGE, BROWSER, BOB, TAB, lists)
    assert library.active_sets.load(PAGE, BROWSER, BOB, TAB) == Ratings(rated(picture_id(1)))
    assert _owners(_without_index(library), 0) == [ALICE]


def test_a_presets_name_is_no_claim(library):
    """A rebuild asks presets whose pictures are; a name is 80 letters of the user's choice."""
    preset = Preset("", {}, Ratings(rated(picture_id(1))))
    library.presets.save(BOB, picture_id(0), preset)
    assert _owners(_without_index(library), 0) == [ALICE]


# ---- what outlasts what --------------------------------------------------------------------------


def test_owners_come_back_from_the_files(library):
    library.pictures_of(BOB).add(image(0))
    again = _without_index(library)
    assert [_owners(again, seed) for seed in range(3)] == [[ALICE, BOB], [BOB], [API_OWNER]]


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b'{"owners": 5}', b'{"owners": [5, null]}'])
def test_a_damaged_note_opens_a_picture_to_nobody(library, note):
    library.store.write_note(picture_id(0), note)
    again = _without_index(library)
    assert [_owners(again, seed) for seed in range(2)] == [[], [BOB]]


def test_owners_leave_with_their_picture(library, folder):
    small = Library(folder, lambda: 1, spare_seconds=0, has_logins=lambda: True)
    assert len(small.enforce_limit()) == 3
    library.pictures_of(BOB).add(image(0))
    assert _owners(library, 0) == [BOB]


def test_where_the_disk_fails_a_picture_is_anybodys_only_without_logins(folder, caplog):
    folder.mkdir()
    (folder / "history.sqlite3").mkdir()
    _library(folder, has_logins=False).pictures_of("").add(image(0))
    assert "cannot be opened" in caplog.text
    pictures = _library(folder).pictures_of(ALICE)
    for way in (lambda: pictures.add(image(1)), lambda: pictures.load(picture_id(0))):
        with pytest.raises(FabricError, match=r"its folder cannot be opened") as caught:
            way()
        assert caught.value.status_code == 500


# ---- a store from before there were owners -------------------------------------------------------


@pytest.fixture
def older(folder):
    """What the first version left: pictures 0 to 5 and who named which of them where."""
    library = _library(folder, has_logins=False)
    for seed in range(6):
        library.store.add(image(seed))
    lists = {seed: Ratings(rated(picture_id(seed))) for seed in range(6)}
    library.history.record(ALICE, TAB, picture_id(0), "liked")
    library.history.record(BOB, "img2img", picture_id(0), "disliked")
    library.active_sets.save(PAGE, BROWSER, ALICE, TAB, lists[1])
    library.presets.save(BOB, "Warm", Preset("", {}, lists[2]))
    library.presets.save(BOB, picture_id(3), Preset("", {}, lists[2]))
    library.history.record("", TAB, picture_id(4), "liked")
    with closing(sqlite3.connect(folder / "history.sqlite3")) as index, index:
        index.execute("DROP TABLE picture_owners")
        index.execute("PRAGMA user_version = 1")
        found = {name for (name,) in index.execute("SELECT name FROM sqlite_master")}
        assert found >= {"ratings", "active_sets", "presets"}
    for path in folder.rglob("pictures/*/*.json"):
        note = json.loads(path.read_text("utf-8"))
        del note["owners"]
        path.write_text(json.dumps(note), "utf-8")
    return folder


EXPECTED = [[ALICE, BOB], [ALICE], [BOB], [], [], []]


def test_an_older_store_learns_its_owners_from_history_lists_and_presets(older):
    assert [_owners(_library(older), seed) for seed in range(6)] == EXPECTED
    assert len(MIGRATIONS) == 2


@pytest.mark.parametrize("is_opened_first", [True, False], ids=["after it was opened", "before"])
def test_an_older_store_whose_index_is_lost(older, is_opened_first):
    if is_opened_first:
        assert _opens(_library(older), ALICE, 0)
    (older / "history.sqlite3").unlink()
    assert [_owners(_library(older), seed) for seed in range(6)] == EXPECTED


def test_what_only_lists_and_presets_told_outlasts_them(older):
    library = _library(older)
    library.presets.delete(BOB, "Warm")
    library.presets.delete(BOB, picture_id(3))
    library.active_sets.save(PAGE, BROWSER, ALICE, TAB, Ratings())
    library.history.forget(ALICE, TAB, picture_id(0))
    library.history.forget(BOB, "img2img", picture_id(0))
    assert [_owners(_without_index(library), seed) for seed in range(6)] == EXPECTED


def test_a_garbled_row_of_an_older_store_costs_nobody_else(older):
    with closing(sqlite3.connect(older / "history.sqlite3")) as index, index:
        index.execute("UPDATE active_sets SET pictures = substr(pictures, 3)")
    assert [_owners(_library(older), seed) for seed in range(3)] == [[ALICE, BOB], [], [BOB]]


def test_an_older_store_of_many_pictures_is_read_once(older, monkeypatch):
    """The second use asks nothing of lists again."""
    library = _library(older)
    assert _opens(library, ALICE, 0)
    monkeypatch.setattr(ActiveSets, "named", lambda _: pytest.fail("asked again"))
    assert _opens(_library(older), ALICE, 1)
