"""What the page needs of the WebUI that shows it, so that another family can fill it.

Knows gradio's request and the library's details of a picture; no WebUI.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import gradio as gr
from PIL import Image

from lib_fabric.library.history_entry import Details


class PageHost(Protocol):
    """One WebUI, as the page sees it.

    Attributes:
        entry_path: under which keys a gallery's entry, as the browser sends it, names its file.
    """

    entry_path: tuple[str, ...]

    def accordion(self, label: str, elem_id: str, elem_class: str, value: bool) -> Any:  # noqa: ANN401 (gradio component)
        """An accordion that is a tick at once: its value is whether it is open.

        Enter it to put components inside, and its `extra()` to put them into its title.
        """

    def tool_button(self, text: str, elem_id: str, elem_class: str) -> Any:  # noqa: ANN401 (as above)
        """A small button, as the others in the row under the gallery."""

    def set_tooltip(self, component: Any, text: str) -> None:  # noqa: ANN401 (as above)
        """Shows `text` over a component."""

    def keep_out_of_config(self, component: Any) -> None:  # noqa: ANN401 (as above)
        """Leaves a component out of where the WebUI keeps start values, which would freeze it."""

    def javascript(self, code: str) -> Mapping[str, str]:
        """The keyword by which an event of gradio takes the function `code`."""

    def toast(self, text: str, is_warning: bool) -> None:
        """Shows a text for a moment, where it can; called while an event is handled."""

    def login(self, request: gr.Request | None) -> str:
        """The name that whoever sent this is logged in by; '' where there are no logins."""

    def gallery_picture(self, entry: object) -> Image.Image:
        """The picture of one entry of a gallery, as gradio hands it to a handler.

        May raise anything for what the WebUI has not shown itself: the entry is the client's word.
        """

    def picture_details(self, image: Image.Image) -> Details:
        """How a picture was made; empty where it does not say."""

    def max_pictures(self) -> int:
        """How many pictures each list may hold now."""

    def is_sent_along(self) -> bool:
        """Whether what sends a picture to another tab takes ratings and settings along."""

    def start_values(self) -> Mapping[str, object]:
        """What the widgets of these settings show at first, whatever the WebUI has kept."""
