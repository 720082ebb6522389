"""The accordion's own HTML: counts in the title, the two lists of pictures, the message line.

Knows ratings and a source of thumbnails; not gradio. `fabric.js` finds its way by `data-do`,
`data-to` and `data-id`; `style.css` by the classes. The fixed parts of a text are whole text nodes
or titles, since that is what the host's localisation replaces.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from html import escape

from lib_fabric.errors import FabricError
from lib_fabric.page.outcome import Note
from lib_fabric.ratings import WEIGHT, ListName, Rated, Ratings
from lib_fabric.settings import format_number

THUMBNAIL_PX = 176
EMPTY_TEXT = "Nothing rated yet. Press 👍 or 👎 on a picture, or drop your own pictures here."
DROP_TEXT = "Drop pictures here or click to choose"
WEIGHT_TEXT = "How much this picture counts: 0 not at all, 1 as usual, 2 twice as much"
COUNT_TEXTS: dict[ListName, str] = {
    "liked": "Liked pictures: {}",
    "disliked": "Disliked pictures: {}",
}
THUMBS: dict[ListName, str] = {"liked": "👍", "disliked": "👎"}

# Drawn rather than typed, since fonts disagree on the size of × and ⇄.
_REMOVE_PATH = '<path d="M4 4l8 8M12 4l-8 8"/>'
_MOVE_PATH = '<path d="M2 5.5h11M10 2.5l3 3-3 3M14 10.5H3M6 7.5l-3 3 3 3"/>'

Thumbnail = Callable[[str], bytes]


def counts_html(ratings: Ratings) -> str:
    """The badges in the title, such as '2 👍 1 👎'; nothing for an empty list."""
    counts = {name: len(ratings.of(name)) for name in THUMBS}
    badges = [
        f'<span class="fabric-count fabric-{name}" title="{COUNT_TEXTS[name].format(count)}">'
        f"{count} {THUMBS[name]}</span>"
        for name, count in counts.items()
        if count
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
    empty = "" if ratings else f'<span class="fabric-empty">{EMPTY_TEXT}</span>'
    undo = button_html("undo", "Undo the last change", "Undo", "fabric-undo fabric-text-button")
    columns = "".join(_column(ratings, name, thumbnail) for name in THUMBS)
    return f'<div class="fabric-bar">{empty}{undo}</div><div class="fabric-columns">{columns}</div>'


def picture_html(picture_id: str, alt: str, thumbnail: Thumbnail) -> str:
    """One thumbnail, or a word in its place where the file is gone."""
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


def icon_html(path: str) -> str:
    """An icon of 16 by 16, drawn in the text's colour."""
    return f'<svg viewBox="0 0 16 16" aria-hidden="true">{path}</svg>'


REMOVE_ICON = icon_html(_REMOVE_PATH)


def _column(ratings: Ratings, name: ListName, thumbnail: Thumbnail) -> str:
    rated = ratings.of(name)
    clear = button_html(
        "clear", f"Remove all {name} pictures", "Clear", "fabric-clear fabric-text-button", name
    )
    # Newest first: what was just rated is seen without scrolling.
    tiles = "".join(_tile(each, name, thumbnail) for each in reversed(rated))
    grid = f'<div class="fabric-grid">{tiles}</div>' if rated else ""
    drop = button_html("choose", f"Add {name} pictures", DROP_TEXT, "fabric-drop", name)
    return (
        f'<section class="fabric-column" data-to="{name}">'
        f'<header><span class="fabric-heading"><span>{THUMBS[name]}</span> '
        f"<span>{name.capitalize()}</span></span>"
        f"{clear if rated else ''}</header>{grid}{drop}</section>"
    )


def _tile(rated: Rated[str], name: ListName, thumbnail: Thumbnail) -> str:
    other: ListName = "disliked" if name == "liked" else "liked"
    parts = (
        picture_html(rated.picture, f"{name} picture", thumbnail),
        button_html("move", f"Move to {other}", icon_html(_MOVE_PATH), "fabric-move", other),
        button_html("remove", "Remove", REMOVE_ICON, "fabric-remove", name),
        _weight(rated.weight),
    )
    is_off = " fabric-off" if rated.weight == 0 else ""
    return (
        f'<figure class="fabric-picture{is_off}" data-id="{rated.picture}">'
        f"{''.join(parts)}</figure>"
    )


def _weight(weight: float) -> str:
    changed = " fabric-changed" if weight != 1 else ""
    return (
        f'<label class="fabric-weight{changed}" title="{WEIGHT_TEXT}"><span>×</span>'
        f'<input type="number" data-do="weigh" min="{WEIGHT.minimum:g}" max="{WEIGHT.maximum:g}" '
        f'step="0.25" value="{format_number(weight)}" aria-label="{WEIGHT_TEXT}"></label>'
    )
