"""Two logins at one WebUI: whatever one page says, it gets no picture of the other's."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from lib_fabric.library.library import Library
from lib_fabric.page.actions import Action
from lib_fabric.page.outcome import Outcome
from lib_fabric.page.rendering import Rendering
from lib_fabric.ratings import Ratings
from tests.helpers.page_host import OTHER_BROWSER, OTHER_PAGE, Pressing
from tests.helpers.pictures import rated
from tests.helpers.presets import preset_names


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path / ".fabric", has_logins=lambda: True)


@pytest.fixture
def alice(library):
    """Has rated one picture and saved it as a preset."""
    page = Pressing(library, owner="alice")
    page(do="rate", index=0)
    page(do="save", name="Hers")
    return page


@pytest.fixture
def bob(library):
    return Pressing(library, OTHER_PAGE, OTHER_BROWSER, owner="bob")


@pytest.fixture
def secret(alice):
    """The id of Alice's picture."""
    (picture_id,) = alice.ratings.pictures("liked")
    return picture_id


def _shown(library, page, **outcome):
    """What the page shows of its lists, its history and its presets."""
    lacks = " ".join(each.picture for each in page.ratings)
    asked = Action("history", shows_history=True, shows_presets=True, lacks=lacks)
    given = Outcome(page.ratings, action=asked, presets_changed=True, **outcome)
    values = Rendering(library, page.host).values(given, page.page)
    tiles = json.loads(values["reply"])["tiles"]
    return ["".join(tiles.values()), values["history"], values["presets"]]


def test_each_sees_the_own(alice, library, secret):
    assert [html.count("data:image/jpeg") for html in _shown(library, alice)] == [1, 1, 1]
    alice(do="unrate", index=0)
    assert alice(do="sync", liked=secret[:16], disliked="").ratings == Ratings(rated(secret))


@pytest.mark.parametrize("asked", [slice(16), slice(64)], ids=["short", "whole"])
@pytest.mark.parametrize("do", ["sync", "restore"])
def test_lists_that_infotext_or_undo_name_come_without_anothers(bob, secret, do, asked):
    own = bob(do="rate", index=1).picture_id
    outcome = bob(do=do, liked=f"{own} {secret[asked]}", disliked="")
    assert outcome.ratings == Ratings(rated(own))


def test_infotext_with_anothers_picture_says_what_is_missing(bob, secret):
    note = bob(do="sync", liked=secret[:16], disliked="").note
    assert note.text == f"Picture {secret[:16]} is no longer in the store. The rest is set."


def test_a_page_that_claims_anothers_picture_sees_it_nowhere(bob, library, secret):
    bob.page = replace(bob.page, ratings=Ratings(rated(secret)))
    bob(do="move", picture_id=secret, to="disliked")
    bob(do="activate", picture_id=secret, to="liked")
    bob(do="weigh", picture_id=secret, weight=2)
    assert bob(do="save", name="Mine").note.is_warning
    html = "".join(_shown(library, bob))
    assert "data:image" not in html
    assert library.history.count("bob", "txt2img") == 0
    assert preset_names(library.presets, "bob") == []
    assert bob(do="open").ratings == Ratings()


def test_undo_writes_no_entry_of_anothers_picture(bob, library, secret, alice):
    alice(do="forget", picture_id=secret)
    change = json.loads(alice.reply["change"])
    assert change["picture_id"] == secret
    bob(do="restore", change=json.dumps(change))
    assert library.history.count("bob", "txt2img") == 0


def test_what_both_bring_is_both_theirs(bob, alice, library, secret):
    assert bob(do="rate", index=0).picture_id == secret
    bob(do="unrate", index=0)
    assert bob(do="sync", liked=secret, disliked="").ratings == Ratings(rated(secret))
    alice(do="unrate", index=0)
    assert alice(do="sync", liked=secret, disliked="").ratings == Ratings(rated(secret))


def test_whoever_is_given_the_file_has_the_pictures(bob, alice, secret):
    archive = alice(do="export", name="Hers").download
    text = base64.b64encode(archive.data).decode()
    assert bob(do="import", part=0, parts=1, data=text).note.text == "Imported as Hers."
    assert bob(do="load", name="Hers").ratings == Ratings(rated(secret))


def test_a_picture_for_which_the_list_has_no_room_is_not_kept(press, library):
    """Nor one whose rating is taken back."""
    press.host.limit = 1
    press(do="rate", index=0)
    assert press(do="rate", index=1).note.is_warning
    assert press(do="unrate", index=2).note is None
    assert len(list(library.store.longest_unused(spare_seconds=0))) == 1
