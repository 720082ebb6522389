"""The components of a tab: ids, classes, wiring, and what a press makes of them."""

from __future__ import annotations

import asyncio
import json

import gradio as gr
import pytest

from lib_fabric.arguments import argument_names
from lib_fabric.library.library import Library
from lib_fabric.page.tab import FabricTab
from lib_fabric.ratings import LIST_NAMES
from lib_fabric.settings import FabricSettings
from tests.helpers.page_edits import edited
from tests.helpers.page_host import FakePageHost, add_result_panel

SETTINGS = [field for field in FabricSettings.fields() if field.name != "enabled"]
SAVED_BY_THE_HOST = (gr.Slider, gr.Checkbox, gr.Dropdown, gr.Textbox, gr.Button)
RED = [{"name": "red", "is_file": True}]


def new_tab(folder, tab="txt2img", **host):
    return FabricTab(tab, Library(folder), FakePageHost(**host))


@pytest.fixture
def host():
    return FakePageHost()


@pytest.fixture
def built(library, host):
    with gr.Blocks() as page:
        made = FabricTab("txt2img", library, host)
        arguments = made.build()
        add_result_panel(made)
    return page, made, dict(zip([*argument_names(), "mark"], arguments, strict=True))


def own_blocks(page):
    return [
        block
        for block in page.blocks.values()
        if str(getattr(block, "elem_id", "")).startswith("txt2img_fabric_")
    ]


class Pressed:
    """A page whose hidden buttons are pressed through gradio, as by the browser.

    Attributes:
        shown: what every component shows, by the end of its element id.
    """

    def __init__(self, page):
        self._page = page
        self._ids = {block.elem_id: each for each, block in page.blocks.items() if block.elem_id}
        self.shown = {
            self._name(each): getattr(block, "value", None) for each, block in page.blocks.items()
        }

    def __call__(self, channel, **action):
        """Presses; returns what came back, by the end of the element id, and the reply."""
        button = self._ids[f"txt2img_fabric_{channel}"]
        index, wired = next(
            (index, each)
            for index, each in enumerate(self._page.dependencies)
            if button in each["targets"] and each["backend_fn"]
        )
        self.shown["action"] = json.dumps(action)
        sent = [self.shown[self._name(each)] for each in wired["inputs"]]
        told = asyncio.run(self._page.process_api(index, sent, state={}))["data"]
        values = dict(zip(map(self._name, wired["outputs"]), told, strict=True))
        # What a handler leaves out is an update of nothing.
        changed = {name: value for name, value in values.items() if not isinstance(value, dict)}
        lists = edited([self.shown[name] for name in LIST_NAMES], changed.pop("edits"))
        changed |= dict(zip(LIST_NAMES, lists, strict=True))
        self.shown |= changed
        return changed, json.loads(changed["reply"])

    def _name(self, number):
        elem_id = self._page.blocks[number].elem_id or ""
        return elem_id.removeprefix("txt2img_fabric_")


@pytest.fixture
def press(built):
    page, _, _ = built
    pressed = Pressed(page)
    pressed.shown |= {"txt2img_gallery": RED, "generation_info_txt2img": "{}"}
    return pressed


# ---- components ----------------------------------------------------------------------------------


def test_arguments_are_in_the_order_of_the_request(built):
    _, _, arguments = built
    assert list(arguments)[:3] == ["enabled", "liked", "disliked"]
    assert arguments["liked"].value == arguments["disliked"].value == ""
    # Host modules/scripts.py reads .label of every argument.
    assert all(hasattr(component, "label") for component in arguments.values())


def test_ids_carry_the_tab_and_never_end_as_the_hosts_galleries_do(built):
    page, _, _ = built
    ids = [block.elem_id for block in own_blocks(page)]
    assert len(ids) == len(set(ids))
    assert {"txt2img_fabric_like", "txt2img_fabric_dislike", "txt2img_fabric_lists"} <= set(ids)
    assert not [each for each in ids if each.endswith("_gallery")]


def test_no_element_has_an_id_of_sd_webui_fabric(built):
    """Its ids begin as its title does; some are on both tabs."""
    page, _, _ = built
    ids = [block.elem_id for block in page.blocks.values() if block.elem_id]
    assert not [each for each in ids if each == "fabric" or each.startswith("fabric_")]


@pytest.mark.parametrize(
    ("name", "css_class"),
    [
        ("accordion", "fabric-accordion"),
        ("counts", "fabric-counts-box"),
        ("note", "fabric-note-box"),
        ("lists", "fabric-lists"),
        ("history", "fabric-history"),
        ("presets", "fabric-presets-box"),
        ("relay", "fabric-relay"),
        ("like", "fabric-like"),
        ("dislike", "fabric-dislike"),
    ],
)
def test_one_class_names_a_component_in_both_tabs(tmp_path, name, css_class):
    with gr.Blocks() as page:
        for tab in ("txt2img", "img2img"):
            made = new_tab(tmp_path, tab)
            made.build()
            add_result_panel(made, tab)
    found = {
        block.elem_id for block in page.blocks.values() if css_class in (block.elem_classes or [])
    }
    assert found == {f"txt2img_fabric_{name}", f"img2img_fabric_{name}"}


def test_only_the_settings_land_in_the_hosts_config(built):
    page, _, _ = built
    saved = {
        block.elem_id.removeprefix("txt2img_fabric_")
        for block in own_blocks(page)
        if isinstance(block, SAVED_BY_THE_HOST)
        and not getattr(block, "do_not_save_to_config", False)
    }
    assert saved == {field.name for field in SETTINGS} | {"accordion-checkbox"}


def test_both_tabs_fit_on_one_page(tmp_path):
    with gr.Blocks() as page:
        for tab in ("txt2img", "img2img"):
            made = new_tab(tmp_path, tab)
            made.build()
            add_result_panel(made, tab)
    ids = [block.elem_id for block in page.blocks.values() if block.elem_id]
    assert len(ids) == len(set(ids))


def test_thumbs_are_made_and_wired_once(tmp_path):
    with gr.Blocks() as page:
        made = new_tab(tmp_path)
        made.build()
        before = len(page.dependencies)
        add_result_panel(made)
        wired = len(page.dependencies)
        add_result_panel(made)
    # Two thumbs, Compare, one relay and the three that follow its answer.
    assert wired - before == 7
    assert len(page.dependencies) == wired


def test_build_stands_alone(tmp_path):
    """With --api the host calls ui() in throw-away pages that have no gallery."""
    with gr.Blocks() as page:
        arguments = new_tab(tmp_path).build()
    assert len(arguments) == len(argument_names()) + 1, "and the mark"
    assert page.get_config_file()["dependencies"]


# ---- presses -------------------------------------------------------------------------------------


def test_a_press_sets_what_has_changed_and_leaves_the_rest(press):
    told, answer = press("rate", do="rate", to="liked", index=0, number=3)
    assert told["liked"] == answer["rated"]
    assert answer["number"] == 3
    assert told["disliked"] == ""
    assert told["accordion-checkbox"] is True
    assert "1 👍" in told["counts"]
    assert answer["tiles"].keys() == {told["liked"]}
    assert "data:image/jpeg;base64," in answer["tiles"][told["liked"]]
    assert answer["note"] is None
    assert told.keys().isdisjoint({"history", "presets", *(field.name for field in SETTINGS)})


def test_a_refused_press_keeps_the_box_and_the_lists(press, host):
    press.shown |= {"liked": "a" * 64, "disliked": f"{'b' * 64}*0.5", "accordion-checkbox": True}
    told, answer = press("edit", do="nonsense")
    assert (told["liked"], told["disliked"]) == ("a" * 64, f"{'b' * 64}*0.5")
    assert "accordion-checkbox" not in told
    assert "did not understand" in answer["note"]["text"]
    assert host.toasts == [(answer["note"]["text"], True)]


def test_a_picture_whose_file_is_gone_is_shown_as_lost(tmp_path, press):
    press("rate", do="rate", index=0)
    for path in tmp_path.rglob("*.png"):
        path.unlink()
    told, answer = press("edit", do="tiles", lacks=press.shown["liked"])
    assert "fabric-lost" in answer["tiles"][told["liked"]]


def test_an_open_history_comes_with_every_answer(press):
    told, answer = press("rate", do="rate", index=0, shows_history=True)
    picture_id = answer["rated"]
    assert picture_id in told["history"]
    told, _ = press("edit", do="forget", picture_id=picture_id, shows_history=True)
    assert "Every picture that you rate is kept here" in told["history"]


def test_a_preset_brings_settings_and_pictures_back(press):
    _, answer = press("rate", do="rate", index=0)
    picture_id = answer["rated"]
    press("edit", do="weigh", picture_id=picture_id, weight=0.5)
    press.shown["strength"] = 1.5
    told, _ = press("edit", do="save", name="Warm <b>", shows_presets=True)
    assert "Warm &lt;b&gt;" in told["presets"]
    press("edit", do="clear", to="liked")
    press.shown |= {"strength": 0.1, "accordion-checkbox": False}
    told, _ = press("edit", do="load", name="warm <B>")
    assert told["liked"] == f"{picture_id}*0.5"
    assert told["strength"] == 1.5
    assert told["end"] == 0.8
    assert told["accordion-checkbox"] is True


def test_logins_are_those_that_the_host_tells(press, host, library):
    host.user = "ann"
    press("rate", do="rate", index=0)
    assert library.history.count("ann", "txt2img") == 1
    assert library.history.count("", "txt2img") == 0
