"""What both tabs have: the panel with the pictures."""

from __future__ import annotations

import dataclasses
import html
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import gradio as gr
from modules import call_queue, infotext_utils, scripts, shared
from modules.images import save_image
from modules.infotext_utils import image_from_url_text
from modules.ui_components import ToolButton

folder_symbol = "\U0001f4c2"
refresh_symbol = "\U0001f504"


def plaintext_to_html(text: str, classname: str | None = None) -> str:
    """Lines of text as a paragraph."""
    content = "<br>\n".join(html.escape(line) for line in text.split("\n"))
    return f"<p class='{classname}'>{content}</p>" if classname else f"<p>{content}</p>"


def update_generation_info(generation_info: str, html_info: str, img_index: int) -> tuple:
    """The infotext of the selected picture."""
    try:
        texts = json.loads(generation_info)["infotexts"]
    except (ValueError, KeyError, TypeError):
        return html_info, gr.update()
    if not 0 <= img_index < len(texts):
        return html_info, gr.update()
    return plaintext_to_html(texts[img_index]), gr.update()


def save_files(js_data: str, images: list, do_make_zip: bool, index: int) -> tuple:
    """Copies the selected picture, or all, to the folder for saved pictures."""
    data = json.loads(js_data)
    start = 0
    if index > -1 and shared.opts.save_selected_only and index >= data["index_of_first_image"]:
        images, start = [images[index]], index
    saved = []
    for i, filedata in enumerate(images, start):
        text = data["infotexts"][i]
        params = infotext_utils.parse_generation_parameters(text, [])
        name, _ = save_image(
            image_from_url_text(filedata),
            shared.opts.outdir_save,
            "",
            seed=params["Seed"],
            prompt=params["Prompt"],
            extension=shared.opts.samples_format,
            info=text,
        )
        saved.append(name)
    shown = list(saved)
    if do_make_zip:
        archive = str(Path(shared.opts.outdir_save, f"{Path(saved[0]).stem}.zip"))
        with zipfile.ZipFile(archive, "w") as file:
            for name in saved:
                file.write(name, Path(name).name)
        shown.insert(0, archive)
    message = plaintext_to_html(f"Saved: {Path(saved[0]).name}")
    return gr.File.update(value=shown, visible=True), message


@dataclasses.dataclass
class OutputPanel:
    """The panel's components."""

    gallery: gr.Gallery = None
    generation_info: gr.Textbox = None
    infotext: gr.HTML = None
    html_log: gr.HTML = None
    button_upscale: gr.Button = None


def create_output_panel(tabname: str, outdir: str, toprow: object = None) -> OutputPanel:
    """Gallery, the row of buttons below it, and the texts."""
    res = OutputPanel()
    with (
        gr.Column(elem_id=f"{tabname}_results"),
        gr.Column(variant="panel", elem_id=f"{tabname}_results_panel"),
    ):
        with gr.Group(elem_id=f"{tabname}_gallery_container"):
            res.gallery = gr.Gallery(
                label="Output",
                show_label=False,
                elem_id=f"{tabname}_gallery",
                columns=4,
                preview=True,
                height=shared.opts.gallery_height or None,
            )
        buttons = _create_buttons(tabname, res)
        download = gr.File(
            None,
            file_count="multiple",
            interactive=False,
            show_label=False,
            visible=False,
            elem_id=f"download_files_{tabname}",
        )
        with gr.Group():
            res.infotext = gr.HTML(elem_id=f"html_info_{tabname}", elem_classes="infotext")
            res.html_log = gr.HTML(elem_id=f"html_log_{tabname}", elem_classes="html-log")
            res.generation_info = gr.Textbox(visible=False, elem_id=f"generation_info_{tabname}")
            info_button = gr.Button(visible=False, elem_id=f"{tabname}_generation_info_button")
    info_button.click(
        fn=update_generation_info,
        _js="function(x, y, z){ return [x, y, selected_gallery_index()] }",
        inputs=[res.generation_info, res.infotext, res.infotext],
        outputs=[res.infotext, res.infotext],
        show_progress=False,
    )
    for name, make_zip in (("save", "false"), ("save_zip", "true")):
        buttons[name].click(
            fn=call_queue.wrap_gradio_call_no_job(save_files),
            _js=f"(x, y, z, w) => [x, y, {make_zip}, selected_gallery_index()]",
            inputs=[res.generation_info, res.gallery, res.infotext, res.infotext],
            outputs=[download, res.html_log],
            show_progress=False,
        )
    runner = scripts.scripts_txt2img if tabname == "txt2img" else scripts.scripts_img2img
    for target in ("img2img", "inpaint", "extras"):
        infotext_utils.register_paste_params_button(
            infotext_utils.ParamBinding(
                paste_button=buttons[target],
                tabname=target,
                source_tabname="txt2img" if tabname == "txt2img" else None,
                source_image_component=res.gallery,
                paste_field_names=runner.paste_field_names,
            )
        )
    return res


def _create_buttons(tabname: str, res: OutputPanel) -> dict[str, ToolButton]:
    with gr.Row(elem_id=f"image_buttons_{tabname}", elem_classes="image-buttons"):
        shown = not shared.cmd_opts.hide_ui_dir_config
        ToolButton(
            folder_symbol,
            elem_id=f"{tabname}_open_folder",
            visible=shown,
            tooltip="Open images output directory.",
        )
        buttons = {
            "save": ToolButton("💾", elem_id=f"save_{tabname}", tooltip="Save the image."),
            "save_zip": ToolButton("🗃️", elem_id=f"save_zip_{tabname}", tooltip="Save as zip."),
        }
        for target, symbol in (("img2img", "🖼️"), ("inpaint", "🎨️"), ("extras", "📐")):
            buttons[target] = ToolButton(
                symbol, elem_id=f"{tabname}_send_to_{target}", tooltip=f"Send image to {target}."
            )
        if tabname == "txt2img":
            res.button_upscale = ToolButton(
                "✨", elem_id=f"{tabname}_upscale", tooltip="Upscale the image with hires fix."
            )
    return buttons


def create_refresh_button(
    refresh_component: object, refresh_method: Callable, refreshed_args: object, elem_id: str
) -> ToolButton:
    """A button that calls `refresh_method` and updates a component (or several)."""
    several = isinstance(refresh_component, list)
    components = refresh_component if several else [refresh_component]

    def refresh() -> object:
        refresh_method()
        args = refreshed_args() if callable(refreshed_args) else refreshed_args
        for component in components:
            for k, v in args.items():
                setattr(component, k, v)
        updates = [gr.update(**args) for _ in components]
        return updates if several else updates[0]

    button = ToolButton(value=refresh_symbol, elem_id=elem_id, tooltip="Refresh")
    button.click(fn=refresh, inputs=[], outputs=components)
    return button
