"""X/Y/Z plot: one picture per combination of values. Lists of values only, no ranges; the grid has
no legend. Extensions add to `axis_options` before the page is built."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable
from copy import copy

import gradio as gr
from modules import errors, images, processing, scripts
from modules.shared import state

AXES = "XYZ"


class AxisOption:
    """One axis that can be chosen."""

    def __init__(
        self,
        label: str,
        type: type,
        apply: Callable,
        format_value: Callable | None = None,
        confirm: Callable | None = None,
        cost: float = 0.0,
        choices: Callable | None = None,
        prepare: Callable | None = None,
    ) -> None:
        self.label = label
        self.type = type
        self.apply = apply
        self.format_value = format_value
        self.confirm = confirm
        self.cost = cost
        self.choices = choices
        self.prepare = prepare


class AxisOptionImg2Img(AxisOption):
    """In img2img only."""

    is_img2img = True


class AxisOptionTxt2Img(AxisOption):
    """In txt2img only."""

    is_img2img = False


def _field(name: str) -> Callable:
    return lambda p, x, xs: setattr(p, name, x)


axis_options = [
    AxisOption("Nothing", str, lambda p, x, xs: None),
    AxisOption("Seed", int, _field("seed")),
    AxisOption("Steps", int, _field("steps")),
    AxisOption("CFG Scale", float, _field("cfg_scale")),
    AxisOption("Denoising", float, _field("denoising_strength")),
]


class Script(scripts.Script):
    """The drop-down's entry."""

    def title(self) -> str:
        return "X/Y/Z plot"

    def ui(self, is_img2img: bool) -> list:
        self.current_axis_options = [
            option
            for option in axis_options
            if getattr(option, "is_img2img", is_img2img) == is_img2img
        ]
        labels = [option.label for option in self.current_axis_options]
        controls, fields = [], []
        for number, axis in enumerate(AXES):
            with gr.Row():
                kind = gr.Dropdown(
                    label=f"{axis} type",
                    choices=labels,
                    value=labels[1 if number == 0 else 0],
                    type="index",
                    elem_id=self.elem_id(f"{axis.lower()}_type"),
                )
                values = gr.Textbox(
                    label=f"{axis} values", lines=1, elem_id=self.elem_id(f"{axis.lower()}_values")
                )
                picked = gr.Dropdown(
                    label=f"{axis} values", visible=False, multiselect=True, interactive=True
                )
            controls += [kind, values, picked]
            fields += [(kind, f"{axis} Type"), (values, f"{axis} Values")]
        for label, value in [
            ("Draw legend", True),
            ("Include Sub Images", False),
            ("Include Sub Grids", False),
            ("Keep -1 for seeds", False),
            *((f"Vary seeds for {axis}", False) for axis in AXES),
        ]:
            controls.append(gr.Checkbox(value, label=label))
        controls.append(gr.Slider(label="Grid margins (px)", minimum=0, maximum=500, value=0))
        controls.append(gr.Checkbox(False, label="Use text inputs instead of dropdowns"))
        self.infotext_fields = tuple(fields)
        return controls

    def run(self, p: object, *args: object) -> processing.Processed:
        include_lone_images, csv_mode = args[10], args[17]
        chosen = [
            self._axis(p, args[3 * i], args[3 * i + 1], args[3 * i + 2], csv_mode) for i in range(3)
        ]
        processing.fix_seed(p)
        combinations = list(itertools.product(*(values for _, values in chosen)))
        state.job_count = len(combinations) * p.n_iter
        result, pictures, infotexts = None, [], []
        for cell in combinations:
            pc = copy(p)
            for (option, values), value in zip(chosen, cell, strict=True):
                option.apply(pc, value, values)
            try:
                done = processing.process_images(pc)
            except Exception as error:  # noqa: BLE001  (the host shows an empty cell)
                errors.display(error, "generating image for xyz plot")
                continue
            result = result or copy(done)
            pictures.append(done.images[0])
            infotexts.append(done.infotexts[0])
        if result is None:
            return processing.Processed(p, [])
        lone = pictures if include_lone_images else []
        result.images = [images.image_grid(pictures, rows=len(chosen[1][1])), *lone]
        result.infotexts = [infotexts[0], *infotexts]
        result.index_of_first_image = 1
        return result

    def _axis(
        self, p: object, index: int | None, text: str, picked: list, csv_mode: bool
    ) -> tuple[AxisOption, list]:
        option = self.current_axis_options[index or 0]
        if option.label == "Nothing":
            return option, [0]
        if option.choices is not None and not csv_mode:
            words = picked
        else:
            words = [word.strip() for word in next(csv.reader([text]), [])]
        values = [option.type(word) for word in words]
        if option.confirm:
            option.confirm(p, values)
        return option, values
