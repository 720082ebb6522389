"""An extension for the demo alone: fills the page in, and says what its model can paint.

What it puts there stands in FABRIC_DEMO_PAGE, in JSON: `note`, and `values` by element id.
"""

import json
import os

import gradio as gr
from modules import scripts

_PAGE = json.loads(os.environ["FABRIC_DEMO_PAGE"])


class DemoPage(scripts.Script):
    """No part of a generation."""

    def title(self):
        return "Demo"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def after_component(self, component, **kwargs):
        elem_id = kwargs.get("elem_id")
        if elem_id in _PAGE["values"]:
            component.value = _PAGE["values"][elem_id]
        # Below both prompts.
        if elem_id == "txt2img_neg_prompt":
            gr.Markdown(_PAGE["note"], elem_id="demo_note")
