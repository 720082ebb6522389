"""The accordion and the thumbs: components, ids, settings, infotext, and the wiring's values."""

from __future__ import annotations

import json

import gradio as gr
import pytest
from PIL import Image

from lib_fabric.request import argument_names
from lib_fabric.settings import FabricSettings, infotext_key
from lib_fabric.store import PictureStore
from lib_fabric.ui import FabricUi, Toolkit

SAVED_BY_THE_HOST = (gr.Slider, gr.Checkbox, gr.Textbox, gr.Button)


class FakeAccordion(gr.Checkbox):
    """The parts of the host's InputAccordion that the extension uses."""

    def __init__(self, value, label, elem_id):
        super().__init__(value, label=label, elem_id=f"{elem_id}-checkbox", visible=False)
        self._accordion = gr.Accordion(label, elem_id=elem_id, open=value)
        self._elem_id = elem_id

    def extra(self):
        return gr.Column(elem_id=f"{self._elem_id}-extra")

    def __enter__(self):
        self._accordion.__enter__()
        return self

    def __exit__(self, *exception):
        self._accordion.__exit__(*exception)

    def get_block_name(self):
        return "checkbox"


def read_gallery(entry):
    return Image.new("RGB", (16, 24), entry["name"])


def new_ui(store_folder, tab="txt2img"):
    return FabricUi(
        tab, PictureStore(store_folder), Toolkit(FakeAccordion, gr.Button, read_gallery)
    )


def add_result_panel(ui, tab="txt2img"):
    """The host's components in the host's order, each reported as the host does."""
    with gr.Row():
        for component in (
            gr.Gallery(elem_id=f"{tab}_gallery"),
            gr.Button(elem_id=f"{tab}_send_to_extras"),
            gr.Textbox(elem_id=f"generation_info_{tab}"),
        ):
            ui.after_component(component, component.elem_id)


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
    assert by_name["liked"].value == by_name["disliked"].value == []
    assert isinstance(by_name["liked"], gr.State)
    # Host modules/scripts.py reads .label of every argument.
    assert all(hasattr(component, "label") for component in arguments)


@pytest.mark.parametrize("field", FabricSettings.fields(), ids=lambda field: field.name)
def test_widgets_agree_with_the_settings(built, field):
    _, _, arguments = built
    widget = dict(zip(argument_names(), arguments, strict=True))[field.name]
    assert widget.value == field.default
    assert type(widget.value) is type(field.default)
    if field.kind == "bool":
        assert isinstance(widget, gr.Checkbox)
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
    assert readers.keys() == {field.name for field in FabricSettings.fields()}
    assert ui.paste_field_names == [infotext_key(name) for name in readers if name != "enabled"]
    assert readers["enabled"]({"FABRIC liked": "abc"}) is True
    assert readers["enabled"]({"FABRIC disliked": "abc"}) is True
    assert readers["enabled"]({"FABRIC strength": "0.5"}) is None
    assert readers["strength"]({"FABRIC liked": "abc", "FABRIC strength": "1.5"}) == 1.5


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


def test_a_press_gives_a_value_for_every_output(built):
    page, ui, _ = built
    relay = by_id(page, "txt2img_fabric_rate")._id
    wired = next(each for each in page.dependencies if relay in _targets(each))
    entries = [{"name": "red", "is_file": True}]
    text = json.dumps({"do": "rate", "to": "liked", "index": 0, "number": 3})
    values = ui._answer(text, False, None, None, entries, "{}")
    assert len(values) == len(wired["outputs"])
    liked, disliked, enabled, counts, lists, note, reply = values
    answer = json.loads(reply)
    assert answer["liked"] == liked == [answer["rated"]]
    assert answer["number"] == 3
    assert disliked == []
    assert enabled["value"] is True
    assert "1 👍" in counts
    assert liked[0] in lists
    assert "data:image/jpeg;base64," in lists
    assert note == ""


def test_a_refused_press_keeps_the_box_and_the_lists(built):
    _, ui, _ = built
    liked, disliked, enabled, *_, note, reply = ui._answer("{}", True, ["a" * 64], ["b" * 64])
    assert (liked, disliked) == (["a" * 64], ["b" * 64])
    assert "value" not in enabled
    assert "did not understand" in note
    assert json.loads(reply)["note"]


def test_the_lists_are_never_changed_in_place(built):
    """A running generation still reads the lists it was started with."""
    _, ui, _ = built
    before = ["a" * 64]
    text = json.dumps({"do": "remove", "id": "a" * 64})
    assert ui._answer(text, True, before, [])[0] == []
    assert before == ["a" * 64]


def test_a_picture_whose_file_is_gone_is_shown_as_lost(tmp_path, built):
    _, ui, _ = built
    entries = [{"name": "red", "is_file": True}]
    liked, *_ = ui._answer('{"do": "rate", "index": 0}', True, [], [], entries, "")
    for path in tmp_path.rglob("*.png"):
        path.unlink()
    lists = ui._answer('{"do": "clear", "to": "disliked"}', True, liked, [])[4]
    assert "fabric-lost" in lists
