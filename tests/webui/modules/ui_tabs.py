"""The txt2img and the img2img tab."""

from __future__ import annotations

import gradio as gr
from modules import (
    infotext_utils,
    scripts,
    sd_models,
    shared,
    ui_common,
    ui_toprow,
)
from modules.call_queue import wrap_gradio_gpu_call
from modules.infotext_utils import PasteField
from modules.shared import opts
from modules.ui_components import FormGroup, FormRow, InputAccordion, ResizeHandleRow, ToolButton

CATEGORIES = """
    prompt image dimensions cfg denoising seed sampler accordions checkboxes batch
    override_settings scripts
"""


class Tab:
    """One tab; the parts that both have."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.runner = scripts.scripts_txt2img if name == "txt2img" else scripts.scripts_img2img

    def slider(
        self, item: str, label: str, low: float, high: float, step: float, value: float
    ) -> gr.Slider:
        return gr.Slider(
            label=label,
            elem_id=f"{self.name}_{item}",
            minimum=low,
            maximum=high,
            step=step,
            value=value,
        )

    def build(self) -> gr.Blocks:
        """The tab's blocks. Scripts are instantiated here."""
        scripts.scripts_current = self.runner
        self.runner.initialize_scripts(is_img2img=self.name == "img2img")
        with gr.Blocks(analytics_enabled=False) as interface:
            self.toprow = ui_toprow.Toprow(is_img2img=self.name == "img2img")
            self.dummy = gr.Label(visible=False)
            with (
                gr.Tabs(elem_id=f"{self.name}_extra_tabs", elem_classes=["extra-networks"]),
                gr.Tab("Generation", id=f"{self.name}_generation"),
                ResizeHandleRow(equal_height=False),
            ):
                with gr.Column(variant="compact", elem_id=f"{self.name}_settings"):
                    self.runner.prepare_ui()
                    for category in CATEGORIES.split():
                        self.create(category)
                outdir = getattr(opts, f"outdir_{self.name}_samples")
                self.panel = ui_common.create_output_panel(self.name, outdir, self.toprow)
            self.wire()
        scripts.scripts_current = None
        return interface

    def create(self, category: str) -> None:
        """One part of the settings column; scripts may ask for any part by its name."""
        make = getattr(self, f"create_{category}", None)
        if make is not None:
            make()
        if category != "accordions":
            self.runner.setup_ui_for_section(category)

    def create_dimensions(self) -> None:
        with FormRow():
            with gr.Column(elem_id=f"{self.name}_column_size", scale=4):
                self.width = self.slider("width", "Width", 64, 2048, 8, 64)
                self.height = self.slider("height", "Height", 64, 2048, 8, 64)
            with gr.Column(
                elem_id=f"{self.name}_dimensions_row", scale=1, elem_classes="dimensions-tools"
            ):
                switch = ToolButton("⇅", elem_id=f"{self.name}_res_switch_btn")
                js = f"function(){{switchWidthHeight('{self.name}')}}"
                switch.click(fn=None, _js=js, inputs=None, outputs=None, show_progress=False)
            with gr.Column(elem_id=f"{self.name}_column_batch"):
                self.batch_count = self.slider("batch_count", "Batch count", 1, 100, 1, 1)
                self.batch_size = self.slider("batch_size", "Batch size", 1, 8, 1, 1)

    def create_cfg(self) -> None:
        with gr.Row():
            self.cfg_scale = self.slider("cfg_scale", "CFG Scale", 1.0, 30.0, 0.5, 7.0)

    def create_accordions(self) -> None:
        with gr.Row(elem_id=f"{self.name}_accordions", elem_classes="accordions"):
            self.create_own_accordions()
            self.runner.setup_ui_for_section("accordions")

    def create_own_accordions(self) -> None:
        """Accordions of the tab itself."""

    def create_override_settings(self) -> None:
        with FormRow(elem_id=f"{self.name}_override_settings_row"):
            self.override_settings = gr.Dropdown(
                [],
                label="Override settings",
                visible=False,
                elem_id=f"{self.name}_override_settings",
                multiselect=True,
            )

    def create_scripts(self) -> None:
        with FormGroup(elem_id=f"{self.name}_script_container"):
            self.custom_inputs = self.runner.setup_ui()

    def wire(self) -> None:
        """Events of the tab."""
        raise NotImplementedError

    def outputs(self) -> list:
        panel = self.panel
        return [panel.gallery, panel.generation_info, panel.infotext, panel.html_log]

    def submit(self, fn: object, js: str, inputs: list) -> None:
        """The Generate button."""
        args = {
            "fn": wrap_gradio_gpu_call(fn, extra_outputs=[None, "", ""]),
            "_js": js,
            "inputs": inputs,
            "outputs": self.outputs(),
            "show_progress": False,
        }
        self.toprow.prompt.submit(**args)
        self.toprow.submit.click(**args)

    def paste_fields(self) -> list[PasteField]:
        """The fields that an infotext fills in, those of scripts included."""
        return [
            PasteField(self.toprow.prompt, "Prompt", api="prompt"),
            PasteField(self.toprow.negative_prompt, "Negative prompt", api="negative_prompt"),
            PasteField(self.cfg_scale, "CFG scale", api="cfg_scale"),
            PasteField(self.width, "Size-1", api="width"),
            PasteField(self.height, "Size-2", api="height"),
            PasteField(self.denoising, "Denoising strength", api="denoising_strength"),
            *self.runner.infotext_fields,
        ]

    def register_paste(self, init_images: dict[str, object]) -> None:
        fields = self.paste_fields()
        for tabname, init_image in init_images.items():
            infotext_utils.add_paste_fields(tabname, init_image, fields, self.override_settings)
        infotext_utils.register_paste_params_button(
            infotext_utils.ParamBinding(
                paste_button=self.toprow.paste,
                tabname=self.name,
                source_text_component=self.toprow.prompt,
            )
        )


class Txt2ImgTab(Tab):
    def create_own_accordions(self) -> None:
        with InputAccordion(False, label="Hires. fix", elem_id="txt2img_hr") as self.enable_hr:
            with FormRow(elem_id="txt2img_hires_fix_row1", variant="compact"):
                self.hr_upscaler = gr.Dropdown(
                    label="Upscaler",
                    elem_id="txt2img_hr_upscaler",
                    choices=[*shared.latent_upscale_modes, *(x.name for x in shared.sd_upscalers)],
                    value=shared.latent_upscale_default_mode,
                )
                self.hr_steps = self.slider("hires_steps", "Hires steps", 0, 150, 1, 0)
                self.denoising = self.slider(
                    "denoising_strength", "Denoising strength", 0.0, 1.0, 0.01, 0.7
                )
            with FormRow(elem_id="txt2img_hires_fix_row2", variant="compact"):
                self.hr_scale = self.slider("hr_scale", "Upscale by", 1.0, 4.0, 0.05, 2.0)
                self.hr_x = self.slider("hr_resize_x", "Resize width to", 0, 2048, 8, 0)
                self.hr_y = self.slider("hr_resize_y", "Resize height to", 0, 2048, 8, 0)
            self.hr_checkpoint = gr.Dropdown(
                label="Checkpoint",
                elem_id="hr_checkpoint",
                choices=["Use same checkpoint", *sd_models.checkpoint_tiles(use_short=True)],
                value="Use same checkpoint",
                visible=False,
            )

    def wire(self) -> None:
        from modules import txt2img

        top = self.toprow
        inputs = [
            self.dummy,
            top.prompt,
            top.negative_prompt,
            self.batch_count,
            self.batch_size,
            self.cfg_scale,
            self.height,
            self.width,
            self.enable_hr,
            self.denoising,
            self.hr_scale,
            self.hr_upscaler,
            self.hr_steps,
            self.hr_x,
            self.hr_y,
            self.hr_checkpoint,
            self.override_settings,
            *self.custom_inputs,
        ]
        self.submit(txt2img.txt2img, "submit", inputs)
        self.panel.button_upscale.click(
            fn=wrap_gradio_gpu_call(txt2img.txt2img_upscale, extra_outputs=[None, "", ""]),
            _js="submit_txt2img_upscale",
            inputs=[
                self.dummy,
                self.panel.gallery,
                self.dummy,
                self.panel.generation_info,
                *inputs[1:],
            ],
            outputs=self.outputs(),
            show_progress=False,
        )
        self.register_paste({"txt2img": None})

    def paste_fields(self) -> list[PasteField]:
        return [
            *super().paste_fields(),
            PasteField(self.enable_hr, lambda d: "Hires upscaler" in d, api="enable_hr"),
            PasteField(self.hr_scale, "Hires upscale", api="hr_scale"),
            PasteField(self.hr_upscaler, "Hires upscaler", api="hr_upscaler"),
            PasteField(self.hr_steps, "Hires steps", api="hr_second_pass_steps"),
            PasteField(self.hr_x, "Hires resize-1", api="hr_resize_x"),
            PasteField(self.hr_y, "Hires resize-2", api="hr_resize_y"),
        ]


class Img2ImgTab(Tab):
    def create_image(self) -> None:
        common = {"show_label": False, "source": "upload", "interactive": True, "type": "pil"}
        with gr.Tabs(elem_id="mode_img2img"):
            with gr.TabItem("img2img", id="img2img", elem_id="img2img_img2img_tab"):
                self.init_img = gr.Image(
                    label="Image for img2img",
                    elem_id="img2img_image",
                    tool="editor",
                    image_mode="RGBA",
                    **common,
                )
            with gr.TabItem("Inpaint", id="inpaint", elem_id="img2img_inpaint_tab"):
                self.init_img_with_mask = gr.Image(
                    label="Image for inpainting with mask",
                    elem_id="img2maskimg",
                    tool="sketch",
                    image_mode="RGBA",
                    **common,
                )
                self.mask_blur = self.slider("mask_blur", "Mask blur", 0, 64, 1, 4)
        with FormRow():
            self.resize_mode = gr.Radio(
                label="Resize mode",
                elem_id="resize_mode",
                choices=["Just resize", "Crop and resize", "Resize and fill", "Latent upscale"],
                type="index",
                value="Just resize",
            )

    def create_denoising(self) -> None:
        self.denoising = self.slider(
            "denoising_strength", "Denoising strength", 0.0, 1.0, 0.01, 0.75
        )

    def wire(self) -> None:
        from modules import img2img

        inputs = [
            self.dummy,
            self.dummy,
            self.toprow.prompt,
            self.toprow.negative_prompt,
            self.init_img,
            self.init_img_with_mask,
            self.mask_blur,
            self.batch_count,
            self.batch_size,
            self.cfg_scale,
            self.denoising,
            self.height,
            self.width,
            self.resize_mode,
            self.override_settings,
            *self.custom_inputs,
        ]
        self.submit(img2img.img2img, "submit_img2img", inputs)
        self.register_paste({"img2img": self.init_img, "inpaint": self.init_img_with_mask})
