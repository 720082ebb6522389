"""The FABRIC accordion and the thumbs under the result gallery, for one tab.

Knows gradio, settings, ratings and the store; not torch, not `modules.*`: what the host provides
is passed in as a `Toolkit`. Nothing here outlives a page build: 'Reload UI' makes new objects, and
what a page has rated lives in that page's gradio state.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import gradio as gr
from PIL import Image

from lib_fabric.errors import FabricError
from lib_fabric.request import MAX_PICTURES, PICTURE_LISTS, argument_names
from lib_fabric.settings import FabricSettings, SettingField, infotext_key, read_infotext
from lib_fabric.store import PictureStore
from lib_fabric.ui_actions import ShownPictures
from lib_fabric.ui_answers import Answerer, Note, Outcome, Page
from lib_fabric.ui_html import THUMBNAIL_PX, THUMBS, counts_html, lists_html, note_html
from lib_fabric.ui_ratings import Ratings

# Which settings share a row; one that is not named here gets a line of its own below.
STRENGTH_ROW = ("strength", "negative_scale")
SCHEDULE_ROW = ("start", "end", "min_strength")
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
    """

    accordion: Callable[..., Any]
    tool_button: Callable[..., Any]
    gallery_picture: Callable[[object], Image.Image]


class FabricUi:
    """The components of one tab in one page build.

    Attributes:
        infotext_fields: pairs for the host's `Script.infotext_fields`, after `build`.
        paste_field_names: keys for the host's `Script.paste_field_names`, after `build`.
    """

    def __init__(self, tab: str, store: PictureStore, toolkit: Toolkit) -> None:
        self._tab = tab
        self._store = store
        self._toolkit = toolkit
        self._answerer = Answerer(store, toolkit.gallery_picture)
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
                self._counts = self._hidden_from_config(gr.HTML("", elem_id=self._id("counts")))
            self._note = self._hidden_from_config(gr.HTML("", elem_id=self._id("note")))
            self._lists = self._hidden_from_config(
                gr.HTML(lists_html(Ratings(), self._thumbnail), elem_id=self._id("lists"))
            )
            for name in PICTURE_LISTS:
                arguments[name] = self._hidden_from_config(gr.State([]))
            arguments |= self._build_settings(fields)
            self._build_relay()
        self._arguments = [arguments[name] for name in argument_names()]
        self._enabled, self._liked, self._disliked = self._arguments[:3]
        self._set_infotext_fields(arguments)
        self._wire(self._edit_button, "edit", [])
        return self._arguments

    def after_component(self, component: Any, elem_id: str | None) -> None:  # noqa: ANN401 (any gradio component)
        """Takes note of the host's components; adds the thumbs to the row under the gallery."""
        if elem_id == f"{self._tab}_gallery":
            self._gallery = component
        elif elem_id == f"generation_info_{self._tab}":
            self._generation_info = component
        elif elem_id == f"{self._tab}_send_to_extras" and not self._has_thumbs:
            self._has_thumbs = True
            for name in PICTURE_LISTS:
                self._build_thumb(name)
        shown = [self._gallery, self._generation_info]
        if self._has_thumbs and not self._is_wired and None not in shown:
            self._is_wired = True
            self._wire(self._rate_button, "rate", shown)

    def _build_settings(self, fields: Mapping[str, SettingField]) -> dict[str, Any]:
        """The widgets of every setting but `enabled`, by name."""
        rest = [name for name in fields if name not in ("enabled", *STRENGTH_ROW, *SCHEDULE_ROW)]
        with gr.Row(elem_id=self._id("strength_row")):
            widgets = {name: self._build_widget(fields[name]) for name in STRENGTH_ROW}
        with (
            gr.Accordion("Schedule", open=False, elem_id=self._id("schedule")),
            gr.Row(elem_id=self._id("schedule_row")),
        ):
            widgets |= {name: self._build_widget(fields[name]) for name in SCHEDULE_ROW}
        return widgets | {name: self._build_widget(fields[name]) for name in rest}

    def _build_widget(self, field: SettingField) -> Any:  # noqa: ANN401 (slider or checkbox)
        shared = {"label": field.label, "value": field.default, "elem_id": self._id(field.name)}
        if field.kind == "bool":
            widget = gr.Checkbox(**shared)
        else:
            widget = gr.Slider(field.minimum, field.maximum, step=field.step, **shared)
        return _with_tooltip(widget, field.help)

    def _build_relay(self) -> None:
        """Hidden components through which `fabric.js` sends presses and hears the answer."""
        with gr.Row(elem_id=self._id("relay")):
            self._action = self._relay_box("action")
            self._reply = self._relay_box("reply")
            self._edit_button = self._relay_button("edit")
            self._rate_button = self._relay_button("rate")

    def _relay_box(self, name: str) -> Any:  # noqa: ANN401 (gradio component)
        box = gr.Textbox("", label=self._id(name), elem_id=self._id(name), visible=False)
        return self._hidden_from_config(box)

    def _relay_button(self, name: str) -> Any:  # noqa: ANN401 (gradio component)
        # Not visible=False: later versions of gradio leave such components out of the page, and
        # the script could not press it. style.css hides the row.
        return self._hidden_from_config(gr.Button(self._id(name), elem_id=self._id(name)))

    def _build_thumb(self, name: str) -> None:
        verb = BUTTON_IDS[name]
        button = self._toolkit.tool_button(THUMBS[name], elem_id=self._id(verb))
        _with_tooltip(button, f"{verb.capitalize()} the picture for FABRIC; press again to undo.")
        self._hidden_from_config(button)
        button.click(fn=None, _js=f"() => fabricUi.press('{self._tab}', '{name}')")

    def _wire(self, button: Any, channel: str, shown: list[Any]) -> None:  # noqa: ANN401 (gradio button)
        """Makes a press on a relay button carry one action to the server and the answer back."""
        inputs = [self._action, self._enabled, self._liked, self._disliked, *shown]
        outputs = [
            self._liked,
            self._disliked,
            self._enabled,
            self._counts,
            self._lists,
            self._note,
            self._reply,
        ]
        event = button.click(
            fn=self._answer,
            # gradio hands over the outputs' values too; only the inputs may go back.
            _js=f"(...values) => fabricUi.take('{self._tab}', '{channel}', "
            f"values.slice(0, {len(inputs)}))",
            inputs=inputs,
            outputs=outputs,
            show_progress="hidden",
            api_name=False,
        )
        event.then(
            fn=None, _js=f"(reply) => fabricUi.finish('{self._tab}', reply)", inputs=[self._reply]
        )

    def _answer(
        self,
        text: object,
        enabled: object,
        liked: object,
        disliked: object,
        gallery: object = None,
        generation_info: object = None,
    ) -> list[Any]:
        """Carries out one press; the values of `_wire`'s outputs."""
        shown = ShownPictures.from_client(gallery, generation_info)
        page = Page(Ratings.from_lists(liked, disliked), enabled is True, shown)
        outcome = self._answerer.answer(text, page)
        _toast(outcome.note)
        return [
            list(outcome.ratings.liked),
            list(outcome.ratings.disliked),
            gr.update(value=True) if outcome.switch_on else gr.update(),
            counts_html(outcome.ratings),
            lists_html(outcome.ratings, self._thumbnail),
            note_html(outcome.note),
            _reply_json(outcome),
        ]

    def _set_infotext_fields(self, arguments: Mapping[str, Any]) -> None:
        fields = [field for field in FabricSettings.fields() if field.name != "enabled"]
        rated = [infotext_key(name) for name in PICTURE_LISTS]

        def was_enabled(params: Mapping[str, object]) -> bool | None:
            return True if any(key in params for key in rated) else None

        readers = [(arguments[field.name], partial(read_infotext, field)) for field in fields]
        self.infotext_fields = [(arguments["enabled"], was_enabled), *readers]
        self.paste_field_names = [infotext_key(field.name) for field in fields]

    def _thumbnail(self, picture_id: str) -> bytes:
        if picture_id not in self._store:
            raise FabricError("The picture's file is gone.")
        return self._cached_thumbnail(picture_id)

    def _make_thumbnail(self, picture_id: str) -> bytes:
        return self._store.thumbnail(picture_id, THUMBNAIL_PX)

    def _id(self, name: str) -> str:
        return f"{self._tab}_fabric_{name}"

    @staticmethod
    def _hidden_from_config(component: Any) -> Any:  # noqa: ANN401 (any gradio component)
        # Host modules/ui_loadsave.py: else ui-config.json would freeze its value for ever.
        component.do_not_save_to_config = True
        return component


def _with_tooltip(component: Any, text: str) -> Any:  # noqa: ANN401 (any gradio component)
    # What the host's own tooltip= sets (modules/gradio_extensons.py); harmless in plain gradio.
    component.webui_tooltip = text
    return component


def _reply_json(outcome: Outcome) -> str:
    """What `fabric.js` needs to know of an answer."""
    note = outcome.note
    return json.dumps(
        {
            "number": outcome.number,
            "liked": outcome.ratings.liked,
            "disliked": outcome.ratings.disliked,
            "limit": MAX_PICTURES,
            "rated": outcome.picture_id,
            "note": note.text if note else "",
        }
    )


def _toast(note: Note | None) -> None:
    # With --no-gradio-queue gradio cannot toast and warns on the console for every try;
    # fabric.js shows the note itself then.
    blocks = getattr(getattr(gr.context, "thread_data", None), "blocks", None)
    if note is not None and blocks is not None and blocks.enable_queue:
        (gr.Warning if note.is_warning else gr.Info)(note.text)
