"""What a press came to, as values for the page's components.

Knows outcomes, the library and the HTML; not gradio. Whatever cannot be rendered stays as it was
on the page, and the rest of the answer arrives all the same.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from functools import lru_cache

from lib_fabric.errors import Message
from lib_fabric.library.library import Library
from lib_fabric.library.store import missing_picture
from lib_fabric.page.host import PageHost
from lib_fabric.page.html.lists import counts_html, tile_html
from lib_fabric.page.html.parts import Thumbnail
from lib_fabric.page.messages import Note
from lib_fabric.page.outcome import Download, Outcome, PageState, nothing_raised
from lib_fabric.page.panels import Panels
from lib_fabric.page_arguments import start_value
from lib_fabric.rating_texts import format_list
from lib_fabric.ratings import LIST_NAMES
from lib_fabric.settings import DEFAULT_MAX_PICTURES, FabricSettings

_MAX_THUMBNAILS = 512
# By the name of the component, beside the lists; each setting's widget goes by the setting's name.
PARTS = ("enabled", "counts", "history", "presets")


class Rendering:
    """Renders outcomes for all pages of one library."""

    def __init__(self, library: Library, host: PageHost) -> None:
        self._library = library
        self._host = host
        self._panels = Panels(library, self._thumbnails)
        # Content-addressed, so that pages may share them; bounded, a few KB each.
        self._kept_thumbnail = lru_cache(_MAX_THUMBNAILS)(self._make_thumbnail)

    def values(self, outcome: Outcome, page: PageState) -> dict[str, object]:
        """Values of both lists, of `PARTS`, of settings and of 'reply', by name.

        What is left out stays as it is. Notes in `outcome` what cannot be rendered.
        """
        values: dict[str, object] = {
            name: format_list(outcome.ratings.of(name)) for name in LIST_NAMES
        }
        if outcome.switch_on:
            values["enabled"] = True
        if outcome.settings is not None:
            values |= outcome.settings
        with nothing_raised(outcome):
            values["counts"] = counts_html(outcome.ratings)
        tiles: dict[str, str] = {}
        with nothing_raised(outcome):
            tiles = self._tiles(outcome, page)
        with nothing_raised(outcome):
            if outcome.action is not None and outcome.action.shows_history:
                values["history"] = self._panels.history(page, outcome.action)
        with nothing_raised(outcome):
            if outcome.presets_changed and outcome.action and outcome.action.shows_presets:
                values["presets"] = self._panels.presets(page, outcome.action, outcome.preset_name)
        limit = DEFAULT_MAX_PICTURES
        with nothing_raised(outcome):
            limit = self._host.max_pictures()
        values["reply"] = reply_json(outcome, limit, tiles, page)
        return values

    def _tiles(self, outcome: Outcome, page: PageState) -> dict[str, str]:
        """The tiles that the page lacks, by the picture's id: of what the press has changed, and
        what it says that it lacks. So many rated pictures cost no more than a few."""
        lacking = set(outcome.action.lacks.split()) if outcome.action else set()
        held = {each.picture for each in page.ratings} - lacking
        thumbnail = self._thumbnails(page.owner)
        tiles = {}
        for name in LIST_NAMES:
            unchanged = set(page.ratings.of(name))
            for rated in outcome.ratings.of(name):
                is_held = rated.picture in held
                if not is_held or rated not in unchanged:
                    tiles[rated.picture] = tile_html(rated, name, None if is_held else thumbnail)
        return tiles

    def _thumbnails(self, owner: str) -> Thumbnail:
        """Gives the pictures of `owner` as JPEGs; one that is lost for it raises FabricError."""
        pictures = self._library.pictures_of(owner)

        def thumbnail(picture_id: str) -> bytes:
            if picture_id not in pictures:
                raise missing_picture(picture_id)
            return self._kept_thumbnail(picture_id)

        return thumbnail

    def _make_thumbnail(self, picture_id: str) -> bytes:
        return self._library.store.thumbnail(picture_id)


def reply_json(outcome: Outcome, limit: int, tiles: Mapping[str, str], page: PageState) -> str:
    """What `fabric.js` needs to know of an answer beside the lists.

    Args:
        limit: how many pictures each list may hold.
        tiles: HTML by a picture's id.
        page: as it was before.
    """
    action, change = outcome.action, outcome.change
    return json.dumps(
        {
            "number": action.number if action else 0,
            "limit": limit,
            "tiles": dict(tiles),
            "settings": {**page.settings, **(outcome.settings or {})},
            "defaults": {
                field.name: start_value(field, page.start_values)
                for field in FabricSettings.fields()
            },
            "rated": outcome.picture_id,
            "change": change.to_text() if change else "",
            # An entry is gone, which undo brings back even where the lists are the same.
            "history_changed": bool(change and change.after is None),
            "note": _note(outcome.note),
            "confirm": _question(outcome.question),
            "file": _file(outcome.download),
        }
    )


def _note(note: Note | None) -> dict[str, object] | None:
    if note is None:
        return None
    return {"text": note.text, "message": note.message.to_json(), "failed": note.is_warning}


def _question(question: Message | None) -> dict[str, object] | None:
    return question and {"text": str(question), "message": question.to_json()}


def _file(download: Download | None) -> dict[str, str] | None:
    if download is None:
        return None
    return {"name": download.name, "data": base64.b64encode(download.data).decode()}
