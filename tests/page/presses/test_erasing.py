"""Deleting all that is stored: asked first, and harmless to pages that still show it."""

import math

import pytest

from lib_fabric.arguments import parse_arguments
from lib_fabric.errors import FabricError
from lib_fabric.library.erasing import Stored
from lib_fabric.library.library import Library
from lib_fabric.library.owners import API_OWNER
from lib_fabric.rating_texts import format_list
from tests.helpers.page_host import OTHER_BROWSER, OTHER_PAGE, Pressing
from tests.helpers.presets import preset_names


@pytest.fixture
def other(library):
    """Another browser's page, with two pictures rated."""
    page = Pressing(library, OTHER_PAGE, OTHER_BROWSER)
    page(do="rate", index=0)
    page(do="rate", index=1, to="disliked")
    return page


def _request(library, page, owner=""):
    """What the host hands over where that page generates."""
    lists = [format_list(page.ratings.of(name)) for name in ("liked", "disliked")]
    pictures = library.pictures_of(owner)
    return parse_arguments([True, *lists], pictures, is_erased=pictures.is_erased)


def test_it_asks_and_says_how_much_before_anything_is_deleted(library, press):
    press(do="rate", index=0)
    press(do="save", name="Mine")
    outcome = press(do="erase")
    counts = outcome.question.parameters
    assert counts[:3] == ("1", "1", "1")
    assert counts[3] == f"{math.ceil(library.erasing.measure('').num_bytes / 1024)} KB"
    assert library.history.count("", "txt2img") == 1
    assert len(press.ratings) == 1


def test_on_yes_all_is_gone(library, press):
    press(do="rate", index=0)
    press(do="save", name="Mine")
    outcome = press(do="erase", overwrite=True)
    assert not outcome.note.is_warning
    assert outcome.presets_changed
    assert not press.ratings
    assert library.erasing.measure("") == Stored()
    assert preset_names(library.presets) == []
    # Not even an empty list of this page.
    assert not list((library.database.folder / "active_sets").glob("*.json"))


def test_where_there_is_nothing_it_says_so(press):
    outcome = press(do="erase")
    assert outcome.question is None
    assert "nothing" in outcome.note.text


def test_a_page_that_still_shows_it_generates_without_it(library, press, other):
    assert _request(library, other).is_active
    press(do="erase", overwrite=True)
    assert not _request(library, other).is_active
    # The API's clients hear of it as of every picture that is not there.
    with pytest.raises(FabricError, match="no longer in the store"):
        _request(library, other, API_OWNER)


@pytest.mark.parametrize("action", [{"do": "history"}, {"do": "presets"}, {"do": "weigh"}], ids=str)
def test_a_page_that_still_shows_it_is_emptied_by_its_next_press(library, press, other, action):
    (picture_id,) = other.ratings.pictures("liked")
    press(do="erase", overwrite=True)
    other(picture_id=picture_id, **action)
    assert not other.ratings
    assert library.erasing.measure("") == Stored()


def test_a_page_that_still_shows_it_can_go_on_rating(press, other):
    press(do="erase", overwrite=True)
    outcome = other(do="rate", index=2)
    assert outcome.note is None or not outcome.note.is_warning
    assert len(other.ratings) == 1


def test_undo_does_not_bring_it_back(library, press, other):
    press(do="erase", overwrite=True)
    outcome = other.undo()
    assert outcome.note is None
    assert not other.ratings
    assert library.erasing.measure("") == Stored()


def test_with_logins_the_others_keep_theirs(tmp_path):
    library = Library(tmp_path / ".fabric", has_logins=lambda: True)
    alice = Pressing(library, owner="alice")
    bob = Pressing(library, OTHER_PAGE, OTHER_BROWSER, owner="bob")
    for page in (alice, bob):
        page(do="rate", index=0)
    assert "for your login" in str(alice(do="erase").question)
    alice(do="erase", overwrite=True)
    assert len(_request(library, bob, "bob").ratings) == 1
    bob(do="history")
    assert len(bob.ratings) == 1
