"""A small page with the accordion, the thumbs and a gallery, under gradio 4.

    PYTHON-WITH-GRADIO-4 tests/gradio4/page.py --port 7860 --data-dir FOLDER

Run by that Python, which has gradio and nothing else of ours. Generate shows a grid and the
pictures of a batch; their names count up, as a WebUI's do. Knows the page and gradio; no WebUI.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from pathlib import Path

import gradio as gr
import gradio.component_meta
from PIL import Image
from PIL.PngImagePlugin import PngInfo

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
# Else gradio writes a file beside the one of every component class; Forge turns that off as well.
gradio.component_meta.create_or_modify_pyi = lambda *_: None

from lib_fabric.library.history_entry import Details  # noqa: E402 (needs the path above)
from lib_fabric.library.library import Library  # noqa: E402
from lib_fabric.page.gradio_versions import Gradio  # noqa: E402
from lib_fabric.page.tab import FabricTab  # noqa: E402
from tests.helpers.page_host import FakeAccordion, FakePageHost  # noqa: E402

HOST_FILES = ("script.js", "javascript/inputAccordion.js")
# The host's, which its accordion calls.
UPDATE_INPUT = (
    "function updateInput(target) { target.dispatchEvent(new Event('input', {bubbles: true})); }"
)
COLOURS = ("red", "green", "blue")
NUM_PICTURES = 2


class PageHost(Gradio, FakePageHost):
    """page.host.PageHost with gradio's own part as it is, and a gallery as Forge has it."""

    entry_path = Gradio.entry_path

    def accordion(self, label, elem_id, elem_class, value):
        made = FakeAccordion(value, label, elem_id, ["input-accordion", elem_class])
        made.change(
            fn=None, inputs=[made], js=f"value => inputAccordionChecked('{elem_id}', value)"
        )
        return made

    def gallery_picture(self, entry):
        image, _caption = entry
        return image

    def picture_details(self, image):
        return Details(prompt=image.text["parameters"])


class Generations:
    """Makes pictures of one colour each, and a grid of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()

    def __call__(self) -> tuple[list[str], str]:
        number = next(self._numbers)
        files = [self._save(f"grid-{number}", "black")]
        for index in range(NUM_PICTURES):
            colour = COLOURS[(number * NUM_PICTURES + index) % len(COLOURS)]
            files.append(self._save(f"{number}-{index}", colour))
        return files, json.dumps({"index_of_first_image": 1})

    def _save(self, name: str, colour: str) -> str:
        infotext = PngInfo()
        infotext.add_text("parameters", f"a {colour} picture")
        path = self._folder / f"{name}.png"
        Image.new("RGB", (64, 64), colour).save(path, pnginfo=infotext)
        return str(path)


def build(data_dir: Path) -> gr.Blocks:
    """The page; pictures lie in `data_dir`, ratings in a library of their own there."""
    made = FabricTab("txt2img", Library(data_dir / ".fabric"), PageHost())
    with gr.Blocks(css=(ROOT / "style.css").read_text("utf-8")) as page:
        with gr.Tabs(elem_id="tabs"), gr.Tab("txt2img", elem_id="tab_txt2img"):
            gr.Textbox(elem_id="txt2img_prompt", label="Prompt")
            generate = gr.Button("Generate", elem_id="txt2img_generate")
            with gr.Row():
                with gr.Column():
                    made.build()
                with gr.Column(elem_id="txt2img_results"):
                    shown = _result_panel(made)
        generate.click(Generations(data_dir), None, shown)
    return page


def _result_panel(made: FabricTab) -> list[gr.components.Component]:
    """The host's components in the host's order, each reported as the host does."""
    gallery = gr.Gallery(
        elem_id="txt2img_gallery", type="pil", columns=4, preview=True, interactive=False
    )
    made.after_component(gallery, gallery.elem_id)
    with gr.Row(elem_id="image_buttons_txt2img"):
        button = gr.Button("Extras", elem_id="txt2img_send_to_extras")
        made.after_component(button, button.elem_id)
    info = gr.Textbox(elem_id="generation_info_txt2img", visible=False)
    made.after_component(info, info.elem_id)
    return [gallery, info]


def _add_scripts() -> None:
    """Puts the page's files into its head, as a WebUI does; gradio's own `head` comes later."""
    host = [ROOT / "tests" / "webui" / name for name in HOST_FILES]
    files = [*host, *sorted((ROOT / "javascript").glob("*.js"))]
    code = [UPDATE_INPUT, *(each.read_text("utf-8") for each in files)]
    head = "".join(f"<script>{each}</script>" for each in code)
    respond = gr.routes.templates.TemplateResponse

    def with_scripts(*args, **kwargs):
        response = respond(*args, **kwargs)
        response.body = response.body.replace(b"</head>", f"{head}</head>".encode())
        response.init_headers()
        return response

    gr.routes.templates.TemplateResponse = with_scripts


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    options = parser.parse_args()
    _add_scripts()
    page = build(options.data_dir)
    page.launch(server_port=options.port, allowed_paths=[str(options.data_dir)], show_api=False)


if __name__ == "__main__":
    main()
