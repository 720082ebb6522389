"""What the accordion's HTML is made of: pictures, buttons, icons, texts that can be translated.

Knows messages and a source of thumbnails; not gradio. `fabric.js` finds its way by `data-do`,
`data-to` and `data-id`; `style.css` by the classes. A fixed text is a whole text node or attribute,
which is how translations find it; what is put together carries its messages along.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from html import escape

from lib_fabric.errors import FabricError, Message
from lib_fabric.ratings import ListName

THUMBS: dict[ListName, str] = {"liked": "👍", "disliked": "👎"}
ALTS: dict[ListName, str] = {"liked": "Liked picture", "disliked": "Disliked picture"}

Thumbnail = Callable[[str], bytes]


def picture_html(picture_id: str, alt: str, thumbnail: Thumbnail | None) -> str:
    """One thumbnail, or a word in its place where the file is gone.

    Args:
        thumbnail: gives a JPEG by an id, or raises FabricError for a lost picture; None where the
            page has it.
    """
    if thumbnail is None:
        return f'<img alt="{alt}" draggable="true">'
    try:
        data = base64.b64encode(thumbnail(picture_id)).decode()
    except FabricError:
        return '<span class="fabric-lost" title="Its file is gone. Remove it.">Lost</span>'
    return f'<img alt="{alt}" draggable="true" src="data:image/jpeg;base64,{data}">'


def button_html(
    do: str, title: str, content: str, css_class: str = "", to: ListName = "liked"
) -> str:
    """A button that `fabric.js` answers; `content` is HTML."""
    return (
        f'<button type="button" class="{css_class}" data-do="{do}" data-to="{to}" '
        f'title="{title}" aria-label="{title}">{content}</button>'
    )


def pager_html(
    offset: int,
    shown: int,
    total: int,
    size: int,
    back: tuple[str, str, str],
    forth: tuple[str, str, str],
) -> str:
    """Which of `total` things are shown, and the buttons that turn the page.

    Args:
        back: `data-do`, title and text of the button to what comes before.
        forth: of the one to what comes after.
    """
    last = offset + shown
    # None are shown where the disk fails in the middle of it.
    numbers = f"{offset + 1}–{last}" if shown else "0"
    before = button_html(*back, "fabric-text-button") if offset else ""
    after = button_html(*forth, "fabric-text-button") if last < total else ""
    return (
        f'<div class="fabric-pager" data-offset="{offset}" data-size="{size}">'
        f"{before}<span>{numbers} / {total}</span>{after}</div>"
    )


def page_offset(offset: int, total: int, size: int) -> int:
    """Where the page of `total` things begins that holds the one at `offset`, or the last one."""
    return min(max(0, offset), max(0, total - 1)) // size * size


def icon_html(path: str) -> str:
    """An icon of 16 by 16, drawn in the text's colour."""
    return f'<svg viewBox="0 0 16 16" aria-hidden="true">{path}</svg>'


# Drawn rather than typed, since fonts disagree on the size of × and ⇄.
REMOVE_ICON = icon_html('<path d="M4 4l8 8M12 4l-8 8"/>')
MOVE_ICON = icon_html('<path d="M2 5.5h11M10 2.5l3 3-3 3M14 10.5H3M6 7.5l-3 3 3 3"/>')


def attribute_html(name: str, message: Message) -> str:
    """The attribute `name` with a text that is put together, and what it was put together from."""
    return f'{name}="{escape(str(message))}" {texts_html(**{name: message})}'


def texts_html(**messages: Message) -> str:
    """The attribute that says what an element's texts were put together from.

    Args:
        messages: by place: `text` for what the element holds, or the name of an attribute.
    """
    found = {place: message.to_json() for place, message in messages.items()}
    return f'data-fabric-texts="{escape(json.dumps(found, ensure_ascii=False))}"'
