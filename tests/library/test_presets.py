"""Presets: names that people write, nothing replaced unasked, nobody else's seen."""

import json
import unicodedata
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lib_fabric.errors import FabricError
from lib_fabric.library import presets as presets_module
from lib_fabric.library.library import Library
from lib_fabric.library.preset import Preset, check_name
from lib_fabric.ratings import Rated, Ratings
from lib_fabric.settings import FabricSettings
from lib_fabric.visible_text import is_visible
from tests.helpers.databases import after_next_write
from tests.helpers.pictures import image, picture_id, rated
from tests.helpers.presets import all_presets, preset_names

DEFAULTS = {each.name: each.default for each in FabricSettings.fields()}


@pytest.fixture
def presets(library):
    for seed in range(3):
        library.store.add(image(seed))
    return library.presets


def _preset(strength=1.5, seed=1):
    return Preset("", {"strength": strength}, Ratings(rated(picture_id(seed), weight=0.5)))


def _strengths(presets, owner=""):
    return {each.name: each.settings["strength"] for each in all_presets(presets, owner)}


def _refusal(function, *args, status_code=422):
    with pytest.raises(FabricError) as caught:
        function(*args)
    assert caught.value.status_code == status_code
    return str(caught.value)


def _change(library, sql, *values):
    library.database.write(lambda connection: connection.execute(sql, values))


# ---- names ---------------------------------------------------------------------------------------

TEXTS = st.text(
    st.characters() | st.sampled_from("eé\u0301\u0300ßİ \t\n\0\u2028\ud800"), max_size=100
)


@given(text=TEXTS)
@example("e\u0301" * 80)
@example("e\u0301" * 81)
@example("\u0344" * 80)  # twice as long in its one Unicode form
def test_a_name_is_one_line_in_one_form_or_refused(text):
    form = unicodedata.normalize("NFC", text.strip())
    bad = any(unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") for each in form)
    if form and len(form) <= 80 and not bad and is_visible(form):
        assert check_name(text) == form
        assert check_name(form) == form
    else:
        assert _refusal(check_name, text).startswith(("Give the preset", "A preset's name may"))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "Give the preset a name."),
        (" \t\n\u3000", "Give the preset a name."),
        (" " * 100_000, "Give the preset a name."),
        ("x" * 81, "A preset's name may have at most 80 characters."),
        ("x" * 10_000_000, "A preset's name may have at most 80 characters."),
        # Not cut to what would fit.
        ("x" + " " * 2000 + "y", "A preset's name may have at most 80 characters."),
        ("a\nb", "A preset's name may not hold line breaks or control characters."),
        ("a\0", "A preset's name may not hold line breaks or control characters."),
        ("a\x7fb", "A preset's name may not hold line breaks or control characters."),
        ("a\u2028b", "A preset's name may not hold line breaks or control characters."),
        ("a\udfffb", "A preset's name may not hold line breaks or control characters."),
        (None, "a preset's name must be text, not None."),
        (["a"], "a preset's name must be text, not a list of 1."),
        (b"a", "a preset's name must be text, not b'a'."),
    ],
)
def test_what_is_no_name_is_refused_everywhere(presets, name, sentence):
    presets.save("", "Good", _preset())
    for function in (
        check_name,
        partial(presets.load, ""),
        partial(presets.delete, ""),
        partial(presets.rename, "", "Good"),
        lambda each: presets.rename("", each, "Other"),
        lambda each: presets.save("", each, _preset()),
        lambda each: presets.save("", each, _preset(), True),
    ):
        assert _refusal(function, name) == sentence
    assert preset_names(presets) == ["Good"]


@pytest.mark.parametrize(
    "name",
    [
        "\u200b",
        "\u202e\u2066",
        "\u0301",
        "\ufe0f",
        "\U000e0041\U000e007f",
        "\u3164",
        "\u200d \u00ad",
    ],
)
def test_a_name_that_nobody_sees_is_refused_but_an_old_one_can_be_deleted(presets, library, name):
    presets.save("", "Good", _preset())
    for function in (
        check_name,
        partial(presets.rename, "", "Good"),
        lambda each: presets.save("", each, _preset()),
        lambda each: presets.save("", each, _preset(), True),
    ):
        assert _refusal(function, name) == "Give the preset a name that can be seen."
    assert preset_names(presets) == ["Good"]
    # As an earlier version saved it.
    for sql in (
        "UPDATE presets SET folded_name = ?",
        "UPDATE presets SET content = replace(content, 'Good', ?)",
    ):
        _change(library, sql, name)
    assert presets.load("", name).name == name
    presets.delete("", preset_names(presets)[0])
    assert preset_names(presets) == []


@pytest.mark.parametrize(
    "name", ["x" * 80, " " * 5000 + "x" + " " * 5000, "../../x", "a'; DROP--", "%", "👩‍🎨"]
)
def test_any_other_text_is_a_name_and_no_path(presets, library, name):
    before = {each.name for each in library.database.folder.iterdir()}
    saved = presets.save("", name, _preset())
    assert saved.name == name.strip()
    assert preset_names(presets) == [name.strip()]
    assert presets.load("", name) == saved
    folder = library.database.folder
    assert {each.name for each in folder.iterdir()} - before == {
        "history.sqlite3",
        "history.sqlite3-journal",
        "presets",
    }
    (record,) = (folder / "presets").iterdir()
    assert set(record.stem) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Warm", "wARM"),
        ("ÉTÉ", "été"),
        ("e\u0301", "\u00e9"),
        ("E\u0301", "\u00e9"),
        ("Straße", "STRASSE"),
        ("ΟΔΟΣ", "οδος"),
        (" Warm ", "warm"),
    ],
)
def test_names_differ_in_more_than_case_and_form(presets, first, second):
    name = presets.save("", first, _preset(1.0)).name
    assert _refusal(presets.save, "", second, _preset(2.0)) == (
        f"There is a preset {check_name(second)!r} already."
    )
    assert _strengths(presets) == {name: 1.0}
    assert presets.load("", second).name == name
    presets.delete("", second)
    assert preset_names(presets) == []


def test_names_come_in_alphabetical_order_whatever_their_case(presets):
    for name in ("b", "C", "a", "B2"):
        presets.save("", name, _preset())
    assert preset_names(presets) == ["a", "b", "B2", "C"]


# ---- saving --------------------------------------------------------------------------------------


def test_what_was_saved_comes_back_also_in_a_new_process(presets, tmp_path):
    ratings = Ratings(
        (Rated(picture_id(2), 2.0), Rated(picture_id(0), 0.0)), (Rated(picture_id(1), 1 / 3),)
    )
    saved = presets.save("", "Warm", Preset("", {"strength": 1.5, "hires": True}, ratings))
    again = Library(tmp_path / ".fabric").presets.load("", "Warm")
    assert again == saved
    assert again.ratings == ratings
    assert again.settings == {**DEFAULTS, "strength": 1.5, "hires": True}


def test_saving_over_a_preset_has_to_be_asked_for(presets):
    presets.save("", "Warm", _preset(1.0, 1))
    _refusal(presets.save, "", "Warm", _preset(2.0, 2))
    assert _strengths(presets) == {"Warm": 1.0}
    presets.save("", "WARM", _preset(2.0, 2), overwrite=True)
    assert _strengths(presets) == {"WARM": 2.0}
    assert presets.load("", "warm").ratings == Ratings(rated(picture_id(2), weight=0.5))
    presets.save("", "New", _preset(0.5), overwrite=True)
    assert _strengths(presets) == {"New": 0.5, "WARM": 2.0}


@pytest.mark.parametrize(
    ("preset", "sentence"),
    [
        (Preset("", {"strength": 3}), "'strength' must be 0 to 2, not 3."),
        (Preset("", {"strength": float("nan")}), "'strength' must be 0 to 2, not nan."),
        (Preset("", {"hires": 1}), "'hires' must be true or false, not 1."),
        (
            Preset("", {"enabled": True, "start": 0.9, "end": 0.1}),
            "'start' (0.9) must not be after 'end' (0.1).",
        ),
        (Preset("", {"odd": 1}), f"unknown setting 'odd'. Known: {', '.join(DEFAULTS)}."),
        (
            Preset("", {}, Ratings(rated("0" * 64))),
            f"picture '{'0' * 16}' is no longer in the store. Rate it again.",
        ),
        (
            Preset("", {}, Ratings((), rated(picture_id(1), "../x"))),
            "picture '../x' is no longer in the store. Rate it again.",
        ),
        (
            Preset("", {}, Ratings(rated(picture_id(1)[:16]))),
            f"'{picture_id(1)[:16]}' is not the id of a picture.",
        ),
        (
            Preset("", {}, Ratings(rated(picture_id(1), weight=2.5))),
            "'weight' must be 0 to 2, not 2.5.",
        ),
        (
            Preset("", {}, Ratings(rated(picture_id(1)), rated(picture_id(1)))),
            f"picture '{picture_id(1)[:16]}' is named twice.",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_and_changes_nothing(presets, preset, sentence):
    presets.save("", "Warm", _preset(1.0))
    assert _refusal(presets.save, "", "New", preset) == sentence
    assert _refusal(presets.save, "", "Warm", preset, True) == sentence
    assert _strengths(presets) == {"Warm": 1.0}


def test_a_preset_of_a_picture_whose_file_is_gone_still_loads(presets, library):
    presets.save("", "Warm", _preset())
    library.store.delete([picture_id(1)], spare_seconds=0)
    assert presets.load("", "Warm").ratings == Ratings(rated(picture_id(1), weight=0.5))


def test_the_number_of_presets_is_bounded_for_each_owner(presets, monkeypatch):
    monkeypatch.setattr(presets_module, "MAX_PRESETS_EACH_OWNER", 3)
    for number in range(3):
        presets.save("", f"Preset {number}", _preset())
    sentence = "There are 3 presets already. Delete one before saving another."
    assert _refusal(presets.save, "", "Other", _preset()) == sentence
    assert _refusal(presets.save, "", "Other", _preset(), True) == sentence
    # What makes no more of them goes on.
    presets.save("", "preset 0", _preset(2.0), overwrite=True)
    presets.rename("", "Preset 1", "Renamed")
    presets.save("ann", "Other", _preset())
    presets.delete("", "Preset 2")
    presets.save("", "Other", _preset())
    assert preset_names(presets) == ["Other", "preset 0", "Renamed"]


# ---- renaming and deleting -----------------------------------------------------------------------


def test_a_preset_is_renamed_with_all_it_holds(presets):
    saved = presets.save("", "Warm", _preset())
    assert presets.rename("", "warm", " Cold ") == replace(saved, name="Cold")
    assert presets.load("", "Cold") == replace(saved, name="Cold")
    assert _refusal(presets.load, "", "Warm") == "There is no preset 'Warm'."


@pytest.mark.parametrize(
    "leave", [lambda presets: presets.delete("", "Warm"),
              lambda presets: presets.rename("", "Warm", "Cold")]
)  # fmt: skip
def test_a_name_taken_again_while_its_preset_goes_keeps_its_file(
    presets, library, monkeypatch, leave
):
    """Between the row's end and the file's, another thread may come."""
    presets.save("", "Warm", _preset(1.0))
    after_next_write(library.database, monkeypatch, lambda: presets.save("", "warm", _preset(0.5)))
    leave(presets)
    (library.database.folder / "history.sqlite3").unlink()
    assert _strengths(Library(library.database.folder).presets)["warm"] == 0.5


def test_a_preset_is_renamed_to_another_case_of_its_name(presets):
    presets.save("", "warm", _preset())
    presets.rename("", "WARM", "Warm")
    assert preset_names(presets) == ["Warm"]
    presets.rename("", "Warm", "Warm")
    assert preset_names(presets) == ["Warm"]


def test_renaming_never_replaces_a_preset(presets):
    presets.save("", "Warm", _preset(1.0))
    presets.save("", "Cold", _preset(2.0))
    assert _refusal(presets.rename, "", "Warm", "COLD") == "There is a preset 'COLD' already."
    assert _strengths(presets) == {"Cold": 2.0, "Warm": 1.0}


def test_what_is_not_there_is_neither_renamed_nor_deleted(presets):
    presets.save("", "Warm", _preset())
    for function in (presets.load, presets.delete, lambda *key: presets.rename(*key, "New")):
        assert _refusal(function, "", "Cold") == "There is no preset 'Cold'."
    assert preset_names(presets) == ["Warm"]


def test_deleting_leaves_the_pictures(presets, library):
    presets.save("", "Warm", _preset())
    presets.delete("", "Warm")
    assert preset_names(presets) == []
    assert picture_id(1) in library.store


def test_a_new_index_holds_what_was_there_last(presets, library):
    """What was renamed or deleted does not come back from its file."""
    for name in ("Kept", "Renamed", "Deleted", "Case"):
        presets.save("", name, _preset(1.0))
    presets.save("ann", "Kept", _preset(0.5))
    presets.save("", "kept", _preset(2.0), overwrite=True)
    presets.rename("", "Renamed", "New")
    presets.rename("", "Case", "CASE")
    presets.delete("", "Deleted")
    (library.database.folder / "history.sqlite3").unlink()
    again = Library(library.database.folder).presets
    assert _strengths(again) == {"CASE": 1.0, "kept": 2.0, "New": 1.0}
    assert _strengths(again, "ann") == {"Kept": 0.5}


def test_a_file_that_is_no_presets_costs_no_other(presets, library):
    presets.save("", "Warm", _preset(1.0))
    for key in ((), ("",), ("", "cold", "more")):
        presets.backups.write(key, "{}")
    (library.database.folder / "history.sqlite3").unlink()
    assert _strengths(Library(library.database.folder).presets) == {"Warm": 1.0}


def test_a_copy_of_a_file_and_half_a_character_cost_nothing(presets, library):
    """A copy such as other programs leave beside a file must not win over the file itself."""
    presets.save("", "Warm", _preset(1.0))
    folder = library.database.folder
    (record,) = (folder / "presets").iterdir()
    record.with_name("zzz.json").write_bytes(record.read_bytes())
    presets.save("", "Warm", _preset(2.0), overwrite=True)
    halves = presets.backups.path(("", "cold"))
    halves.write_text(json.dumps({"key": ["", "cold"], "text": "\ud800"}))
    (folder / "history.sqlite3").unlink()
    assert _strengths(Library(folder).presets) == {"Warm": 2.0}


def test_owners_are_apart(presets):
    presets.save("ann", "Warm", _preset(1.0))
    presets.save("bob", "warm", _preset(2.0))
    assert preset_names(presets) == []
    for function in (presets.load, presets.delete, lambda *key: presets.rename(*key, "New")):
        assert _refusal(function, "", "Warm") == "There is no preset 'Warm'."
    presets.rename("ann", "Warm", "Cold")
    presets.delete("bob", "WARM")
    assert _strengths(presets, "ann") == {"Cold": 1.0}
    assert preset_names(presets, "bob") == []


# ---- another version's, and damaged ones ---------------------------------------------------------


def test_a_preset_that_calls_itself_by_anothers_name_can_be_seen_and_deleted(presets, library):
    for name in ("Warm", "Cold"):
        presets.save("", name, _preset())
    _change(library, "UPDATE presets SET content = replace(content, 'Warm', 'Cold')")
    assert preset_names(presets) == ["Cold", "warm"]
    presets.delete("", "warm")
    assert preset_names(presets) == ["Cold"]


def _with_settings(library, **settings):
    """Changes the settings of the preset 'Warm' as another version may have written them."""
    read = "SELECT content FROM presets WHERE folded_name = 'warm'"
    (text,) = library.database.read(lambda connection: connection.execute(read).fetchone())
    content = json.loads(text)
    content["settings"] = settings
    _change(library, "UPDATE presets SET content = ?", json.dumps(content))


def test_settings_of_another_version_are_left_out(presets, library):
    presets.save("", "Warm", _preset())
    _with_settings(library, strength=1.25, of_another_version=[1])
    loaded = presets.load("", "Warm")
    assert loaded.settings == {**DEFAULTS, "strength": 1.25}
    assert loaded.ratings == Ratings(rated(picture_id(1), weight=0.5))


def test_a_value_that_this_version_does_not_allow_is_left_to_whoever_loads_it(presets, library):
    presets.save("", "Warm", _preset())
    _with_settings(library, strength=5)
    assert presets.load("", "Warm").settings == {**DEFAULTS, "strength": 5}
    assert preset_names(presets) == ["Warm"]


@pytest.mark.parametrize(
    "content",
    [
        *(
            "",
            "{",
            "null",
            "[]",
            "1",
            "{}",
            "\0",
            "[" * 100_000,
            '{"name": "Warm", "settings": []}',
        ),
        # Not empty lists, which would empty the page's without a word.
        *(
            json.dumps({"name": "Warm", "settings": {}, "pictures": pictures})
            for pictures in (1, "", "{}", '{"liked": [["x", 1]], "disliked": []}')
        ),
    ],
)
def test_a_damaged_preset_is_named_and_goes_when_it_is_deleted(presets, library, content):
    presets.save("", "Warm", _preset())
    presets.save("", "Other", _preset())
    _change(library, "UPDATE presets SET content = ? WHERE folded_name = 'warm'", content)
    damaged = "This preset is damaged. Delete it and save it again."
    assert _refusal(presets.load, "", "Warm", status_code=500) == damaged
    assert [each.casefold() for each in preset_names(presets)] == ["other", "warm"]
    presets.delete("", "Warm")
    assert preset_names(presets) == ["Other"]


def test_pictures_of_every_preset_count_as_needed(presets, library):
    presets.save("", "Warm", _preset(seed=1))
    presets.save("ann", "Cold", Preset("", {}, Ratings((), rated(picture_id(2)))))
    assert library.database.read(presets.picture_ids) == {picture_id(1), picture_id(2)}
