"""The FABRIC accordion and the thumbs under the result gallery, for one tab.

Knows gradio, settings, ratings and the library; not torch, not `modules.*`: what the host provides
is passed in as a `Toolkit`. Nothing here outlives a page build: 'Reload UI' makes new objects. What
a page has rated lies in two hidden text fields of that page, so that it survives whatever becomes
of the server; the library keeps a copy for the next reload.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from functools import lru_cache, partial
from typing import Any

import gradio as gr

from lib_fabric.arguments import argument_names
from lib_fabric.errors import FabricError
from lib_fabric.infotext import read_enabled
from lib_fabric.library.library import Library
from lib_fabric.page.actions import ShownPictures
from lib_fabric.page.answers import Answerer, GalleryPicture, PictureDetails
from lib_fabric.page.html.lists import THUMBNAIL_PX, THUMBS, counts_html, lists_html, note_html
from lib_fabric.page.outcome import Note, Outcome, Page, note_of
from lib_fabric.page.panels import Panels
from lib_fabric.page.relay import Relay, hidden_from_config, reply_json, toast
from lib_fabric.rating_texts import format_list, read_lists
from lib_fabric.ratings import LIST_NAMES, Ratings
from lib_fabric.settings import (
    DEFAULT_MAX_PICTURES,
    FabricSettings,
    SettingField,
    infotext_key,
    read_infotext,
)

# Which settings share a row; one that is not named here gets a line of its own below.
STRENGTH_ROW = ("strength", "negative_scale")
SCHEDULE_ROW = ("start", "end", "min_strength")
SPEED_ROW = ("merge", "max_tokens", "refresh")
BUTTON_IDS = {"liked": "like", "disliked": "dislike"}
MAX_THUMBNAILS = 512


@dataclass(frozen=True)
class Toolkit:
    """What the host provides.

    Attributes:
        accordion: its `InputAccordion(value, label=, elem_id=)`.
        tool_button: its `ToolButton(value, elem_id=)`.
        gallery_picture: its checked reader of one entry of a gallery; raises for a path that the
            host did not hand out.
        picture_details: its reader of how a picture was made.
        max_pictures: the most pictures that each list may hold now.
        start_values: what the widgets of these settings show at first, whatever ui-config.json has.
    """

    accordion: Callable[..., Any]
    tool_button: Callable[..., Any]
    gallery_picture: GalleryPicture
    picture_details: PictureDetails
    max_pictures: Callable[[], int] = lambda: DEFAULT_MAX_PICTURES
    start_values: Mapping[str, object] = dataclass_field(default_factory=dict)


class FabricUi:
    """The components of one tab in one page build.

    Attributes:
        infotext_fields: pairs for the host's `Script.infotext_fields`, after `build`.
        paste_field_names: keys for the host's `Script.paste_field_names`, after `build`.
    """

    def __init__(self, tab: str, library: Library, toolkit: Toolkit) -> None:
        self._tab = tab
        self._store = library.store
        self._toolkit = toolkit
        self._answerer = Answerer(
            library, toolkit.gallery_picture, toolkit.picture_details, toolkit.max_pictures
        )
        self._relay = Relay(tab)
        self._panels = Panels(library, self._thumbnail)
        # Content-addressed, so that pages may share them; bounded, a few KB each.
        self._cached_thumbnail = lru_cache(MAX_THUMBNAILS)(self._make_thumbnail)
        self._gallery: gr.Gallery | None = None
        self._generation_info: gr.Textbox | None = None
        self._has_thumbs = False
        self._is_wired = False
        self.infotext_fields: list[tuple[Any, Any]] = []
        self.paste_field_names: list[str] = []

    def build(self) -> list[Any]:
        """Creates the accordion; returns the script's arguments in order."""
        fields = {field.name: field for field in FabricSettings.fields()}
        enabled = self._toolkit.accordion(
            fields["enabled"].default, label="FABRIC", elem_id=self._id("accordion")
        )
        arguments = {"enabled": enabled}
        with enabled:
            with enabled.extra():
                self._counts = hidden_from_config(gr.HTML("", elem_id=self._id("counts")))
            self._note = hidden_from_config(gr.HTML("", elem_id=self._id("note")))
            self._lists = hidden_from_config(
                gr.HTML(lists_html(Ratings(), self._thumbnail), elem_id=self._id("lists"))
            )
            arguments |= self._build_settings(fields)
            self._presets = self._build_panel("Presets", "presets")
            self._history = self._build_panel("History", "history")
            arguments |= self._relay.build(LIST_NAMES)
        self._settings = {
            name: widget
            for name, widget in arguments.items()
            if name not in ("enabled", *LIST_NAMES)
        }
        self._arguments = [arguments[name] for name in argument_names()]
        self._enabled, self._liked, self._disliked = self._arguments[:3]
        self._set_infotext_fields(arguments)
        self._wire("edit", self._answer_edit, list(self._settings.values()))
        return self._arguments

    def after_component(self, component: Any, elem_id: str | None) -> None:  # noqa: ANN401 (any gradio component)
        """Takes note of the host's components; adds the thumbs to the row under the gallery."""
        if elem_id == f"{self._tab}_gallery":
            self._gallery = component
        elif elem_id == f"generation_info_{self._tab}":
            self._generation_info = component
        elif elem_id == f"{self._tab}_send_to_extras" and not self._has_thumbs:
            self._has_thumbs = True
            for name in LIST_NAMES:
                self._build_thumb(name)
        shown = [self._gallery, self._generation_info]
        if self._has_thumbs and not self._is_wired and None not in shown:
            self._is_wired = True
            self._wire("rate", self._answer_rating, shown)

    def _build_settings(self, fields: Mapping[str, SettingField]) -> dict[str, Any]:
        """The widgets of every setting but `enabled`, by name."""
        in_rows = (*STRENGTH_ROW, *SCHEDULE_ROW, *SPEED_ROW)
        rest = [name for name in fields if name not in ("enabled", *in_rows)]
        with gr.Row(elem_id=self._id("strength_row")):
            widgets = {name: self._build_widget(fields[name]) for name in STRENGTH_ROW}
        with (
            gr.Accordion("Schedule", open=False, elem_id=self._id("schedule")),
            gr.Row(elem_id=self._id("schedule_row")),
        ):
            widgets |= {name: self._build_widget(fields[name]) for name in SCHEDULE_ROW}
        widgets |= {name: self._build_widget(fields[name]) for name in rest}
        with (
            gr.Accordion("Speed", open=False, elem_id=self._id("speed")),
            gr.Row(elem_id=self._id("speed_row")),
        ):
            return widgets | {name: self._build_widget(fields[name]) for name in SPEED_ROW}

    def _build_widget(self, field: SettingField) -> Any:  # noqa: ANN401 (slider, checkbox or dropdown)
        start_values = self._toolkit.start_values
        value = start_values.get(field.name, field.default)
        shared = {"label": field.label, "value": value, "elem_id": self._id(field.name)}
        if field.kind == "bool":
            widget = gr.Checkbox(**shared)
        elif field.kind == "choice":
            widget = gr.Dropdown(list(field.choices), **shared)
        else:
            widget = gr.Slider(field.minimum, field.maximum, step=field.step, **shared)
        if field.name in start_values:
            hidden_from_config(widget)
        return _with_tooltip(widget, field.help)

    def _build_panel(self, label: str, name: str) -> Any:  # noqa: ANN401 (gradio component)
        """A closed accordion; `fabric.js` asks for what is in it."""
        with gr.Accordion(label, open=False, elem_id=self._id(f"{name}_panel")):
            return hidden_from_config(gr.HTML("", elem_id=self._id(name)))

    def _build_thumb(self, name: str) -> None:
        verb = BUTTON_IDS[name]
        button = self._toolkit.tool_button(THUMBS[name], elem_id=self._id(verb))
        _with_tooltip(button, f"{verb.capitalize()} the picture for FABRIC; press again to undo.")
        hidden_from_config(button)
        button.click(fn=None, _js=f"() => fabricUi.press('{self._tab}', '{name}')")

    def _wire(self, channel: str, answer: Callable[..., list[Any]], extra: list[Any]) -> None:
        """Makes presses of one channel reach `answer`, and the answer the page."""
        outputs = [
            self._liked,
            self._disliked,
            self._enabled,
            self._counts,
            self._lists,
            self._note,
            self._history,
            self._presets,
            *self._settings.values(),
        ]
        shared = [self._enabled, self._liked, self._disliked]
        self._relay.wire(channel, answer, [*shared, *extra], outputs)

    def _answer_rating(
        self,
        request: gr.Request,
        text: object,
        enabled: object,
        liked: object,
        disliked: object,
        gallery: object,
        generation_info: object,
    ) -> list[Any]:
        """Carries out a press on a gallery picture; the values of `_wire`'s outputs."""
        page = self._page(request, enabled, liked, disliked)
        shown = ShownPictures.from_client(gallery, generation_info)
        return self._answer(text, replace(page, shown=shown))

    def _answer_edit(
        self,
        request: gr.Request,
        text: object,
        enabled: object,
        liked: object,
        disliked: object,
        *settings: object,
    ) -> list[Any]:
        """Carries out any other press."""
        page = self._page(request, enabled, liked, disliked)
        values = dict(zip(self._settings, settings, strict=True))
        return self._answer(text, replace(page, settings=values))

    def _page(
        self, request: gr.Request | None, enabled: object, liked: object, disliked: object
    ) -> Page:
        ratings = read_lists(liked, disliked)
        owner = getattr(request, "username", None) or ""
        return Page(ratings, enabled is True, tab=self._tab, owner=owner)

    def _answer(self, text: object, page: Page) -> list[Any]:
        outcome = self._answerer.answer(text, page)
        panels, failed = self._panel_values(outcome, page)
        note = outcome.note or failed
        toast(note)
        return [
            *(format_list(outcome.ratings.of(name)) for name in LIST_NAMES),
            gr.update(value=True) if outcome.switch_on else gr.update(),
            counts_html(outcome.ratings),
            lists_html(outcome.ratings, self._thumbnail),
            note_html(note),
            *panels,
            *self._setting_values(outcome),
            reply_json(outcome, note, self._toolkit.max_pictures()),
        ]

    def _panel_values(self, outcome: Outcome, page: Page) -> tuple[list[Any], Note | None]:
        """History and presets as far as they are to be shown anew, and what went wrong there."""
        history = presets = gr.update()
        action = outcome.action
        try:
            if action is not None and action.shows_history:
                history = self._panels.history(page, action)
            if outcome.presets_changed:
                presets = self._panels.presets(page)
        except FabricError as error:
            return [history, presets], note_of(error)
        return [history, presets], None

    def _setting_values(self, outcome: Outcome) -> list[Any]:
        if outcome.settings is None:
            return [gr.update() for _ in self._settings]
        defaults = {field.name: field.default for field in FabricSettings.fields()}
        values = {**defaults, **outcome.settings}
        return [gr.update(value=values[name]) for name in self._settings]

    def _set_infotext_fields(self, arguments: Mapping[str, Any]) -> None:
        fields = [field for field in FabricSettings.fields() if field.name != "enabled"]

        def read_list(name: str, params: Mapping[str, object]) -> str | None:
            return str(params.get(infotext_key(name), "")) if read_enabled(params) else None

        readers = [(arguments[field.name], partial(read_infotext, field)) for field in fields]
        lists = [(arguments[name], partial(read_list, name)) for name in LIST_NAMES]
        self.infotext_fields = [(arguments["enabled"], read_enabled), *readers, *lists]
        self.paste_field_names = [infotext_key(field.name) for field in fields]

    def _thumbnail(self, picture_id: str) -> bytes:
        if picture_id not in self._store:
            raise FabricError("The picture's file is gone.")
        return self._cached_thumbnail(picture_id)

    def _make_thumbnail(self, picture_id: str) -> bytes:
        return self._store.thumbnail(picture_id, THUMBNAIL_PX)

    def _id(self, name: str) -> str:
        return f"{self._tab}_fabric_{name}"


def _with_tooltip(component: Any, text: str) -> Any:  # noqa: ANN401 (any gradio component)
    # What the host's own tooltip= sets (modules/gradio_extensons.py); harmless in plain gradio.
    component.webui_tooltip = text
    return component
