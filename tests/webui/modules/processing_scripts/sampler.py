"""The page's sampler controls, a script as in the host."""

from __future__ import annotations

import gradio as gr
from modules import scripts, sd_samplers, sd_schedulers
from modules.infotext_utils import PasteField
from modules.ui_components import FormRow


class ScriptSampler(scripts.ScriptBuiltinUI):
    section = "sampler"

    def __init__(self) -> None:
        self.steps = self.sampler_name = self.scheduler = None

    def title(self) -> str:
        return "Sampler"

    def ui(self, is_img2img: bool) -> tuple:
        names = sd_samplers.visible_sampler_names()
        schedules = [x.label for x in sd_schedulers.schedulers]
        with FormRow(elem_id=f"sampler_selection_{self.tabname}"):
            self.sampler_name = gr.Dropdown(
                label="Sampling method",
                elem_id=f"{self.tabname}_sampling",
                choices=names,
                value=names[0],
            )
            self.scheduler = gr.Dropdown(
                label="Schedule type",
                elem_id=f"{self.tabname}_scheduler",
                choices=schedules,
                value=schedules[0],
            )
            self.steps = gr.Slider(
                label="Sampling steps",
                elem_id=f"{self.tabname}_steps",
                minimum=1,
                maximum=150,
                step=1,
                value=20,
            )
        self.infotext_fields = [
            PasteField(self.steps, "Steps", api="steps"),
            PasteField(
                self.sampler_name, sd_samplers.get_sampler_from_infotext, api="sampler_name"
            ),
            PasteField(self.scheduler, sd_samplers.get_scheduler_from_infotext, api="scheduler"),
        ]
        return self.steps, self.sampler_name, self.scheduler

    def setup(self, p: object, steps: int, sampler_name: str, scheduler: str) -> None:
        p.steps, p.sampler_name, p.scheduler = steps, sampler_name, scheduler
