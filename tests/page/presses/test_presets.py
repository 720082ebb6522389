"""Presses in the list of presets."""

from __future__ import annotations

import base64
import contextlib
import sqlite3
from dataclasses import replace

import pytest

from lib_fabric.library.library import Library
from lib_fabric.page.panels import Panels
from lib_fabric.page.presses import presets
from tests.helpers.page_host import Pressing


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
    monkeypatch.setattr(presets, "MAX_IMPORT_BYTES", size - 1)
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


def test_a_damaged_preset_is_shown_beside_the_others_and_deleted(saved, library, tmp_path):
    saved(do="save", name="Cold")
    (index,) = tmp_path.rglob("history.sqlite3")
    with contextlib.closing(sqlite3.connect(index)) as connection, connection:
        connection.execute("UPDATE presets SET content = '{' WHERE folded_name = 'cold'")
    html = Panels(library, lambda _owner: lambda _: b"").presets(saved.page)
    assert 'data-name="Warm"' in html
    assert 'data-name="cold"' in html
    assert saved(do="load", name="cold").note.text == (
        "This preset is damaged. Delete it and save it again."
    )
    saved(do="delete", name="cold")
    assert library.presets.names("") == ["Warm"]
