"""FABRIC in one tab: the accordion, the thumbs under the result gallery, and their wiring.

Knows gradio, presses and how they are rendered; what the WebUI provides it is handed. Nothing here
outlives a page build: 'Reload UI' makes new objects. What a page has rated lies in two hidden text
fields of that page, so that it survives whatever becomes of the server; the library keeps a copy
for the next reload.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from lib_fabric.arguments import argument_names
from lib_fabric.library.library import Library
from lib_fabric.page.host import PageHost
from lib_fabric.page.html.lists import lists_html, reset_html
from lib_fabric.page.html.parts import THUMBS
from lib_fabric.page.outcome import PageState, nothing_raised
from lib_fabric.page.presses.presses import Presses
from lib_fabric.page.relay import Relay
from lib_fabric.page.rendering import PARTS, Rendering
from lib_fabric.page.shown_pictures import ShownPictures
from lib_fabric.page.widgets import SettingWidgets, infotext_fields
from lib_fabric.rating_texts import read_lists
from lib_fabric.ratings import LIST_NAMES, ListName
from lib_fabric.settings import FabricSettings

_THUMB_IDS: dict[ListName, str] = {"liked": "like", "disliked": "dislike"}
_THUMB_TOOLTIPS: dict[ListName, str] = {
    "liked": "Like the picture for FABRIC; press again to undo.",
    "disliked": "Dislike the picture for FABRIC; press again to undo.",
}
_COMPARE_TOOLTIP = "Compare: make the selected picture with FABRIC and without, side by side."
_OF_EVERY_PRESS = ("enabled", *LIST_NAMES)


class FabricTab:
    """The components of one tab in one page build.

    Attributes:
        infotext_fields: pairs for the host's `Script.infotext_fields`, after `build`.
        paste_field_names: names for the host's `Script.paste_field_names`, after `build`.
    """

    def __init__(self, tab: str, library: Library, host: PageHost) -> None:
        self._tab = tab
        self._host = host
        self._presses = Presses(library, host)
        self._rendering = Rendering(library, host)
        self._relay = Relay(tab, host)
        # By name: what presses read and what answers set.
        self._components: dict[str, Any] = {}
        self._settings: list[str] = []
        self._gallery: gr.Gallery | None = None
        self._generation_info: gr.Textbox | None = None
        self._has_thumbs = False
        self._is_wired = False
        self.infotext_fields: list[tuple[Any, Any]] = []
        self.paste_field_names: list[str] = []

    def build(self) -> list[Any]:
        """Creates the accordion; returns the script's arguments in order."""
        is_enabled = next(field for field in FabricSettings.fields() if field.name == "enabled")
        enabled = self._host.accordion(
            "FABRIC", self._id("accordion"), "fabric-accordion", is_enabled.default
        )
        with enabled:
            with enabled.extra():
                counts = self._html("counts", "fabric-counts-box")
            self._html("note", "fabric-note-box")
            self._html("lists", "fabric-lists", lists_html())
            settings = SettingWidgets(self._tab, self._host).build()
            self._html("reset", "fabric-reset-box", reset_html())
            presets = self._panel("Presets", "presets", "fabric-presets-box")
            history = self._panel("History", "history", "fabric-history")
            boxes = self._relay.build(LIST_NAMES)
        arguments = {"enabled": enabled, **boxes, **settings}
        parts = {"counts": counts, "presets": presets, "history": history}
        self._components = arguments | parts
        self._settings = list(settings)
        self.infotext_fields = infotext_fields(arguments)
        if self._host.is_sent_along():
            self.paste_field_names = [str(name) for _, name in self.infotext_fields]
        self._wire("edit", settings)
        self._watch(settings)
        return [*(arguments[name] for name in argument_names()), self._relay.mark]

    def start_values(self) -> dict[str, object]:
        """What the settings' widgets show at first, by name: untrusted, files may say anything."""
        return {name: self._components[name].value for name in self._settings}

    def after_component(self, component: Any, elem_id: str | None) -> None:  # noqa: ANN401 (any gradio component)
        """Takes note of the host's components; adds the thumbs to the row under the gallery."""
        if elem_id == f"{self._tab}_gallery":
            self._gallery = component
        elif elem_id == f"generation_info_{self._tab}":
            self._generation_info = component
        elif elem_id == f"{self._tab}_send_to_extras" and not self._has_thumbs:
            self._has_thumbs = True
            for name in LIST_NAMES:
                press = f"() => fabricUi.press('{self._tab}', '{name}')"
                self._build_tool(THUMBS[name], _THUMB_IDS[name], _THUMB_TOOLTIPS[name], press)
            press = f"() => fabricUi.compare('{self._tab}')"
            self._build_tool("🆚", "compare", _COMPARE_TOOLTIP, press)
        shown = {"gallery": self._gallery, "generation_info": self._generation_info}
        if self._has_thumbs and not self._is_wired and None not in shown.values():
            self._is_wired = True
            settings = {name: self._components[name] for name in self._settings}
            self._wire("rate", {**shown, **settings})

    def _html(self, name: str, css_class: str, value: str = "") -> gr.HTML:
        component = gr.HTML(value, elem_id=self._id(name), elem_classes=[css_class])
        self._host.keep_out_of_config(component)
        return component

    def _panel(self, label: str, name: str, css_class: str) -> gr.HTML:
        """A closed accordion; `fabric.js` asks for what is in it."""
        with gr.Accordion(label, open=False, elem_id=self._id(f"{name}_panel")):
            return self._html(name, css_class)

    def _build_tool(self, text: str, name: str, tooltip: str, press: str) -> None:
        """A button in the row under the gallery that calls the page's script."""
        button = self._host.tool_button(text, self._id(name), f"fabric-{name}")
        self._host.set_tooltip(button, tooltip)
        self._host.keep_out_of_config(button)
        button.click(fn=None, **self._host.javascript(press))

    def _wire(self, channel: str, more: Mapping[str, Any]) -> None:
        """Makes presses of one channel reach us; they bring `more` along."""
        inputs = {name: self._components[name] for name in _OF_EVERY_PRESS}
        outputs = {name: self._components[name] for name in (*PARTS, *self._settings)}
        self._relay.wire(channel, self._answer, {**inputs, **more}, outputs)

    def _watch(self, settings: Mapping[str, Any]) -> None:
        """Lets `fabric.js` know of every change of a setting, whoever makes it."""
        told = self._host.javascript(
            f"(...values) => fabricUi.settingsChanged('{self._tab}', {list(settings)}, values)"
        )
        for widget in settings.values():
            widget.change(fn=None, inputs=list(settings.values()), **told)

    def _answer(self, request: gr.Request | None, given: Mapping[str, object]) -> dict[str, object]:
        """Carries out a press that brought `given`, by name; what the page is to show, by name."""
        page = PageState(
            read_lists(given["liked"], given["disliked"]),
            is_enabled=given["enabled"] is True,
            shown=ShownPictures.from_client(given.get("gallery"), given.get("generation_info")),
            tab=self._tab,
            owner=self._host.login(request),
            settings={name: given[name] for name in self._settings if name in given},
            start_values=self.start_values(),
        )
        outcome = self._presses.carry_out(given["action"], page)
        values = self._rendering.values(outcome, page)
        with nothing_raised(outcome):
            if outcome.note is not None:
                self._host.toast(outcome.note.text, outcome.note.is_warning)
        return values

    def _id(self, name: str) -> str:
        return f"{self._tab}_fabric_{name}"
