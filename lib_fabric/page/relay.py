"""How a press on the page reaches the server, and the answer the page.

The way goes through gradio's own events rather than through routes of ours: so it is gradio that
asks for the login, keeps the queue and knows the address below which the WebUI is reached, in every
version and family, each of which checks a login in another way. gradio knows only whole components,
so `fabric.js` writes one action into a hidden field, presses a hidden button and reads the reply
out of another field.

The answer's lists go back as what is to be changed in those that were sent, since ids are long and
lists may be, too.

Knows gradio and the names of what goes in and out; not what a press does.
"""

from __future__ import annotations

import json
import os.path
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr

from lib_fabric.page.host import PageHost
from lib_fabric.page_arguments import PAGE_MARK

CHANNELS = ("edit", "rate")
Answer = Callable[[gr.Request, Mapping[str, object]], Mapping[str, object]]


class Relay:
    """The hidden components of one tab.

    Attributes:
        mark: by which a request is known to be the page's, whoever sends it; after `build`.
    """

    def __init__(self, tab: str, host: PageHost) -> None:
        self._tab = tab
        self._host = host
        self.mark: Any = None

    def build(self, lists: Sequence[str]) -> dict[str, Any]:
        """Creates them; returns the text fields that hold the page's `lists`, by name."""
        with gr.Row(elem_id=self._id("relay"), elem_classes=["fabric-relay"]):
            self._lists = {name: self._box(name) for name in lists}
            self.mark = self._box("mark")
            self._action = self._box("action")
            self._reply = self._box("reply")
            self._edits = self._box("edits")
            self._buttons = {name: self._button(name) for name in CHANNELS}
        for box in self._lists.values():
            # Set by infotext rather than by an answer: the page's script notices and asks for one.
            box.change(
                fn=None,
                inputs=list(self._lists.values()),
                **self._host.javascript(
                    f"(...lists) => fabricUi.listsChanged('{self._tab}', lists)"
                ),
            )
        # Empty for the API, which fills in what the components hold here.
        gr.context.Context.root_block.load(
            fn=None, outputs=[self.mark], **self._host.javascript(f"() => '{PAGE_MARK}'")
        )
        return dict(self._lists)

    def wire(
        self, channel: str, answer: Answer, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
    ) -> None:
        """Makes presses of one channel reach `answer`.

        Args:
            answer: called with gradio's request and the values of `action` and of `inputs`, by
                name; returns values of `reply`, of the lists and of `outputs`, by name. What it
                leaves out stays as it is on the page.
            inputs: components by name, the lists among them.
            outputs: components by name.
        """
        inputs = {"action": self._action, **inputs}
        outputs = {"reply": self._reply, "edits": self._edits, **outputs}

        def handle(request: gr.Request, *values: object) -> dict[Any, object]:
            given = dict(zip(inputs, values, strict=True))
            told = self._with_edits(given, answer(request, given))
            return {outputs[name]: value for name, value in told.items()}

        what = json.dumps({"names": list(inputs), "entryPath": self._host.entry_path})
        event = self._buttons[channel].click(
            fn=handle,
            inputs=list(inputs.values()),
            outputs=list(outputs.values()),
            show_progress="hidden",
            api_name=False,
            # gradio hands over the outputs' values too; only the inputs may go back.
            **self._host.javascript(
                f"(...values) => fabricUi.take('{self._tab}', '{channel}', {what}, "
                f"values.slice(0, {len(inputs)}))"
            ),
        )
        self._follow(event, channel)

    def _with_edits(
        self, given: Mapping[str, object], told: Mapping[str, object]
    ) -> dict[str, object]:
        """`told` with what is to be changed in the lists that were `given`, in their place."""
        edits = [_edit(given[name], told.get(name, given[name])) for name in self._lists]
        rest = {name: value for name, value in told.items() if name not in self._lists}
        return {**rest, "edits": json.dumps(edits)}

    def _follow(self, event: Any, channel: str) -> None:  # noqa: ANN401 (gradio event)
        """Hands the answer to the page's script."""
        lists = list(self._lists.values())
        event.success(
            fn=None,
            inputs=[self._reply, self._edits, *lists],
            outputs=lists,
            **self._host.javascript(
                f"(reply, edits, ...lists) => fabricUi.arrive('{self._tab}', reply, edits, "
                f"lists.slice(0, {len(lists)}))"
            ),
        )
        # The last, which comes after a failed event as well, tells that there is no answer: with
        # the first alone the reply to the press before would have to be taken for that.
        for when, code in (
            (event.success, f"(reply) => fabricUi.finish('{self._tab}', reply)"),
            (event.then, f"(reply) => fabricUi.ended('{self._tab}', '{channel}', reply)"),
        ):
            when(fn=None, inputs=[self._reply], **self._host.javascript(code))

    def _box(self, name: str) -> Any:  # noqa: ANN401 (gradio component)
        # Not visible=False, here and below: later versions of gradio leave such components out of
        # the page, and an invisible field never says that it was changed. style.css hides the row.
        return self._made(gr.Textbox("", label=self._id(name), elem_id=self._id(name)))

    def _button(self, name: str) -> Any:  # noqa: ANN401 (gradio component)
        return self._made(gr.Button(self._id(name), elem_id=self._id(name)))

    def _made(self, component: Any) -> Any:  # noqa: ANN401 (gradio component)
        self._host.keep_out_of_config(component)
        return component

    def _id(self, name: str) -> str:
        return f"{self._tab}_fabric_{name}"


def hidden_field(tab: str, name: str, host: PageHost) -> Any:  # noqa: ANN401 (gradio component)
    """A text field in which the page's script leaves something for the next generation."""
    with gr.Row(elem_classes=["fabric-relay"]):
        field = gr.Textbox("", label=f"{tab}_fabric_{name}", elem_id=f"{tab}_fabric_{name}")
    host.keep_out_of_config(field)
    return field


def _edit(before: object, after: object) -> list[object]:
    """What turns the text `before` into `after`: how much of its start stays, what comes then, and
    how much of its end stays."""
    # Browsers count other characters otherwise, and no list of ours has any.
    before = before if isinstance(before, str) and before.isascii() else ""
    after = after if isinstance(after, str) else ""
    start = len(os.path.commonprefix([before, after]))
    end = len(os.path.commonprefix([before[start:][::-1], after[start:][::-1]]))
    return [start, after[start : len(after) - end], end]
