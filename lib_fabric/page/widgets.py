"""The widgets of the settings, and what infotext makes of them.

Knows gradio and the settings; not ratings, not the library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import gradio as gr

from lib_fabric.infotext import read_enabled
from lib_fabric.page.host import PageHost
from lib_fabric.ratings import LIST_NAMES
from lib_fabric.settings import FabricSettings, SettingField, infotext_key, read_infotext

Reader = Callable[[Mapping[str, object]], object]
# Which settings share a row; one that is not named here gets a line of its own below.
STRENGTH_ROW = ("strength", "negative_scale")
SCHEDULE_ROW = ("start", "end", "min_strength")
SPEED_ROW = ("merge", "max_tokens", "refresh")


class SettingWidgets:
    """Makes the widgets of one tab."""

    def __init__(self, tab: str, host: PageHost) -> None:
        self._tab = tab
        self._host = host
        self._start_values = host.start_values()

    def build(self) -> dict[str, Any]:
        """The widgets of every setting but `enabled`, by name."""
        fields = {field.name: field for field in FabricSettings.fields()}
        in_rows = ("enabled", *STRENGTH_ROW, *SCHEDULE_ROW, *SPEED_ROW)
        widgets = self._row("strength", [fields[name] for name in STRENGTH_ROW])
        with gr.Accordion("Schedule", open=False, elem_id=self._id("schedule")):
            widgets |= self._row("schedule", [fields[name] for name in SCHEDULE_ROW])
        self._keep_in_order(widgets["start"], widgets["end"])
        for name, field in fields.items():
            if name not in in_rows:
                widgets[name] = self._widget(field)
        with gr.Accordion("Speed", open=False, elem_id=self._id("speed")):
            widgets |= self._row("speed", [fields[name] for name in SPEED_ROW])
        return widgets

    def _keep_in_order(self, start: gr.Slider, end: gr.Slider) -> None:
        """Lets the slider that was moved take the other one along."""
        both = [start, end]
        # Released, not changed: of 0.5 typed into a field the first digit is a 0.
        for moved, other, limit in ((start, end, "max"), (end, start, "min")):
            moved.release(
                fn=None,
                inputs=both,
                outputs=[other],
                **self._host.javascript(f"(start, end) => Math.{limit}(start, end)"),
            )

    def _row(self, name: str, fields: list[SettingField]) -> dict[str, Any]:
        with gr.Row(elem_id=self._id(f"{name}_row"), elem_classes=[f"fabric-{name}-row"]):
            return {field.name: self._widget(field) for field in fields}

    def _widget(self, field: SettingField) -> Any:  # noqa: ANN401 (slider, checkbox or dropdown)
        value = self._start_values.get(field.name, field.default)
        shared = {"label": field.label, "value": value, "elem_id": self._id(field.name)}
        if field.kind == "bool":
            widget = gr.Checkbox(**shared)
        elif field.kind == "choice":
            widget = gr.Dropdown(list(field.choices), **shared)
        else:
            widget = gr.Slider(field.minimum, field.maximum, step=field.step, **shared)
        if field.name in self._start_values:
            self._host.keep_out_of_config(widget)
        self._host.set_tooltip(widget, field.help)
        return widget

    def _id(self, name: str) -> str:
        return f"{self._tab}_fabric_{name}"


class InfotextField(str):
    """The name of a component in infotext, which reads its value itself: None leaves it.

    The host asks whatever can be called for a value where it reads infotext, and looks up names
    where a button sends what one tab shows to another.
    """

    def __new__(cls, name: str, _read: Reader) -> InfotextField:
        return super().__new__(cls, infotext_key(name))

    def __init__(self, _name: str, read: Reader) -> None:
        super().__init__()
        self._read = read

    def __call__(self, params: Mapping[str, object]) -> object:
        return self._read(params)


def infotext_fields(arguments: Mapping[str, Any]) -> list[tuple[Any, InfotextField]]:
    """Pairs of a component and how infotext has its value.

    Args:
        arguments: the script's arguments by name.
    """

    def read_list(name: str, params: Mapping[str, object]) -> str | None:
        return str(params.get(infotext_key(name), "")) if read_enabled(params) else None

    readers: dict[str, Reader] = {
        "enabled": read_enabled,
        **{field.name: partial(read_infotext, field) for field in _read_settings()},
        **{name: partial(read_list, name) for name in LIST_NAMES},
    }
    return [(arguments[name], InfotextField(name, read)) for name, read in readers.items()]


def _read_settings() -> list[SettingField]:
    return [field for field in FabricSettings.fields() if field.name != "enabled"]
