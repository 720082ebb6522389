"""The accordion's own HTML: counts in the title, the two lists of pictures, the message line.

Knows ratings and a source of thumbnails; not gradio. `fabric.js` finds its way by `data-do`,
`data-to` and `data-id`; `style.css` by the classes.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from html import escape

from lib_fabric.errors import FabricError
from lib_fabric.ui_answers import Note
from lib_fabric.ui_ratings import OTHER_LIST, ListName, Ratings

THUMBNAIL_PX = 176
EMPTY_TEXT = "Nothing rated yet. Press 👍 or 👎 under a picture, or drop your own pictures here."
DROP_TEXT = "Drop pictures here or click to choose"
THUMBS: dict[ListName, str] = {"liked": "👍", "disliked": "👎"}

# Drawn rather than typed, since fonts disagree on the size of × and ⇄.
_REMOVE_ICON = '<path d="M4 4l8 8M12 4l-8 8"/>'
_MOVE_ICON = '<path d="M2 5.5h11M10 2.5l3 3-3 3M14 10.5H3M6 7.5l-3 3 3 3"/>'

Thumbnail = Callable[[str], bytes]


def counts_html(ratings: Ratings) -> str:
    """The badges in the title, such as '2 👍 1 👎'; nothing for an empty list."""
    badges = [
        f'<span class="fabric-count fabric-{name}" title="{_counted(ratings, name)}">'
        f"{len(ratings.ids(name))} {thumb}</span>"
        for name, thumb in THUMBS.items()
        if ratings.ids(name)
    ]
    return f'<span class="fabric-counts">{"".join(badges)}</span>' if badges else ""


def note_html(note: Note | None) -> str:
    """The message line; empty for no message."""
    if note is None:
        return ""
    kind = "warning" if note.is_warning else "info"
    return f'<p class="fabric-note fabric-{kind}" role="status">{escape(note.text)}</p>'


def lists_html(ratings: Ratings, thumbnail: Thumbnail) -> str:
    """Both columns. `thumbnail(id)` gives a JPEG or raises FabricError for a lost picture."""
    empty = "" if ratings else f'<p class="fabric-empty">{EMPTY_TEXT}</p>'
    columns = "".join(_column(ratings.ids(name), name, thumbnail) for name in THUMBS)
    return f'{empty}<div class="fabric-columns">{columns}</div>'


def _column(ids: tuple[str, ...], name: ListName, thumbnail: Thumbnail) -> str:
    clear = _button("clear", name, "fabric-clear", f"Remove all {name} pictures", "Clear")
    # Newest first: what was just rated is seen without scrolling.
    tiles = "".join(_tile(each, name, thumbnail) for each in reversed(ids))
    grid = f'<div class="fabric-grid">{tiles}</div>' if ids else ""
    drop = _button("choose", name, "fabric-drop", f"Add {name} pictures", DROP_TEXT)
    return (
        f'<section class="fabric-column" data-to="{name}">'
        f'<header><span class="fabric-heading">{THUMBS[name]} {name.capitalize()}</span>'
        f"{clear if ids else ''}</header>{grid}{drop}</section>"
    )


def _tile(picture_id: str, name: ListName, thumbnail: Thumbnail) -> str:
    try:
        data = base64.b64encode(thumbnail(picture_id)).decode()
        picture = f'<img alt="{name} picture" src="data:image/jpeg;base64,{data}">'
    except FabricError:
        picture = '<span class="fabric-lost" title="Its file is gone. Remove it.">Lost</span>'
    other = OTHER_LIST[name]
    move = _button("move", other, "fabric-move", f"Move to {other}", _icon(_MOVE_ICON))
    remove = _button("remove", name, "fabric-remove", "Remove", _icon(_REMOVE_ICON))
    return f'<figure class="fabric-picture" data-id="{picture_id}">{picture}{move}{remove}</figure>'


def _button(do: str, to: ListName, css_class: str, title: str, content: str) -> str:
    return (
        f'<button type="button" class="{css_class}" data-do="{do}" data-to="{to}" '
        f'title="{title}">{content}</button>'
    )


def _icon(path: str) -> str:
    return f'<svg viewBox="0 0 16 16" aria-hidden="true">{path}</svg>'


def _counted(ratings: Ratings, name: ListName) -> str:
    number = len(ratings.ids(name))
    return f"{number} {name} picture{'' if number == 1 else 's'}"
