"""What differs between the versions of gradio that WebUIs show their pages with.

Knows gradio 3 and 4; no WebUI.
"""

from __future__ import annotations

from collections.abc import Mapping

import gradio as gr


class Gradio3:
    """The part of page.host.PageHost that is gradio's, as its version 3 has it."""

    entry_path = ("name",)

    def javascript(self, code: str) -> Mapping[str, str]:
        """As gradio 3 names it."""
        return {"_js": code}

    def toast(self, text: str, is_warning: bool) -> None:
        """Not without a queue: gradio cannot then, and warns on the console for every try.

        `fabric.js` shows the note itself.
        """
        blocks = getattr(gr.context.thread_data, "blocks", None)
        if blocks is not None and blocks.enable_queue:
            (gr.Warning if is_warning else gr.Info)(text)


class Gradio4:
    """The same as versions 4 have it, which always have a queue."""

    entry_path = ("image", "path")

    def javascript(self, code: str) -> Mapping[str, str]:
        """As gradio 4 names it."""
        return {"js": code}

    def toast(self, text: str, is_warning: bool) -> None:
        """Shows it."""
        (gr.Warning if is_warning else gr.Info)(text)


Gradio = Gradio3 if gr.__version__.startswith("3.") else Gradio4
