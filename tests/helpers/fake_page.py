"""A page of the extension without a WebUI: the host's components that it is built into."""

import gradio as gr
from PIL import Image

from lib_fabric.library.library import Library
from lib_fabric.library.rating import Details
from lib_fabric.page.accordion import FabricUi, Toolkit


class FakeAccordion(gr.Checkbox):
    """The parts of the host's InputAccordion that the extension uses."""

    def __init__(self, value, label, elem_id):
        super().__init__(value, label=label, elem_id=f"{elem_id}-checkbox", visible=False)
        self._accordion = gr.Accordion(label, elem_id=elem_id, open=value)
        self._elem_id = elem_id

    def extra(self):
        return gr.Column(elem_id=f"{self._elem_id}-extra")

    def __enter__(self):
        self._accordion.__enter__()
        return self

    def __exit__(self, *exception):
        self._accordion.__exit__(*exception)

    def get_block_name(self):
        return "checkbox"


def read_gallery(entry):
    """A picture of the colour that a gallery's entry is named by."""
    return Image.new("RGB", (24, 16), entry["name"])


def new_ui(store_folder, tab="txt2img", **more):
    """The page's part of one tab, over a library in `store_folder`."""
    return FabricUi(
        tab,
        Library(store_folder),
        Toolkit(FakeAccordion, gr.Button, read_gallery, lambda _: Details(), **more),
    )


def add_result_panel(ui, tab="txt2img"):
    """The host's components in the host's order, each reported as the host does."""
    with gr.Row():
        for component in (
            gr.Gallery(elem_id=f"{tab}_gallery"),
            gr.Button(elem_id=f"{tab}_send_to_extras"),
            gr.Textbox(elem_id=f"generation_info_{tab}"),
        ):
            ui.after_component(component, component.elem_id)
