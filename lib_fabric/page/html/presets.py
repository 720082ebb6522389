"""The HTML of the list of presets.

Knows presets and a source of thumbnails; not gradio, not the database.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from lib_fabric.errors import Message
from lib_fabric.library.preset import MAX_NAME_CHARS, Preset
from lib_fabric.page.html.parts import (
    THUMBS,
    Thumbnail,
    button_html,
    pager_html,
    picture_html,
    texts_html,
)

EMPTY_TEXT = "A preset keeps the rated pictures above and these settings under a name."
NAME_TEXT = "Name of a new preset"
PAGE_SIZE = 20
_PREVIOUS = ("previous", "Previous presets", "Previous")
_NEXT = ("next", "Next presets", "Next")
_SHOWN = 3


@dataclass(frozen=True)
class PresetsView:
    """What is to be shown: `presets` from `offset` on, of `total`; how many others can be had."""

    presets: Sequence[Preset] = ()
    total: int = 0
    offset: int = 0
    num_offered: int = 0


def presets_html(view: PresetsView, thumbnail: Thumbnail) -> str:
    """The field that saves, one row for each preset, and the button that imports."""
    rows = "".join(_row(preset, thumbnail) for preset in view.presets)
    body = f'<ul class="fabric-presets">{rows}</ul>' if rows else ""
    empty = "" if rows else f'<p class="fabric-empty">{EMPTY_TEXT}</p>'
    if view.total > PAGE_SIZE:
        body += pager_html(view.offset, len(view.presets), view.total, PAGE_SIZE, _PREVIOUS, _NEXT)
    bring = button_html("import", "Add a preset from a .zip file", "Import…", "fabric-text-button")
    offer = _offer(view.num_offered) if view.num_offered else ""
    # The bar first, so that a new row moves nothing under the pointer.
    return f'<div class="fabric-bar">{_new()}{bring}</div>{offer}{empty}{body}'


def _offer(count: int) -> str:
    message = Message("Presets of sd-webui-fabric in this WebUI: {}", str(count))
    adopt = button_html("adopt", "Copy them into FABRIC's presets", "Import", "fabric-text-button")
    decline = button_html("decline", "Do not offer them again", "No, thanks", "fabric-text-button")
    said = f"<span {texts_html(text=message)}>{escape(str(message))}</span>"
    return f'<div class="fabric-bar fabric-offer">{said}{adopt}{decline}</div>'


def _new() -> str:
    save = button_html("save", "Keep the rated pictures and the settings", "Save", "fabric-button")
    return (
        f'<input type="text" class="fabric-name" maxlength="{MAX_NAME_CHARS}" '
        f'placeholder="{NAME_TEXT}" aria-label="{NAME_TEXT}">{save}'
    )


def _row(preset: Preset, thumbnail: Thumbnail) -> str:
    name = escape(preset.name)
    pictures = itertools.islice(preset.ratings, _SHOWN)
    shown = "".join(picture_html(each.picture, "", thumbnail) for each in pictures)
    counts = " ".join(
        f"{len(preset.ratings.of(name))} {thumb}"
        for name, thumb in THUMBS.items()
        if preset.ratings.of(name)
    )
    actions = "".join(
        button_html(do, title, text, "fabric-text-button")
        for do, title, text in (
            ("load", "Use these pictures and settings", "Load"),
            ("rename", "Give it another name", "Rename"),
            ("export", "Save it as a .zip file", "Export"),
            ("delete", "Delete this preset", "Delete"),
        )
    )
    return (
        f'<li class="fabric-preset" data-name="{name}"><span class="fabric-shown">{shown}</span>'
        f'<span class="fabric-preset-name" title="{name}" translate="no">{name}</span>'
        f'<span class="fabric-preset-counts">{counts}</span>'
        f'<span class="fabric-actions">{actions}</span></li>'
    )
