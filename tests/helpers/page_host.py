"""What the page needs from the WebUI, without a WebUI; and a page that presses."""

from __future__ import annotations

import json
from dataclasses import replace

import gradio as gr
from PIL import Image

from lib_fabric.library.history_entry import Details
from lib_fabric.page.outcome import PageState
from lib_fabric.page.presses.presses import Presses
from lib_fabric.page.rendering import reply_json
from lib_fabric.page.shown_pictures import ShownPictures
from lib_fabric.rating_texts import format_list
from lib_fabric.ratings import LIST_NAMES, Ratings
from lib_fabric.settings import DEFAULT_MAX_PICTURES

COLOURS = ("red", "green", "blue", "white")
PAGE, OTHER_PAGE, BROWSER, OTHER_BROWSER = (digit * 32 for digit in "abcd")


class FakeAccordion(gr.Checkbox):
    """The parts of the host's InputAccordion that the extension uses."""

    def __init__(self, value=None, label="", elem_id="", elem_classes=(), **others):
        # `others` are gradio 4's: it makes a component anew when an event leaves it as it is.
        super().__init__(value, label=label, elem_id=f"{elem_id}-checkbox", visible=False, **others)
        self._accordion = gr.Accordion(
            label, elem_id=elem_id, elem_classes=elem_classes, open=value, **others
        )
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


class FakePageHost:
    """page.host.PageHost; everything on it may be changed by a test."""

    entry_path = ("name",)

    def __init__(self, **changes):
        self.limit = DEFAULT_MAX_PICTURES
        self.values_at_start = {}
        self.sent_along = True
        self.details = Details()
        self.toasts = []
        self.user = ""
        vars(self).update(changes)

    def accordion(self, label, elem_id, elem_class, value):
        return FakeAccordion(value, label, elem_id, [elem_class])

    def tool_button(self, text, elem_id, elem_class):
        return gr.Button(text, elem_id=elem_id, elem_classes=[elem_class])

    def set_tooltip(self, component, text):
        component.webui_tooltip = text

    def keep_out_of_config(self, component):
        component.do_not_save_to_config = True

    def javascript(self, code):
        return {"_js": code}

    def toast(self, text, is_warning):
        self.toasts.append((text, is_warning))

    def login(self, _request):
        return self.user

    def gallery_picture(self, entry):
        """As the host's: it knows the entries that it handed out, and no others."""
        assert isinstance(entry, dict), "not a picture of this gallery"
        assert entry.get("name") in COLOURS, "trying to open a file outside of allowed directories"
        return Image.new("RGB", (24, 16), entry["name"])

    def picture_details(self, _image):
        return self.details

    def max_pictures(self):
        return self.limit

    def is_sent_along(self):
        return self.sent_along

    def start_values(self):
        return self.values_at_start


def add_result_panel(made, tab="txt2img"):
    """The host's components in the host's order, each reported as the host does."""
    with gr.Row():
        for component in (
            gr.Gallery(elem_id=f"{tab}_gallery"),
            gr.Button(elem_id=f"{tab}_send_to_extras"),
            gr.Textbox(elem_id=f"generation_info_{tab}"),
        ):
            made.after_component(component, component.elem_id)


def gallery(*names, num_grids=0):
    """A result gallery of these colours; without any, of all."""
    entries = [{"name": name, "data": None, "is_file": True} for name in names or COLOURS]
    return ShownPictures.from_client(entries, json.dumps({"index_of_first_image": num_grids}))


class Pressing:
    """One page: `press(do=..., ...)` returns the outcome and remembers the ratings.

    Attributes:
        page: what it brings along with the next press.
        host: its WebUI.
        reply: what the page was told by the answer before.
    """

    def __init__(self, library, key=PAGE, browser=BROWSER, **page):
        self.host = FakePageHost(details=Details("a circle", 7, "tiny"))
        self.page = PageState(Ratings(), is_enabled=True, shown=gallery(), **page)
        self._presses = Presses(library, self.host)
        self._keys = {"page": key, "browser": browser}

    def __call__(self, **action):
        self._before = self.page.ratings
        outcome = self._presses.carry_out(json.dumps({**self._keys, **action}), self.page)
        self.page = replace(self.page, ratings=outcome.ratings)
        self.reply = json.loads(reply_json(outcome, self.host.limit, {}, self.page))
        return outcome

    def undo(self):
        """Undoes the press before, as fabric.js does."""
        lists = {name: format_list(self._before.of(name)) for name in LIST_NAMES}
        return self(do="restore", **lists, change=self.reply["change"])

    @property
    def ratings(self):
        return self.page.ratings
