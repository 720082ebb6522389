"""Presses on one picture: in the gallery, a file, a tile of the lists or of the history.

Knows pictures and the history's entries; is handed how a gallery's picture is opened.
"""

from __future__ import annotations

import logging

from PIL import Image

from lib_fabric.errors import FabricError, Message
from lib_fabric.library.library import Library
from lib_fabric.page.actions import Action, readable_name
from lib_fabric.page.host import PageHost
from lib_fabric.page.messages import Note
from lib_fabric.page.outcome import Outcome, PageState
from lib_fabric.page.presses.arrivals import Arrivals
from lib_fabric.page.presses.history import HistoryEntries
from lib_fabric.pictures import Picture, decode_bytes, from_image, refuse_too_many_bytes
from lib_fabric.ratings import ListName, Ratings

_log = logging.getLogger(__name__)
_UNREADABLE = "That picture could not be read. Generate it again."
_OF_ANOTHER_SITE = (
    "{} could not be read: browsers keep most pictures of other sites to themselves. Save it, "
    "then drop the file."
)
_ALREADY: dict[ListName, str] = {
    "liked": "{} is liked already.",
    "disliked": "{} is disliked already.",
}


class PicturePresses:
    """Carries them out; each raises FabricError for what cannot be done."""

    def __init__(self, library: Library, entries: HistoryEntries, host: PageHost) -> None:
        self._library = library
        self._entries = entries
        self._host = host
        self._arrivals = Arrivals(refuse_too_many_bytes)

    def rate(self, action: Action, page: PageState) -> Outcome:
        """A thumb on a gallery picture."""
        image = self._shown_image(action, page)
        picture = from_image(image)
        ratings = self._rated(page, picture, action.to)
        details = self._host.picture_details(image)
        change, note = self._entries.record(page, picture.id, action.to, details)
        return Outcome(ratings, picture.id, note, change=change)

    def unrate(self, action: Action, page: PageState) -> Outcome:
        """A thumb pressed again takes its rating back; the history keeps it."""
        picture_id = from_image(self._shown_image(action, page)).id
        return Outcome(page.ratings.remove(picture_id), picture_id)

    def add(self, action: Action, page: PageState) -> Outcome:
        """One part of a file of the user's own."""
        name = readable_name(action.name)
        try:
            return self._add(action, page, name)
        except FabricError as error:
            if name in error.parameters:
                raise
            # Several may be on their way: a person must know which of them it was.
            return Outcome(page.ratings, note=Note(Message("{}: {}", name, Message.of(error))))

    def _add(self, action: Action, page: PageState, name: str) -> Outcome:
        if action.unreadable:
            raise FabricError(_OF_ANOTHER_SITE, name)
        data = self._arrivals.add(action, page)
        if data is None:
            return Outcome(page.ratings)
        picture = decode_bytes(data, name)
        ratings = self._rated(page, picture, action.to)
        # Also what is in the list already: its file, and with it the entry, may have been lost.
        change, note = self._entries.record(page, picture.id, action.to)
        if ratings == page.ratings:
            note = note or Note(Message(_ALREADY[action.to], name), is_warning=False)
        return Outcome(ratings, picture.id, note, change=change)

    def activate(self, action: Action, page: PageState) -> Outcome:
        """A picture of the history: into the list, or out of it if it is there."""
        if page.ratings.list_of(action.picture_id) == action.to:
            return Outcome(page.ratings.remove(action.picture_id))
        picture_id = self._library.pictures_of(page.owner).find(action.picture_id)
        if picture_id is None:
            raise FabricError("That picture's file is gone.")
        ratings = page.ratings.rate(picture_id, action.to, self._host.max_pictures())
        change, note = self._entries.record(page, picture_id, action.to)
        return Outcome(ratings, note=note, change=change)

    def forget(self, action: Action, page: PageState) -> Outcome:
        """The cross in the history: out of it, and out of the lists."""
        change = self._entries.forget(page, action.picture_id)
        return Outcome(page.ratings.remove(action.picture_id), change=change)

    def move(self, action: Action, page: PageState) -> Outcome:
        """From one list into the other."""
        ratings = page.ratings.move(action.picture_id, action.to, self._host.max_pictures())
        change, note = self._entries.record(page, action.picture_id, action.to)
        return Outcome(ratings, note=note, change=change)

    def _rated(self, page: PageState, picture: Picture, to: ListName) -> Ratings[str]:
        """Rates a picture and keeps it, unless the list is full already."""
        ratings = page.ratings.rate(picture.id, to, self._host.max_pictures())
        self._library.pictures_of(page.owner).add(picture)
        return ratings

    def _shown_image(self, action: Action, page: PageState) -> Image.Image:
        entry = page.shown.pick(action.index)
        try:
            image = self._host.gallery_picture(entry)
        # The host's reader raises whatever Pillow, base64 and its own assertions raise.
        except Exception as error:
            _log.warning("FABRIC: a gallery picture could not be read: %r", error)
            raise FabricError(_UNREADABLE) from error
        if not isinstance(image, Image.Image):
            raise FabricError(_UNREADABLE)
        return image
