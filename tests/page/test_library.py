"""What presses leave behind: history, active sets, presets; and what undo makes of them."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import replace

import pytest
from PIL import Image

from lib_fabric.errors import FabricError
from lib_fabric.library.history_entry import Details
from lib_fabric.library.library import Library
from lib_fabric.page import presets as ui_presets
from lib_fabric.page.actions import ShownPictures
from lib_fabric.page.answers import Answerer
from lib_fabric.page.outcome import Page
from lib_fabric.page.panels import Panels
from lib_fabric.page.relay import reply_json
from lib_fabric.rating_texts import format_list
from lib_fabric.ratings import LIST_NAMES, Ratings
from tests.helpers.pictures import rated

COLOURS = ("red", "green", "blue", "white")
PAGE, OTHER_PAGE, BROWSER, OTHER_BROWSER = (digit * 32 for digit in "abcd")


def read_gallery(entry):
    return Image.new("RGB", (24, 16), entry["name"])


def shown():
    entries = [{"name": name, "data": None, "is_file": True} for name in COLOURS]
    return ShownPictures.from_client(entries, "{}")


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path / "fabric")


class Pressing:
    """One page: `press(do=..., ...)` returns the outcome and remembers the ratings."""

    def __init__(self, library, key=PAGE, browser=BROWSER, **page):
        self._answerer = Answerer(library, read_gallery, lambda _: Details("a circle", 7, "tiny"))
        self._keys = {"page": key, "browser": browser}
        self.page = Page(Ratings(), is_enabled=True, shown=shown(), **page)

    def __call__(self, **action):
        self._before = self.page.ratings
        outcome = self._answerer.answer(json.dumps({**self._keys, **action}), self.page)
        self.page = replace(self.page, ratings=outcome.ratings)
        self._change = json.loads(reply_json(outcome, outcome.note, 64))["change"]
        return outcome

    def undo(self):
        """Undoes the press before, as fabric.js does."""
        lists = {name: format_list(self._before.of(name)) for name in LIST_NAMES}
        return self(do="restore", **lists, change=self._change)

    @property
    def ratings(self):
        return self.page.ratings


@pytest.fixture
def press(library):
    return Pressing(library)


def history(library, owner="", tab="txt2img"):
    return {each.picture_id: each.verdict for each in library.history.page(owner, tab)}


# ---- history -------------------------------------------------------------------------------------


def test_a_rating_is_recorded_with_how_the_picture_was_made(press, library):
    picture_id = press(do="rate", index=0).picture_id
    (rating,) = library.history.page("", "txt2img")
    assert (rating.picture_id, rating.verdict) == (picture_id, "liked")
    assert rating.details == Details("a circle", 7, "tiny")


def test_the_history_follows_a_change_of_mind_and_keeps_the_details(press, library):
    picture_id = press(do="rate", index=0).picture_id
    press(do="move", to="disliked", picture_id=picture_id)
    (rating,) = library.history.page("", "txt2img")
    assert (rating.verdict, rating.details.seed) == ("disliked", 7)


@pytest.mark.parametrize("do", ["remove", "clear"])
def test_what_is_taken_out_of_the_lists_stays_in_the_history(press, library, do):
    picture_id = press(do="rate", index=0).picture_id
    press(do=do, picture_id=picture_id)
    assert not press.ratings
    assert history(library) == {picture_id: "liked"}


def test_a_thumb_pressed_again_leaves_nothing_in_the_history(press, library):
    press(do="rate", index=0)
    press(do="unrate", index=0)
    assert history(library) == {}


def test_forgetting_takes_a_picture_out_of_both(press, library):
    kept, gone = (press(do="rate", index=index).picture_id for index in range(2))
    press(do="forget", picture_id=gone)
    assert history(library) == {kept: "liked"}
    assert press.ratings == Ratings(rated(kept))


def test_a_thumb_in_the_history_puts_a_picture_in_and_out(press, library):
    picture_id = press(do="rate", index=0).picture_id
    press(do="clear")
    assert press(do="activate", to="liked", picture_id=picture_id).ratings.liked == rated(
        picture_id
    )
    assert press(do="activate", to="disliked", picture_id=picture_id).ratings.disliked == rated(
        picture_id
    )
    assert history(library) == {picture_id: "disliked"}
    assert not press(do="activate", to="disliked", picture_id=picture_id).ratings
    assert history(library) == {picture_id: "disliked"}


def test_only_a_picture_of_the_store_can_be_activated(press):
    outcome = press(do="activate", picture_id="0" * 64)
    assert not outcome.ratings
    assert outcome.note.text == "That picture's file is gone."


def test_activating_keeps_a_picture_from_the_limit_on_the_store(press, library):
    """Between the press and the saved list, the limit may look for what is not used."""
    picture_id = press(do="rate", index=0).picture_id
    press(do="clear")
    path = next(library.store._folder.glob("*/*.png"))
    os.utime(path, (1000, 1000))
    press(do="activate", picture_id=picture_id, to="liked")
    assert library.store.longest_unused() == []


def test_logins_and_tabs_keep_their_own_history(library):
    for owner in ("", "ann", "bob"):
        for tab in ("txt2img", "img2img"):
            if (owner, tab) != ("bob", "img2img"):
                Pressing(library, owner=owner, tab=tab)(do="rate", index=0)
    assert len(history(library, "ann", "img2img")) == 1
    assert history(library, "bob", "img2img") == {}


# ---- weights and undo ----------------------------------------------------------------------------


def test_a_weight_is_set_kept_when_moved_and_lost_when_removed(press):
    picture_id = press(do="rate", index=0).picture_id
    press(do="weigh", picture_id=picture_id, weight=0.25)
    assert press.ratings.liked == rated(picture_id, weight=0.25)
    press(do="move", to="disliked", picture_id=picture_id)
    assert press.ratings.disliked == rated(picture_id, weight=0.25)
    press(do="remove", picture_id=picture_id)
    assert press(do="rate", index=0).ratings.liked == rated(picture_id)


def test_a_weight_of_1_is_no_weight(press):
    picture_id = press(do="rate", index=0).picture_id
    press(do="weigh", picture_id=picture_id, weight=2)
    assert press(do="weigh", picture_id=picture_id, weight=1).ratings == Ratings(rated(picture_id))


@pytest.mark.parametrize("weight", [-0.1, 2.1, 1e308, 10**400])
def test_a_wrong_weight_changes_nothing(press, weight):
    picture_id = press(do="rate", index=0).picture_id
    outcome = press(do="weigh", picture_id=picture_id, weight=weight)
    assert outcome.ratings == Ratings(rated(picture_id))
    assert outcome.note.is_warning


def test_undoing_a_rating_takes_it_out_of_the_history(press, library):
    first = press(do="rate", index=0).picture_id
    before = press.ratings
    press(do="rate", to="disliked", index=1)
    press.undo()
    assert press.ratings == before
    assert history(library) == {first: "liked"}


def test_undoing_a_change_of_mind_brings_the_verdict_back(press, library):
    picture_id = press(do="rate", index=0).picture_id
    press(do="weigh", picture_id=picture_id, weight=0.5)
    before = press.ratings
    press(do="rate", to="disliked", index=0)
    press.undo()
    assert press.ratings == before
    assert history(library) == {picture_id: "liked"}


@pytest.mark.parametrize("do", ["unrate", "forget", "rate", "move"])
def test_undo_brings_the_entry_of_the_history_back_as_it_was(press, library, do):
    picture_id = press(do="rate", index=0).picture_id
    entries = library.history.page("", "txt2img")
    before = press.ratings
    press(do=do, index=0, picture_id=picture_id, to="disliked")
    assert library.history.page("", "txt2img") != entries
    press.undo()
    assert press.ratings == before
    assert library.history.page("", "txt2img") == entries


def test_undo_keeps_the_entry_that_a_picture_had_before_it_was_rated_again(press, library):
    press(do="rate", index=0)
    press(do="clear")
    entries = library.history.page("", "txt2img")
    press(do="rate", index=0)
    press.undo()
    assert not press.ratings
    assert library.history.page("", "txt2img") == entries


def test_undo_leaves_what_another_page_has_rated_since(press, library):
    other = Pressing(library, OTHER_PAGE)
    picture_id = press(do="rate", index=0).picture_id
    other(do="rate", index=0, to="disliked")
    press.undo()
    assert history(library) == {picture_id: "disliked"}


def test_undo_on_one_page_takes_nothing_of_another_login(press, library):
    picture_id = press(do="rate", index=0).picture_id
    press(do="unrate", index=0)
    stranger = Pressing(library, owner="ann")
    stranger(do="restore", change=press._change)
    assert history(library) == {}
    assert history(library, "ann") == {picture_id: "liked"}


@pytest.mark.parametrize(
    "change",
    ["", "x", "[]", "{}", "[" * 100_000]
    + [
        json.dumps({"picture_id": "", "before": None, "after": None, **odd})
        for odd in (
            {"picture_id": "../x"},
            {"picture_id": None},
            {"picture_id": []},
            {"before": ""},
            {"before": "x"},
            {"before": {}},
            {"after": "now"},
            {"after": float("nan")},
            {"before": [{"verdict": "liked"}]},
        )
    ],
)
def test_undo_survives_whatever_a_page_sends_as_a_change(press, library, change):
    picture_id = press(do="rate", index=0).picture_id
    outcome = press(
        do="restore", change=change.replace('"picture_id": ""', f'"picture_id": "{picture_id}"')
    )
    assert outcome.note is None
    assert history(library) == {picture_id: "liked"}


def test_undoing_anything_else_leaves_the_history(press, library):
    picture_id = press(do="rate", index=0).picture_id
    press(do="clear")
    press(do="activate", to="liked", picture_id=picture_id)
    press(do="restore", liked="", disliked="")
    assert not press.ratings
    assert history(library) == {picture_id: "liked"}


def test_undo_drops_pictures_that_are_gone_meanwhile(press):
    press(do="restore", liked="0" * 64, disliked="1" * 64)
    assert not press.ratings


# ---- active sets ---------------------------------------------------------------------------------


def test_a_reload_brings_lists_and_weights_back(press, library):
    picture_id = press(do="rate", index=0).picture_id
    press(do="weigh", picture_id=picture_id, weight=1.5)
    again = Pressing(library)(do="open", was_on=True)
    assert again.ratings == press.ratings
    assert again.switch_on
    assert not Pressing(library)(do="open").switch_on


def test_an_emptied_page_stays_empty(press, library):
    press(do="rate", index=0)
    press(do="clear")
    outcome = Pressing(library)(do="open", was_on=True)
    assert not outcome.ratings
    assert not outcome.switch_on


def test_a_new_page_starts_with_the_browsers_last_set_and_goes_its_own_way(press, library):
    press(do="rate", index=0)
    second = Pressing(library, OTHER_PAGE)
    assert second(do="open").ratings == press.ratings
    second(do="rate", index=1)
    assert len(Pressing(library)(do="open").ratings) == 1
    assert len(Pressing(library, OTHER_PAGE)(do="open").ratings) == 2


@pytest.mark.parametrize(
    "page",
    [
        {"key": OTHER_PAGE, "browser": OTHER_BROWSER},
        {"owner": "ann"},
        {"tab": "img2img"},
    ],
)
def test_nobody_else_gets_the_set(press, library, page):
    press(do="rate", index=0)
    assert not Pressing(library, **page)(do="open").ratings


def test_a_page_without_keys_works_and_is_not_kept(library):
    nameless = Pressing(library, key="", browser="../../x")
    assert len(nameless(do="rate", index=0).ratings) == 1
    assert not Pressing(library, key="", browser="../../x")(do="open").ratings


# ---- infotext ------------------------------------------------------------------------------------


def test_short_ids_become_whole_ones_and_missing_pictures_are_named(press):
    picture_id = press(do="rate", index=0).picture_id
    texts = {"liked": f"{picture_id[:16]}*0.5 {'0' * 16}", "disliked": "1" * 64}
    outcome = press(do="sync", **texts)
    assert outcome.ratings == Ratings(rated(picture_id, weight=0.5))
    assert outcome.note.text == (
        f"Pictures {'0' * 16}, {'1' * 16} are no longer in the store. The rest is set."
    )


def test_a_picture_named_in_both_lists_counts_as_liked(press):
    picture_id = press(do="rate", index=0).picture_id
    outcome = press(do="sync", liked=picture_id[:16], disliked=picture_id)
    assert outcome.ratings == Ratings(rated(picture_id))


def test_lists_from_infotext_win_over_those_that_an_answer_has_put_there_meanwhile(press):
    first, second = (press(do="rate", index=each).picture_id for each in (0, 1))
    assert press.ratings == Ratings(rated(first, second))
    assert press(do="sync", liked=second, disliked="").ratings == Ratings(rated(second))


def test_lists_from_infotext_outlast_the_page(press, library):
    picture_id = press(do="rate", index=0).picture_id
    # The fields of the page hold them already when they are asked about.
    press.page = replace(press.page, ratings=Ratings((), rated(picture_id)))
    press(do="sync", disliked=picture_id)
    assert Pressing(library)(do="open").ratings == Ratings((), rated(picture_id))


# ---- presets -------------------------------------------------------------------------------------


@pytest.fixture
def saved(press):
    """A page with a preset 'Warm': one liked picture of half weight, strength 1.5."""
    picture_id = press(do="rate", index=0).picture_id
    press(do="weigh", picture_id=picture_id, weight=0.5)
    press.page = replace(press.page, settings={"strength": 1.5})
    assert press(do="save", name=" Warm ").note.text == "Saved as Warm."
    return press


def test_a_preset_brings_pictures_weights_and_settings(saved):
    before = saved.ratings
    saved(do="clear")
    outcome = saved(do="load", name="Warm")
    assert outcome.ratings == before
    assert outcome.settings["strength"] == 1.5
    assert "enabled" not in outcome.settings


def test_loading_switches_on(saved):
    saved.page = replace(saved.page, is_enabled=False)
    assert saved(do="load", name="Warm").switch_on


def test_presets_are_renamed_replaced_and_deleted(saved, library):
    assert saved(do="save", name="warm").note.is_warning
    saved(do="rename", name="Warm", new_name="Cold")
    assert library.presets.names("") == ["Cold"]
    saved.page = replace(saved.page, settings={"strength": 0.5})
    saved(do="save", name="Cold", overwrite=True)
    assert saved(do="load", name="Cold").settings["strength"] == 0.5
    saved(do="delete", name="Cold")
    assert library.presets.names("") == []
    assert saved(do="load", name="Cold").note.text == "There is no preset 'Cold'."


def test_a_preset_needs_a_picture_and_a_name(press, library):
    assert press(do="save", name="Empty").note.text.startswith("Rate a picture first")
    press(do="rate", index=0)
    assert press(do="save", name="  ").note.text == "Give the preset a name."
    assert library.presets.names("") == []


def test_an_exported_preset_is_imported_elsewhere(saved, tmp_path):
    archive = saved(do="export", name="Warm").download
    assert archive.name == "Warm.fabric.zip"
    elsewhere = Library(tmp_path / "elsewhere")
    other = Pressing(elsewhere)
    size = len(archive.data) // 3 + 1
    parts = [archive.data[start : start + size] for start in range(0, len(archive.data), size)]
    for part, data in enumerate(parts):
        text = base64.b64encode(data).decode()
        outcome = other(do="import", part=part, parts=len(parts), data=text)
    assert outcome.note.text == "Imported as Warm."
    loaded = other(do="load", name="Warm")
    assert loaded.ratings == saved.ratings
    assert loaded.settings["strength"] == 1.5
    assert all(elsewhere.store.load(each) for each in loaded.ratings.pictures("liked"))


def test_what_could_not_be_imported_is_not_exported(saved, monkeypatch):
    size = len(saved(do="export", name="Warm").download.data)
    monkeypatch.setattr(ui_presets, "MAX_IMPORT_BYTES", size - 1)
    outcome = saved(do="export", name="Warm")
    assert outcome.download is None
    assert outcome.note.text.endswith("cannot be exported. Save one with fewer pictures.")


def test_an_import_never_replaces_a_preset(saved, library):
    text = base64.b64encode(saved(do="export", name="Warm").download.data).decode()
    for _ in range(2):
        saved(do="import", data=text)
    assert library.presets.names("") == ["Warm", "Warm (2)", "Warm (3)"]


@pytest.mark.parametrize(
    "parts",
    [
        [{"part": 1, "parts": 2, "data": "AAAA"}],
        [{"part": 0, "parts": 0, "data": "AAAA"}],
        [{"part": -1, "parts": 1, "data": "AAAA"}],
        [{"part": 0, "parts": 2, "data": "AAAA"}, {"part": 0, "parts": 1, "data": "!"}],
        [{"part": 0, "parts": 3, "data": "AAAA"}, {"part": 2, "parts": 3, "data": "AAAA"}],
    ],
)
def test_a_cut_import_is_said_and_forgotten(saved, library, parts):
    *_, outcome = [saved(do="import", **part) for part in parts]
    assert outcome.note.text == "The file did not arrive whole. Import it again."
    assert library.presets.names("") == ["Warm"]


def test_a_file_that_is_no_preset_is_refused(saved):
    outcome = saved(do="import", data=base64.b64encode(b"no zip").decode())
    assert outcome.note.text == "This file is not a preset, or it is damaged."


def test_presets_of_another_login_are_not_seen(saved, library):
    stranger = Pressing(library, owner="ann")
    for do in ("load", "export", "delete"):
        assert stranger(do=do, name="Warm").note.text == "There is no preset 'Warm'."
    assert library.presets.names("") == ["Warm"]


def test_a_damaged_preset_is_shown_beside_the_others_and_deleted(saved, library):
    saved(do="save", name="Cold")
    library._database.write(
        lambda connection: connection.execute(
            "UPDATE presets SET content = '{' WHERE folded_name = 'cold'"
        )
    )
    html = Panels(library, lambda _: b"").presets(saved.page)
    assert 'data-name="Warm"' in html
    assert 'data-name="cold"' in html
    assert saved(do="load", name="cold").note.text == (
        "This preset is damaged. Delete it and save it again."
    )
    saved(do="delete", name="cold")
    assert library.presets.names("") == ["Warm"]


# ---- a failing disk ------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["history", "active_sets"])
def test_a_rating_outlives_a_disk_that_fails_beside_it(press, library, monkeypatch, part):
    def fail(*_args, **_kwargs):
        raise FabricError("the disk is full.", status_code=500)

    method = "record" if part == "history" else "save"
    monkeypatch.setattr(getattr(library, part), method, fail)
    outcome = press(do="rate", index=0)
    assert outcome.ratings.liked == rated(outcome.picture_id)
    assert outcome.note.text == "Rated, but it will not outlast this page: the disk is full."
