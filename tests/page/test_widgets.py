"""The widgets of the settings, and what infotext makes of them."""

from __future__ import annotations

import gradio as gr
import pytest

from lib_fabric.page.widgets import SettingWidgets, infotext_fields
from lib_fabric.settings import FabricSettings, infotext_key
from tests.helpers.page_host import FakePageHost

SETTINGS = [field for field in FabricSettings.fields() if field.name != "enabled"]


def widgets(**host):
    with gr.Blocks():
        return SettingWidgets("txt2img", FakePageHost(**host)).build()


def test_there_is_a_widget_for_every_setting():
    assert widgets().keys() == {field.name for field in SETTINGS}


def test_a_start_value_goes_before_what_the_host_keeps():
    made = widgets(values_at_start={"strength": 1.2})
    assert made["strength"].value == 1.2
    # The host overwrites every other widget's value with that of ui-config.json.
    kept_out = {name for name, each in made.items() if hasattr(each, "do_not_save_to_config")}
    assert kept_out == {"strength"}


@pytest.mark.parametrize("field", SETTINGS, ids=lambda field: field.name)
def test_widgets_agree_with_the_settings(field):
    widget = widgets()[field.name]
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
    assert widget.label == field.label
    assert widget.webui_tooltip == field.help


def test_start_and_end_take_each_other_along():
    with gr.Blocks() as page:
        made = SettingWidgets("txt2img", FakePageHost()).build()
    start, end = made["start"]._id, made["end"]._id
    wired = {
        (each["trigger"], each["targets"][0], each["outputs"][0], each["js"])
        for each in page.dependencies
    }
    assert wired == {
        ("release", start, end, "(start, end) => Math.max(start, end)"),
        ("release", end, start, "(start, end) => Math.min(start, end)"),
    }
    assert all(each["inputs"] == [start, end] for each in page.dependencies)


def test_infotext_sets_settings_lists_and_the_tick():
    names = ["enabled", "liked", "disliked", *(field.name for field in SETTINGS)]
    fields = infotext_fields({name: name for name in names})
    read = dict(fields)
    assert read.keys() == set(names)
    # The same for every tab, which is how the host sends them from one to another.
    assert {component: str(key) for component, key in fields} == {
        name: infotext_key(name) for name in names
    }
    assert read["enabled"]({"FABRIC liked": "abc"}) is True
    assert read["enabled"]({"FABRIC disliked": "abc"}) is True
    assert read["enabled"]({"FABRIC strength": "0.5"}) is None
    assert read["strength"]({"FABRIC liked": "abc", "FABRIC strength": "1.5"}) == 1.5
    # A list that infotext leaves out was empty; without any, FABRIC did not make the picture.
    assert read["liked"]({"FABRIC liked": "abc"}) == "abc"
    assert read["disliked"]({"FABRIC liked": "abc"}) == ""
    assert read["liked"]({"FABRIC strength": "1.5"}) is None
