"""The page's seed controls, a script as in the host (without resizing from another size)."""

from __future__ import annotations

import json

import gradio as gr
from modules import errors, infotext_utils, scripts
from modules.infotext_utils import PasteField
from modules.ui_components import ToolButton


class ScriptSeed(scripts.ScriptBuiltinUI):
    section = "seed"
    create_group = False

    def __init__(self) -> None:
        self.seed = None

    def title(self) -> str:
        return "Seed"

    def ui(self, is_img2img: bool) -> tuple:
        with gr.Row(elem_id=self.elem_id("seed_row")):
            self.seed = gr.Number(
                label="Seed", value=-1, elem_id=self.elem_id("seed"), min_width=100, precision=0
            )
            random_seed = ToolButton("🎲️", elem_id=self.elem_id("random_seed"))
            reuse_seed = ToolButton("♻️", elem_id=self.elem_id("reuse_seed"))
            extra = gr.Checkbox(label="Extra", elem_id=self.elem_id("subseed_show"), value=False)
        with gr.Group(visible=False, elem_id=self.elem_id("seed_extras")) as extras:
            subseed = gr.Number(
                label="Variation seed", value=-1, elem_id=self.elem_id("subseed"), precision=0
            )
            strength = gr.Slider(
                label="Variation strength",
                elem_id=self.elem_id("subseed_strength"),
                minimum=0,
                maximum=1,
                step=0.01,
                value=0.0,
            )
        set_random = f"function(){{setRandomSeed('{self.elem_id('seed')}')}}"
        random_seed.click(fn=None, _js=set_random, show_progress=False, inputs=[], outputs=[])
        extra.change(lambda x: gr.update(visible=x), inputs=[extra], outputs=[extras])
        self.infotext_fields = [
            PasteField(self.seed, "Seed", api="seed"),
            PasteField(extra, lambda d: "Variation seed" in d),
            PasteField(subseed, "Variation seed", api="subseed"),
            PasteField(strength, "Variation seed strength", api="subseed_strength"),
        ]
        seed = self.seed
        self.on_after_component(
            lambda x: _connect_reuse(seed, reuse_seed, x.component),
            elem_id=f"generation_info_{self.tabname}",
        )
        return self.seed, extra, subseed, strength

    def setup(self, p: object, seed: int, extra: bool, subseed: int, strength: float) -> None:
        p.seed = seed
        if extra and strength > 0:
            p.subseed, p.subseed_strength = subseed, strength


def _connect_reuse(seed: gr.Number, button: gr.Button, generation_info: gr.Textbox) -> None:
    """The button puts the seed of the selected picture into the field."""

    def copy_seed(info: str, index: int) -> tuple:
        try:
            params = infotext_utils.parse_generation_parameters(
                json.loads(info)["infotexts"][index], []
            )
            return int(params.get("Seed", -1)), gr.update()
        except Exception:  # noqa: BLE001  (the host swallows here)
            if info:
                errors.report(f"Error retrieving seed from generation info: {info}", exc_info=True)
            return -1, gr.update()

    button.click(
        fn=copy_seed,
        _js="(x, y) => [x, selected_gallery_index()]",
        show_progress=False,
        inputs=[generation_info, seed],
        outputs=[seed, seed],
    )
