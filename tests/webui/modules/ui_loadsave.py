"""Start values and ranges from ui-config.json, as the host lays them over components."""

from __future__ import annotations

import json
from pathlib import Path

import gradio as gr
from modules.ui_components import InputAccordion

_SLIDER = ("value", "minimum", "maximum", "step")


class UiLoadsave:
    """Reads the file; the real host writes it as well."""

    def __init__(self, filename: str) -> None:
        path = Path(filename)
        self.ui_settings = json.loads(path.read_text("utf-8")) if path.is_file() else {}

    def add_block(self, x: object, path: str = "") -> None:
        """Takes what the file says of all components in a block."""
        if hasattr(x, "children"):
            for child in x.children:
                self.add_block(child, path)
        elif x.label is not None:
            self.add_component(f"{path}/{x.label}", x)

    def add_component(self, path: str, x: object) -> None:
        """Takes what the file says of one; unchecked, but for what is chosen from a list."""
        if getattr(x, "do_not_save_to_config", False):
            return
        source = getattr(x, "custom_script_source", None)
        for field in _SLIDER if type(x) is gr.Slider else ("value",):
            if type(x) not in (gr.Slider, gr.Checkbox, gr.Textbox, gr.Dropdown, InputAccordion):
                continue
            key = f"customscript/{source}/{path}/{field}" if source else f"{path}/{field}"
            if key in self.ui_settings and _fits(x, self.ui_settings[key]):
                setattr(x, field, self.ui_settings[key])


def _fits(x: object, value: object) -> bool:
    choices = [each[0] if isinstance(each, tuple) else each for each in getattr(x, "choices", [])]
    return type(x) is not gr.Dropdown or value in choices
