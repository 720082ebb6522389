"""The page: txt2img, img2img and PNG Info, tabs of extensions, Settings' texts, and Reload UI."""

from __future__ import annotations

import mimetypes
from pathlib import Path

import gradio as gr
import gradio.utils
from fastapi import FastAPI
from modules import (  # noqa: F401  (gradio_extensons: imported for what it does)
    extras,
    gradio_extensons,
    script_callbacks,
    shared,
    ui_loadsave,
    ui_tabs,
)
from modules import infotext_utils as parameters_copypaste
from modules.call_queue import wrap_gradio_call_no_job
from modules.paths_internal import data_path
from modules.shared import opts
from modules.ui_common import create_refresh_button, plaintext_to_html  # noqa: F401  (re-exports)
from modules.ui_gradio_extensions import reload_javascript

mimetypes.add_type("application/javascript", ".js")
mimetypes.add_type("application/javascript", ".mjs")
# Gradio must not phone home
gradio.utils.version_check = lambda: None
gradio.utils.get_local_ip_address = lambda: "127.0.0.1"

random_symbol = "\U0001f3b2️"
reuse_symbol = "♻️"


def create_pnginfo() -> gr.Blocks:
    """The PNG Info tab: a picture's texts, and buttons that send them to the other tabs."""
    with gr.Blocks(analytics_enabled=False) as interface:
        with gr.Row(equal_height=False):
            with gr.Column(variant="panel"):
                image = gr.Image(
                    elem_id="pnginfo_image",
                    label="Source",
                    source="upload",
                    interactive=True,
                    type="pil",
                )
            with gr.Column(variant="panel"):
                html = gr.HTML()
                generation_info = gr.Textbox(visible=False, elem_id="pnginfo_generation_info")
                html2 = gr.HTML()
                with gr.Row():
                    buttons = parameters_copypaste.create_buttons(["txt2img", "img2img", "inpaint"])
        for tabname, button in buttons.items():
            parameters_copypaste.register_paste_params_button(
                parameters_copypaste.ParamBinding(
                    paste_button=button,
                    tabname=tabname,
                    source_text_component=generation_info,
                    source_image_component=image,
                )
            )
        image.change(
            fn=wrap_gradio_call_no_job(extras.run_pnginfo),
            inputs=[image],
            outputs=[html, generation_info, html2],
        )
    return interface


def create_settings() -> gr.Blocks:
    """The Settings tab, but only what is text there."""
    with gr.Blocks(analytics_enabled=False) as interface, gr.Column(elem_id="settings"):
        for key, option in opts.data_labels.items():
            if isinstance(option, shared.OptionHTML):
                option.component(value=option.default, elem_id=f"setting_{key}")
    return interface


def create_ui() -> gr.Blocks:
    """Builds the page. Both tabs' scripts get new components."""
    reload_javascript()
    parameters_copypaste.reset()
    script_callbacks.ui_settings_callback()
    interfaces = [(ui_tabs.Txt2ImgTab("txt2img").build(), "txt2img", "txt2img")]
    interfaces += [(ui_tabs.Img2ImgTab("img2img").build(), "img2img", "img2img")]
    interfaces += [(create_pnginfo(), "PNG Info", "pnginfo")]
    interfaces += script_callbacks.ui_tabs_callback()
    interfaces += [(create_settings(), "Settings", "settings")]
    shared.tab_names = [label for _, label, _ in interfaces]
    with gr.Blocks(
        theme=shared.gradio_theme, analytics_enabled=False, title="Stand-in WebUI"
    ) as demo:
        loadsave = ui_loadsave.UiLoadsave(str(Path(data_path, "ui-config.json")))
        parameters_copypaste.connect_paste_params_buttons()
        with gr.Tabs(elem_id="tabs"):
            for interface, label, ifid in interfaces:
                with gr.TabItem(label, id=ifid, elem_id=f"tab_{ifid}"):
                    interface.render()
                loadsave.add_block(interface, ifid)
        with gr.Row(elem_id="stand_in_footer"):
            gr.Textbox(
                opts.dumpjson(), elem_id="settings_json", visible=True, elem_classes="hidden-json"
            )
            reload_ui = gr.Button("Reload UI", elem_id="settings_restart_gradio")
        reload_ui.click(
            fn=shared.state.request_restart, _js="restart_reload", inputs=[], outputs=[]
        )
    return demo


def setup_ui_api(app: FastAPI) -> None:
    """Routes that the page asks."""
    app.add_api_route("/internal/ping", lambda: {}, methods=["GET"])
