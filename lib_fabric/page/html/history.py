"""The HTML of the history: every picture ever rated, with how it was made.

Knows entries of the history and a source of thumbnails; not gradio, not the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from lib_fabric.errors import Message, UtcTime
from lib_fabric.library.history_entry import HistoryEntry
from lib_fabric.page.html.parts import (
    ALTS,
    MOVE_ICON,
    REMOVE_ICON,
    THUMBS,
    Thumbnail,
    attribute_html,
    button_html,
    pager_html,
    picture_html,
)
from lib_fabric.ratings import ListName

PAGE_SIZE = 48
EMPTY_TEXT = "Every picture that you rate is kept here, with its prompt, seed and checkpoint."
NOTHING_TEXT = "Nothing in the history matches."
SEARCH_TEXT = "Search prompt, seed, checkpoint"
_USE: dict[ListName, str] = {"liked": "Use as liked", "disliked": "Use as disliked"}
_OTHER: dict[ListName, ListName] = {"liked": "disliked", "disliked": "liked"}
_NEWER = ("newer", "Newer pictures", "Newer")
_OLDER = ("older", "Older pictures", "Older")
_MAX_PROMPT = 300


@dataclass(frozen=True)
class HistoryView:
    """What is to be shown: `entries` from `offset` on, of `total` that match `search`."""

    entries: Sequence[HistoryEntry] = ()
    total: int = 0
    offset: int = 0
    search: str = ""


def history_html(view: HistoryView, thumbnail: Thumbnail) -> str:
    """Search field, tiles and the buttons that turn the page."""
    if not view.total:
        text = NOTHING_TEXT if view.search else EMPTY_TEXT
        body = f'<p class="fabric-empty">{text}</p>'
        return (_search(view) if view.search else "") + body
    tiles = "".join(_tile(entry, thumbnail) for entry in view.entries)
    pager = pager_html(view.offset, len(view.entries), view.total, PAGE_SIZE, _NEWER, _OLDER)
    return f'{_search(view)}<div class="fabric-grid">{tiles}</div>{pager}'


def _search(view: HistoryView) -> str:
    return (
        f'<input type="search" class="fabric-search" data-do="search" '
        f'value="{escape(view.search)}" placeholder="{SEARCH_TEXT}" aria-label="{SEARCH_TEXT}">'
    )


def _tile(entry: HistoryEntry, thumbnail: Thumbnail) -> str:
    verdict, other = entry.verdict, _OTHER[entry.verdict]
    picture = picture_html(entry.picture_id, ALTS[verdict], thumbnail)
    put_back = button_html("activate", _USE[verdict], picture, "fabric-use", verdict)
    turn = button_html("activate", _USE[other], MOVE_ICON, "fabric-move", other)
    forget = button_html("forget", "Delete from the history", REMOVE_ICON, "fabric-remove")
    return (
        f'<figure class="fabric-picture" data-id="{escape(entry.picture_id)}" '
        f'data-verdict="{verdict}" {attribute_html("title", _description(entry))}>'
        f'{put_back}<span class="fabric-verdict">{THUMBS[verdict]}</span>{turn}{forget}'
        "</figure>"
    )


def _description(entry: HistoryEntry) -> Message:
    details = entry.details
    made = [details.checkpoint] if details.checkpoint else []
    made += [f"seed {details.seed}"] if details.seed is not None else []
    lines = [line for line in (", ".join(made), details.prompt[:_MAX_PROMPT]) if line]
    key = "\n".join(["{} {}", *("{}" for _ in lines)])
    return Message(key, THUMBS[entry.verdict], UtcTime(entry.rated_at), *lines)
