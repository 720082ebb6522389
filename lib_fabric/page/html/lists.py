"""The accordion's own HTML: counts in the title, the two lists of pictures.

Knows ratings and a source of thumbnails; not gradio.
"""

from __future__ import annotations

from lib_fabric.errors import Message
from lib_fabric.page.html.parts import (
    ALTS,
    MOVE_ICON,
    REMOVE_ICON,
    THUMBS,
    Thumbnail,
    attribute_html,
    button_html,
    picture_html,
)
from lib_fabric.ratings import WEIGHT, ListName, Rated, Ratings
from lib_fabric.settings import format_number

EMPTY_TEXT = "Nothing rated yet. Press 👍 or 👎 on a picture, or drop your own pictures here."
DROP_TEXT = "Drop pictures here or click to choose"
WEIGHT_TEXT = "How much this picture counts: 0 not at all, 1 as usual, 2 twice as much"
_HEADINGS: dict[ListName, str] = {"liked": "Liked", "disliked": "Disliked"}
_COUNTS: dict[ListName, str] = {
    "liked": "Liked pictures: {}",
    "disliked": "Disliked pictures: {}",
}
_CLEAR: dict[ListName, str] = {
    "liked": "Remove all liked pictures",
    "disliked": "Remove all disliked pictures",
}
_ADD: dict[ListName, str] = {
    "liked": "Add liked pictures",
    "disliked": "Add disliked pictures",
}
_MOVE: dict[ListName, str] = {
    "liked": "Move to liked",
    "disliked": "Move to disliked",
}
_OTHER: dict[ListName, ListName] = {"liked": "disliked", "disliked": "liked"}


def counts_html(ratings: Ratings[str]) -> str:
    """The badges in the title, such as '2 👍 1 👎'; nothing for an empty list."""
    badges = "".join(_count(name, len(ratings.of(name))) for name in THUMBS)
    return f'<span class="fabric-counts">{badges}</span>' if badges else ""


def lists_html() -> str:
    """Both columns without pictures: `fabric.js` puts the tiles in, and keeps them."""
    empty = f'<span class="fabric-empty">{EMPTY_TEXT}</span>'
    undo = button_html("undo", "Undo the last change", "Undo", "fabric-undo fabric-text-button")
    columns = "".join(map(_column, THUMBS))
    return f'<div class="fabric-bar">{empty}{undo}</div><div class="fabric-columns">{columns}</div>'


def reset_html() -> str:
    """The button below the settings."""
    title = "Set all settings back to how they are at first"
    return button_html("reset", title, "Reset", "fabric-reset fabric-text-button")


def tile_html(rated: Rated[str], name: ListName, thumbnail: Thumbnail | None) -> str:
    """A picture in the list `name`, with its buttons.

    Args:
        thumbnail: gives a JPEG by an id, or raises FabricError for a lost picture; None where the
            page has it in the tile that this one replaces.
    """
    other = _OTHER[name]
    parts = (
        picture_html(rated.picture, ALTS[name], thumbnail),
        button_html("move", _MOVE[other], MOVE_ICON, "fabric-move", other),
        button_html("remove", "Remove", REMOVE_ICON, "fabric-remove", name),
        _weight(rated.weight),
    )
    is_off = " fabric-off" if rated.weight == 0 else ""
    return (
        f'<figure class="fabric-picture{is_off}" data-id="{rated.picture}">'
        f"{''.join(parts)}</figure>"
    )


def _count(name: ListName, count: int) -> str:
    if not count:
        return ""
    title = attribute_html("title", Message(_COUNTS[name], str(count)))
    return f'<span class="fabric-count fabric-{name}" {title}>{count} {THUMBS[name]}</span>'


def _column(name: ListName) -> str:
    clear = button_html("clear", _CLEAR[name], "Clear", "fabric-clear fabric-text-button", name)
    drop = button_html("choose", _ADD[name], DROP_TEXT, "fabric-drop", name)
    return (
        f'<section class="fabric-column" data-to="{name}">'
        f'<header><span class="fabric-heading"><span>{THUMBS[name]}</span> '
        f"<span>{_HEADINGS[name]}</span></span>"
        f'{clear}</header><div class="fabric-grid"></div>{drop}</section>'
    )


def _weight(weight: float) -> str:
    changed = " fabric-changed" if weight != 1 else ""
    return (
        f'<label class="fabric-weight{changed}" title="{WEIGHT_TEXT}"><span>×</span>'
        f'<input type="number" data-do="weigh" min="{WEIGHT.minimum:g}" max="{WEIGHT.maximum:g}" '
        f'step="0.25" value="{format_number(weight)}" aria-label="{WEIGHT_TEXT}"></label>'
    )
