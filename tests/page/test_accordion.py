"""The accordion and the thumbs: components, ids, settings, infotext, and the wiring's values."""

from __future__ import annotations

import json

import gradio as gr
import pytest

from lib_fabric.arguments import argument_names
from lib_fabric.settings import FabricSettings, infotext_key
from tests.helpers.fake_page import add_result_panel, new_ui

SETTINGS = [field for field in FabricSettings.fields() if field.name != "enabled"]
SAVED_BY_THE_HOST = (gr.Slider, gr.Checkbox, gr.Dropdown, gr.Textbox, gr.Button)


@pytest.fixture
def built(tmp_path):
    with gr.Blocks() as page:
        ui = new_ui(tmp_path)
        arguments = ui.build()
        add_result_panel(ui)
    return page, ui, arguments


def own_blocks(page):
    return [
        block
        for block in page.blocks.values()
        if str(getattr(block, "elem_id", "")).startswith("txt2img_fabric_")
    ]


def _targets(dependency):
    """Component ids; plain ids or pairs with the event's name, by version of gradio."""
    return [each if isinstance(each, int) else each[0] for each in dependency["targets"]]


def by_id(page, elem_id):
    return next(block for block in page.blocks.values() if block.elem_id == elem_id)


def test_arguments_are_in_the_order_of_the_request(built):
    _, _, arguments = built
    by_name = dict(zip(argument_names(), arguments, strict=True))
    assert list(by_name)[:3] == ["enabled", "liked", "disliked"]
    assert by_name["liked"].value == by_name["disliked"].value == ""
    # Host modules/scripts.py reads .label of every argument.
    assert all(hasattr(component, "label") for component in arguments)


def test_a_start_value_goes_before_what_the_host_keeps(tmp_path):
    with gr.Blocks():
        arguments = new_ui(tmp_path, start_values={"strength": 1.2}).build()
    widgets = dict(zip(argument_names(), arguments, strict=True))
    assert widgets["strength"].value == 1.2
    # The host overwrites every other widget's value with that of ui-config.json.
    kept_out = {name for name, each in widgets.items() if hasattr(each, "do_not_save_to_config")}
    assert kept_out == {"strength", "liked", "disliked"}


@pytest.mark.parametrize("field", FabricSettings.fields(), ids=lambda field: field.name)
def test_widgets_agree_with_the_settings(built, field):
    _, _, arguments = built
    widget = dict(zip(argument_names(), arguments, strict=True))[field.name]
    assert widget.value == field.default
    assert type(widget.value) is type(field.default)
    if field.kind == "bool":
        assert isinstance(widget, gr.Checkbox)
    elif field.kind == "choice":
        assert isinstance(widget, gr.Dropdown)
        assert tuple(widget.choices) == field.choices
    else:
        bounds = (widget.minimum, widget.maximum, widget.step)
        assert bounds == (field.minimum, field.maximum, field.step)
    if field.name != "enabled":
        assert widget.label == field.label
        assert widget.webui_tooltip == field.help


def test_ids_carry_the_tab_and_never_end_as_the_hosts_galleries_do(built):
    page, _, _ = built
    ids = [block.elem_id for block in own_blocks(page)]
    assert len(ids) == len(set(ids))
    assert {"txt2img_fabric_like", "txt2img_fabric_dislike", "txt2img_fabric_lists"} <= set(ids)
    assert not [each for each in ids if each.endswith("_gallery")]


def test_only_the_settings_land_in_the_hosts_config(built):
    page, _, _ = built
    saved = {
        block.elem_id.removeprefix("txt2img_fabric_")
        for block in own_blocks(page)
        if isinstance(block, SAVED_BY_THE_HOST)
        and not getattr(block, "do_not_save_to_config", False)
    }
    names = {field.name for field in FabricSettings.fields()} - {"enabled"}
    assert saved == names | {"accordion-checkbox"}


def test_infotext_fields(built):
    _, ui, arguments = built
    names = dict(zip(arguments, argument_names(), strict=True))
    readers = {names[component]: read for component, read in ui.infotext_fields}
    settings = [field.name for field in FabricSettings.fields()]
    assert readers.keys() == {*settings, "liked", "disliked"}
    assert ui.paste_field_names == [infotext_key(name) for name in settings if name != "enabled"]
    assert readers["enabled"]({"FABRIC liked": "abc"}) is True
    assert readers["enabled"]({"FABRIC disliked": "abc"}) is True
    assert readers["enabled"]({"FABRIC strength": "0.5"}) is None
    assert readers["strength"]({"FABRIC liked": "abc", "FABRIC strength": "1.5"}) == 1.5
    # A list that infotext leaves out was empty; without any, FABRIC did not make the picture.
    assert readers["liked"]({"FABRIC liked": "abc"}) == "abc"
    assert readers["disliked"]({"FABRIC liked": "abc"}) == ""
    assert readers["liked"]({"FABRIC strength": "1.5"}) is None


def test_both_tabs_fit_on_one_page(tmp_path):
    with gr.Blocks() as page:
        for tab in ("txt2img", "img2img"):
            ui = new_ui(tmp_path, tab)
            ui.build()
            add_result_panel(ui, tab)
    ids = [block.elem_id for block in page.blocks.values() if block.elem_id]
    assert len(ids) == len(set(ids))


def test_thumbs_are_made_and_wired_once(tmp_path):
    with gr.Blocks() as page:
        ui = new_ui(tmp_path)
        ui.build()
        before = len(page.dependencies)
        add_result_panel(ui)
        wired = len(page.dependencies)
        add_result_panel(ui)
    # Two thumbs, one relay and what follows its answer.
    assert wired - before == 4
    assert len(page.dependencies) == wired


def test_build_stands_alone(tmp_path):
    """With --api the host calls ui() in throw-away pages that have no gallery."""
    with gr.Blocks() as page:
        arguments = new_ui(tmp_path).build()
    assert len(arguments) == len(argument_names())
    assert page.get_config_file()["dependencies"]


def outputs_of(page, button):
    """What a press on a relay button gives, by the elements' short ids."""
    relay = by_id(page, f"txt2img_fabric_{button}")._id
    wired = next(each for each in page.dependencies if relay in _targets(each))
    ids = [page.blocks[each].elem_id for each in wired["outputs"]]
    return [each.removeprefix("txt2img_fabric_") for each in ids]


@pytest.fixture
def press(built):
    """`press(text, enabled, liked, disliked, ...)`: the outputs of a press by short id."""
    page, ui, _ = built

    def edit(text, enabled, liked, disliked):
        settings = [widget.value for widget in ui._settings.values()]
        values = ui._answer_edit(None, text, enabled, liked, disliked, *settings)
        return dict(zip(outputs_of(page, "edit"), values, strict=True))

    def rate(text, enabled, liked, disliked, entries, info):
        values = ui._answer_rating(None, text, enabled, liked, disliked, entries, info)
        return dict(zip(outputs_of(page, "rate"), values, strict=True))

    return lambda *values: (rate if len(values) == 6 else edit)(*values)


def test_a_press_gives_a_value_for_every_output(press):
    entries = [{"name": "red", "is_file": True}]
    text = json.dumps({"do": "rate", "to": "liked", "index": 0, "number": 3})
    out = press(text, False, None, None, entries, "{}")
    answer = json.loads(out["reply"])
    assert answer["liked"] == [out["liked"]] == [answer["rated"]]
    assert answer["texts"] == [out["liked"], ""]
    assert answer["number"] == 3
    assert out["disliked"] == ""
    assert out["accordion-checkbox"]["value"] is True
    assert "1 👍" in out["counts"]
    assert out["liked"] in out["lists"]
    assert "data:image/jpeg;base64," in out["lists"]
    assert out["note"] == ""
    assert "value" not in out["history"]
    assert all("value" not in out[field.name] for field in SETTINGS)


def test_a_refused_press_keeps_the_box_and_the_lists(press):
    out = press("{}", True, "a" * 64, f"{'b' * 64}*0.5")
    assert (out["liked"], out["disliked"]) == ("a" * 64, f"{'b' * 64}*0.5")
    assert "value" not in out["accordion-checkbox"]
    assert "did not understand" in out["note"]
    assert json.loads(out["reply"])["note"]


def test_a_picture_whose_file_is_gone_is_shown_as_lost(tmp_path, press):
    entries = [{"name": "red", "is_file": True}]
    liked = press('{"do": "rate", "index": 0}', True, "", "", entries, "")["liked"]
    for path in tmp_path.rglob("*.png"):
        path.unlink()
    assert "fabric-lost" in press('{"do": "clear", "to": "disliked"}', True, liked, "")["lists"]


def test_an_open_history_comes_with_every_answer(press):
    entries = [{"name": "red", "is_file": True}]
    shown = '"shows_history": true'
    out = press(f'{{"do": "rate", "index": 0, {shown}}}', True, "", "", entries, "")
    assert out["liked"] in out["history"]
    out = press(f'{{"do": "forget", "picture_id": "{out["liked"]}", {shown}}}', True, "", "")
    assert "Every picture that you rate is kept here" in out["history"]


def test_a_preset_brings_settings_and_pictures_back(built, press):
    _, ui, _ = built
    entries = [{"name": "red", "is_file": True}]
    liked = press('{"do": "rate", "index": 0}', True, "", "", entries, "")["liked"]
    ui._settings["strength"].value = 1.5
    out = press('{"do": "save", "name": "Warm <b>"}', True, f"{liked}*0.5", "")
    assert "Warm &lt;b&gt;" in out["presets"]
    ui._settings["strength"].value = 0.1
    out = press('{"do": "load", "name": "warm <B>"}', False, "", "")
    assert out["liked"] == f"{liked}*0.5"
    assert out["strength"]["value"] == 1.5
    assert out["end"]["value"] == 0.8
    assert out["accordion-checkbox"]["value"] is True


def test_an_unreadable_history_is_said_and_costs_nothing(tmp_path, press):
    (tmp_path / "history.sqlite3").mkdir()
    out = press('{"do": "history", "shows_history": true}', True, "a" * 64, "")
    assert out["liked"] == "a" * 64
    assert "value" not in out["history"]
    assert "fabric-warning" in out["note"]
