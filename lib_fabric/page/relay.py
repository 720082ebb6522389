"""How a press on the page reaches the server, and the answer the page.

gradio knows only whole components, so `fabric.js` writes one action into a hidden field, presses a
hidden button and reads the reply out of another field. Knows gradio and the outcome of a press.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from lib_fabric.page.outcome import Note, Outcome
from lib_fabric.rating_texts import format_list
from lib_fabric.ratings import LIST_NAMES

CHANNELS = ("edit", "rate")


class Relay:
    """The hidden components of one tab."""

    def __init__(self, tab: str) -> None:
        self._tab = tab

    def build(self, lists: Sequence[str]) -> dict[str, Any]:
        """Creates them; returns the text fields that hold the page's `lists`, by name."""
        with gr.Row(elem_id=self._id("relay")):
            boxes = {name: self._box(name) for name in lists}
            self._action = self._box("action")
            self._reply = self._box("reply")
            self._buttons = {name: self._button(name) for name in CHANNELS}
        for box in boxes.values():
            # Set by infotext rather than by an answer: the page's script notices and asks for one.
            box.change(
                fn=None,
                _js=f"(...lists) => fabricUi.listsChanged('{self._tab}', lists)",
                inputs=list(boxes.values()),
            )
        return boxes

    def wire(
        self,
        channel: str,
        answer: Callable[..., list[Any]],
        inputs: list[Any],
        outputs: list[Any],
    ) -> None:
        """Makes presses of one channel reach `answer`.

        Args:
            answer: called with gradio's request, the action's JSON and the `inputs`; returns the
                `outputs` and the reply's JSON.
        """
        inputs = [self._action, *inputs]
        event = self._buttons[channel].click(
            fn=answer,
            # gradio hands over the outputs' values too; only the inputs may go back.
            _js=f"(...values) => fabricUi.take('{self._tab}', '{channel}', "
            f"values.slice(0, {len(inputs)}))",
            inputs=inputs,
            outputs=[*outputs, self._reply],
            show_progress="hidden",
            api_name=False,
        )
        event.then(
            fn=None, _js=f"(reply) => fabricUi.finish('{self._tab}', reply)", inputs=[self._reply]
        )

    def _box(self, name: str) -> Any:  # noqa: ANN401 (gradio component)
        # Not visible=False, here and below: later versions of gradio leave such components out of
        # the page, and an invisible field never says that it was changed. style.css hides the row.
        return hidden_from_config(gr.Textbox("", label=self._id(name), elem_id=self._id(name)))

    def _button(self, name: str) -> Any:  # noqa: ANN401 (gradio component)
        return hidden_from_config(gr.Button(self._id(name), elem_id=self._id(name)))

    def _id(self, name: str) -> str:
        return f"{self._tab}_fabric_{name}"


def hidden_from_config(component: Any) -> Any:  # noqa: ANN401 (any gradio component)
    """The component, left out of the host's ui-config.json, which would freeze its value."""
    # Host modules/ui_loadsave.py.
    component.do_not_save_to_config = True
    return component


def reply_json(outcome: Outcome, note: Note | None, limit: int) -> str:
    """What `fabric.js` needs to know of an answer; each list may hold `limit` pictures."""
    download = outcome.download
    return json.dumps(
        {
            "number": outcome.action.number if outcome.action else 0,
            **{name: outcome.ratings.pictures(name) for name in LIST_NAMES},
            "texts": [format_list(outcome.ratings.of(name)) for name in LIST_NAMES],
            "limit": limit,
            "rated": outcome.picture_id,
            "change": outcome.change.to_text() if outcome.change else "",
            "note": note.text if note else "",
            "failed": bool(note and note.is_warning),
            "file": download
            and {"name": download.name, "data": base64.b64encode(download.data).decode()},
        }
    )


def toast(note: Note | None) -> None:
    """Shows a note in gradio's own way, where it can."""
    # With --no-gradio-queue gradio cannot toast and warns on the console for every try;
    # fabric.js shows the note itself then.
    blocks = getattr(getattr(gr.context, "thread_data", None), "blocks", None)
    if note is not None and blocks is not None and blocks.enable_queue:
        (gr.Warning if note.is_warning else gr.Info)(note.text)
