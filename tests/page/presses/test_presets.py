"""Presses in the list of presets."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import sqlite3
import zipfile
from dataclasses import replace

import pytest

from lib_fabric.library import preset_archive
from lib_fabric.library.imports.webui_fabric import FoundPresets
from lib_fabric.library.library import Library
from lib_fabric.page.actions import Action
from lib_fabric.page.panels import Panels
from lib_fabric.ratings import Ratings
from lib_fabric.settings import FabricSettings
from tests.helpers.page_host import Pressing
from tests.helpers.pictures import image, picture_id, rated
from tests.helpers.presets import preset_names


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
    saved(do="rename", name="Warm", new_name="Cold")
    assert preset_names(library.presets) == ["Cold"]
    saved.page = replace(saved.page, settings={"strength": 0.5})
    saved(do="save", name="Cold", overwrite=True)
    assert saved(do="load", name="Cold").settings["strength"] == 0.5
    saved(do="delete", name="Cold")
    assert preset_names(library.presets) == []
    assert saved(do="load", name="Cold").note.text == "There is no preset 'Cold'."


def test_a_preset_needs_a_picture_and_a_name(press, library):
    assert press(do="save", name="Empty").note.text.startswith("Rate a picture first")
    press(do="rate", index=0)
    assert press(do="save", name="  ").note.text == "Give the preset a name."
    assert preset_names(library.presets) == []


def test_whether_to_replace_is_asked_only_where_all_else_is_right(saved, library, tmp_path):
    """An answer to a question must not be told that it was for nothing."""
    assert saved(do="save", name="warm").question.parameters == ("Warm",)
    (path,) = tmp_path.rglob("*.png")
    path.unlink()
    lost = saved(do="save", name="warm")
    assert (lost.question, lost.note.is_warning) == (None, True)
    saved(do="clear")
    empty = saved(do="save", name="warm")
    assert empty.question is None
    assert empty.note.text.startswith("Rate a picture first")


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
    monkeypatch.setattr(preset_archive, "MAX_ARCHIVE_BYTES", size - 1)
    outcome = saved(do="export", name="Warm")
    assert outcome.download is None
    assert outcome.note.text.endswith("Save one with fewer pictures.")


def test_an_import_never_replaces_a_preset(saved, library):
    text = base64.b64encode(saved(do="export", name="Warm").download.data).decode()
    for _ in range(2):
        saved(do="import", data=text)
    assert preset_names(library.presets) == ["Warm", "Warm (2)", "Warm (3)"]


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
    *_, outcome = [saved(do="import", name="Warm.zip", **part) for part in parts]
    assert outcome.note.text == "Warm.zip: The file did not arrive whole. Choose it again."
    assert preset_names(library.presets) == ["Warm"]


def test_a_file_that_is_no_preset_is_refused(saved):
    text = base64.b64encode(b"no zip").decode()
    outcome = saved(do="import", name="C:\\bad.zip", data=text)
    assert outcome.note.text == "bad.zip: This file is not a preset, or it is damaged."
    assert outcome.note.message.to_json() == [
        "{}: {}",
        "bad.zip",
        ["This file is not a preset, or it is damaged."],
    ]


def test_presets_of_another_login_are_not_seen(saved, library):
    stranger = Pressing(library, owner="ann")
    for do in ("load", "export", "delete"):
        assert stranger(do=do, name="Warm").note.text == "There is no preset 'Warm'."
    assert preset_names(library.presets) == ["Warm"]


def test_a_damaged_preset_is_shown_beside_the_others_and_deleted(saved, library, tmp_path):
    saved(do="save", name="Cold")
    (index,) = tmp_path.rglob("history.sqlite3")
    with contextlib.closing(sqlite3.connect(index)) as connection, connection:
        connection.execute("UPDATE presets SET content = '{' WHERE folded_name = 'cold'")
    html = Panels(library, lambda _owner: lambda _: b"").presets(saved.page, Action("presets"))
    assert 'data-name="Warm"' in html
    assert 'data-name="cold"' in html
    assert saved(do="load", name="cold").note.text == (
        "This preset is damaged. Delete it and save it again."
    )
    saved(do="delete", name="cold")
    assert preset_names(library.presets) == ["Warm"]


# ---- one notion of the same name -----------------------------------------------------------------

NAMESAKES = [
    ("Warm", "wARM"),
    ("straße", "STRASSE"),
    ("caf\u00e9", "CAFE\u0301"),
    ("ﬁsh", "FISH"),
    # Alike only once what upper and lower case leave is composed again.
    ("ß\u0307", "S\u1e60"),
]


@pytest.fixture
def rated_page(press):
    press(do="rate", index=0)
    return press


@pytest.mark.parametrize(("name", "same"), NAMESAKES)
def test_a_name_that_is_taken_is_asked_about_and_then_replaced(rated_page, library, name, same):
    rated_page(do="save", name=name)
    rated_page(do="rate", index=1)
    outcome = rated_page(do="save", name=f" {same} ")
    kept = preset_names(library.presets)
    assert str(outcome.question) == f"Replace the preset {kept[0]}?"
    assert outcome.note is None
    assert not outcome.presets_changed
    assert len(library.presets.load("", name).ratings) == 1
    # On yes the page presses again.
    outcome = rated_page(do="save", name=same, overwrite=True)
    assert outcome.question is None
    assert len(preset_names(library.presets)) == 1
    assert len(library.presets.load("", name).ratings) == 2


@pytest.mark.parametrize(("name", "same"), NAMESAKES)
def test_an_import_of_a_name_that_is_taken_gets_a_number(rated_page, library, name, same):
    rated_page(do="save", name=same)
    text = base64.b64encode(rated_page(do="export", name=same).download.data).decode()
    rated_page(do="delete", name=same)
    rated_page(do="save", name=name)
    rated_page(do="import", data=text)
    rated_page(do="import", data=text)
    assert len(preset_names(library.presets)) == 3
    assert rated_page(do="load", name=f"{same} (2)").note is None
    assert rated_page(do="load", name=f"{same} (3)").note is None


def test_a_name_is_free_for_another_login(rated_page, library):
    rated_page(do="save", name="Warm")
    stranger = Pressing(library, owner="ann")
    stranger(do="rate", index=0)
    assert stranger(do="save", name="Warm").question is None
    assert preset_names(library.presets, "ann") == ["Warm"]


# ---- what widgets and limits allow ---------------------------------------------------------------


def test_a_preset_of_more_pictures_than_now_fit_brings_the_newest_and_says_so(press):
    ids = [press(do="rate", to="liked", index=index).picture_id for index in range(3)]
    press(do="save", name="Warm")
    press.host.limit = 2
    outcome = press(do="load", name="Warm")
    assert outcome.ratings.pictures("liked") == tuple(ids[1:])
    assert outcome.note.text == (
        "Each list may hold at most 2 here, so the oldest pictures were left out."
    )
    # Nothing is lost: the preset still has them.
    press.host.limit = 3
    assert press(do="load", name="Warm").ratings.pictures("liked") == tuple(ids)


def keep_settings(tmp_path, **settings):
    """Puts into the only preset what another version of FABRIC may have kept."""
    (index,) = tmp_path.rglob("history.sqlite3")
    with contextlib.closing(sqlite3.connect(index)) as connection, connection:
        ((content,),) = connection.execute("SELECT content FROM presets")
        changed = json.dumps({**json.loads(content), "settings": settings})
        connection.execute("UPDATE presets SET content = ?", (changed,))


def test_a_preset_whose_start_is_after_its_end_is_put_in_order(press, tmp_path):
    press(do="rate", index=0)
    press(do="save", name="Late")
    keep_settings(tmp_path, start=0.9, end=0.1, strength=1.5)
    outcome = press(do="load", name="Late")
    found = {name: outcome.settings[name] for name in ("start", "end", "strength")}
    assert found == {"start": 0.1, "end": 0.9, "strength": 1.5}
    assert outcome.note.text == "Start was after End, so the two have changed places."
    FabricSettings.from_mapping({"enabled": True, **outcome.settings})


def test_a_preset_of_values_out_of_range_is_mended_and_can_be_imported_again(saved, tmp_path):
    keep_settings(tmp_path, strength=9, merge=2.5, method="newer", later_setting=1)
    outcome = saved(do="load", name="Warm")
    found = {name: outcome.settings[name] for name in ("strength", "merge", "method", "end")}
    assert found == {"strength": 2.0, "merge": 2, "method": "paper", "end": 0.8}
    assert outcome.note.text == (
        "Strength may be 0 to 2, so 2 is used instead of 9. "
        "Method had no value that can be used, so its default is used: paper. "
        "Merge tokens may be 1 to 8, so 2 is used instead of 2.5."
    )
    FabricSettings.from_mapping({"enabled": True, **outcome.settings})
    text = base64.b64encode(saved(do="export", name="Warm").download.data).decode()
    assert saved(do="import", data=text).note.text == "Imported as Warm (2)."


def test_what_a_widget_shows_out_of_range_is_saved_as_it_counts(press):
    press(do="rate", index=0)
    press.page = replace(press.page, settings={"strength": 3, "end": None})
    assert press(do="save", name="Strong").note.text == "Saved as Strong."
    outcome = press(do="load", name="Strong")
    assert (outcome.settings["strength"], outcome.settings["end"]) == (2.0, 0.8)
    assert outcome.note is None


def test_all_that_was_mended_is_said(press, tmp_path):
    for index in range(2):
        press(do="rate", to="liked", index=index)
    press(do="save", name="Late")
    keep_settings(tmp_path, start=0.9, end=0.1)
    press.host.limit = 1
    note = press(do="load", name="Late").note
    assert note.text.startswith("Each list may hold at most 1 here")
    assert note.text.endswith("changed places.")
    # Two whole sentences, each with a translation of its own.
    assert [each[0][:4] for each in note.message.to_json()[1:]] == ["Each", "Star"]


# ---- presets of another extension ----------------------------------------------------------------


@pytest.fixture
def left(library, tmp_path, monkeypatch):
    """What sd-webui-fabric has left in the WebUI: one picture and two presets of it."""
    folder = tmp_path / "webui" / "log" / "fabric"
    for part in ("images", "presets"):
        (folder / part).mkdir(parents=True)
    image(3).save(folder / "images" / "3.png")
    text = json.dumps({"liked_paths": ["3.png", "gone.png"], "disliked_paths": []})
    for name in ("Cold", "Warm"):
        (folder / "presets" / f"{name}.json").write_text(text, "utf-8")
    found = FoundPresets([tmp_path / "webui"], tmp_path / "offered")
    monkeypatch.setattr(library, "found_presets", found)
    return folder


def test_what_another_extension_has_left_is_taken_over_in_one_press(left, press, library):
    assert press(do="save", name="x").note.is_warning
    press(do="rate", index=0)
    press(do="save", name="Warm")
    told = press(do="adopt")
    assert told.note.text == (
        "Imported as Cold, Warm (2). Files left out, since they cannot be read: 1."
    )
    assert told.presets_changed
    assert told.ratings == press.ratings
    assert preset_names(library.presets, "") == ["Cold", "Warm", "Warm (2)"]
    assert library.presets.load("", "Warm (2)").ratings == Ratings(rated(picture_id(3)))
    assert library.found_presets.num_offered("") == 0


def test_what_another_extension_has_left_can_be_declined(left, press, library):
    assert library.found_presets.num_offered("") == 2
    assert press(do="decline").presets_changed
    assert library.found_presets.num_offered("") == 0
    assert preset_names(library.presets, "") == []


def test_a_packed_folder_of_another_extension_is_imported_as_presets_are(left, press, library):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(left.rglob("*.*")):
            archive.write(path, path.relative_to(left.parent))
    data = base64.b64encode(buffer.getvalue()).decode()
    told = press(do="import", name="fabric.zip", part=0, parts=1, data=data)
    assert told.note.text.startswith("Imported as Cold, Warm. Files left out")
    assert preset_names(library.presets, "") == ["Cold", "Warm"]
