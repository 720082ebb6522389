"""What the page needs of a WebUI: the host's own components, and what its gradio has.

Knows `modules.ui_components`; fills `page.host.PageHost`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr
from modules import ui_components
from PIL import Image

from lib_fabric.hosts import options, pictures
from lib_fabric.library.history_entry import Details
from lib_fabric.page.gradio_versions import Gradio


class WebuiPageHost(Gradio):
    """page.host.PageHost for AUTOMATIC1111's page and those made of it."""

    def accordion(self, label: str, elem_id: str, elem_class: str, value: bool) -> Any:  # noqa: ANN401 (gradio component)
        """Its tick in an accordion's title."""
        # By module here and below: up to 1.8.0 Reload UI makes its classes anew.
        made = ui_components.InputAccordion(value, label=label, elem_id=elem_id)
        # The host sets the classes of the accordion inside itself.
        made.accordion.elem_classes.append(elem_class)
        return made

    def tool_button(self, text: str, elem_id: str, elem_class: str) -> Any:  # noqa: ANN401 (gradio component)
        """Its button with an emoji."""
        return ui_components.ToolButton(text, elem_id=elem_id, elem_classes=[elem_class])

    def set_tooltip(self, component: Any, text: str) -> None:  # noqa: ANN401 (gradio component)
        """As its own `tooltip=` does (modules/gradio_extensons.py)."""
        component.webui_tooltip = text

    def keep_out_of_config(self, component: Any) -> None:  # noqa: ANN401 (gradio component)
        """Out of ui-config.json (modules/ui_loadsave.py)."""
        component.do_not_save_to_config = True

    def login(self, request: gr.Request | None) -> str:
        """As gradio knows it."""
        return getattr(request, "username", None) or ""

    def gallery_picture(self, entry: object) -> Image.Image:
        """As `pictures.gallery_picture`."""
        return pictures.gallery_picture(entry)

    def picture_details(self, image: Image.Image) -> Details:
        """As `pictures.picture_details`."""
        return pictures.picture_details(image)

    def max_pictures(self) -> int:
        """As the settings say."""
        return options.max_pictures()

    def is_sent_along(self) -> bool:
        """As the settings say."""
        return options.is_sent_along()

    def start_values(self) -> Mapping[str, object]:
        """As the settings say."""
        return options.start_values()
